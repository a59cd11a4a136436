"""resnetctl against the real server: what it prints is what the server answers.

resnetctl_test.py RESNETD RESNETCTL
"""

import csv
import json
import os
import subprocess
import sys
import unittest

import images
import numpy as np
from PIL import Image as Picture
from client import Metrics, pb
from running_server import free_ports
from server_case import ServerTest

COUNT = 20


class Resnetctl(ServerTest):
    # On a machine that has much else to do a wait may be long; here nothing is to be refused for that.
    OPTIONS = ["--max-queue-ms", "600000"]

    @classmethod
    def prepare(cls):
        cls.pictures = cls.folder / "pictures"
        cls.pictures.mkdir()
        cls.files = {f"{i:02}.png": images.png(images.fashion()[i]) for i in range(COUNT)}
        for name, file in cls.files.items():
            (cls.pictures / name).write_bytes(file)

    def run_json(self, *arguments: str):
        run = self.server.ctl("--json", *arguments)
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)

    def logits(self) -> np.ndarray:
        return np.array(self.client.logits([images.encoded(file) for file in self.files.values()], 10))

    def test_classify(self):
        answers = self.run_json("classify", "--logits", "--top-k", "10", str(self.pictures))
        self.assertEqual([a["image"].split("/")[-1] for a in answers], list(self.files))
        for answer, expected in zip(answers, self.logits(), strict=True):
            scores = {c["index"]: c["score"] for c in answer["classes"]}
            np.testing.assert_allclose([scores[i] for i in range(10)], expected, atol=1e-5 * np.abs(expected).max())
            self.assertEqual(
                [c["label"] for c in answer["classes"]], [images.LABELS[c["index"]] for c in answer["classes"]]
            )

    def test_classify_as_a_table(self):
        (self.pictures / "truth.tsv").write_text("00.png\tAnkle boot\n01.png\tPullover\n")
        files = [str(self.pictures / name) for name in ("00.png", "01.png")]
        run = self.server.ctl("classify", "--expect", str(self.pictures / "truth.tsv"), *files)
        self.assertEqual(run.returncode, 0, run.stderr)
        for i, label in enumerate(("Ankle boot", "Pullover")):
            (line,) = [line for line in run.stdout.splitlines() if f"0{i}.png" in line]
            self.assertEqual(line.count(label), 2, line)  # as classified, and as expected

    def test_a_bad_image_is_reported_and_the_others_are_answered(self):
        bad = self.folder / "bad.png"
        bad.write_bytes(b"text")
        run = self.server.ctl(
            "--json", "classify", str(self.pictures / "00.png"), str(bad), str(self.pictures / "01.png")
        )
        self.assertEqual(run.returncode, 1)
        answers = json.loads(run.stdout)
        self.assertEqual(
            [("error" in a, "classes" in a) for a in answers], [(False, True), (True, False), (False, True)]
        )
        self.assertIn("expected a JPEG, PNG or WebP file", json.dumps(answers[1]["error"]))

    def test_embed_to_numpy(self):
        path = self.folder / "features.npy"
        run = self.server.ctl("embed", "--npy", str(path), str(self.pictures))
        self.assertEqual(run.returncode, 0, run.stderr)
        request = pb.EmbedRequest(images=[images.encoded(file) for file in self.files.values()])
        expected = np.array([r.embedding for r in self.ok("Embed", request).results])
        features = np.load(path)
        self.assertEqual((features.dtype, features.shape), (np.float32, (COUNT, 64)))
        np.testing.assert_allclose(features, expected, atol=1e-5 * np.abs(expected).max())

    def test_rows_are_named_in_a_table(self):
        """In the order that docs/resnetctl.md tells: the command line's, a folder by path, then the list's."""
        path, bad, missing = self.folder / "named.npy", self.folder / "bad row.png", self.folder / "missing.png"
        bad.write_bytes(b"text")
        listed = self.folder / "list.txt"
        listed.write_text(f"{missing}\r\n\r\n{self.pictures}/03.png\r\n")
        run = self.server.ctl("embed", "--npy", str(path), "--from-file", str(listed), str(bad), str(self.pictures))
        self.assertEqual(run.returncode, 1)
        with open(self.folder / "named.tsv", newline="") as table:
            rows = list(csv.DictReader(table, delimiter="\t"))
        self.assertEqual([row["path"] for row in rows], [str(bad), *(f"{self.pictures}/{name}" for name in self.files), str(missing),
                                                         f"{self.pictures}/03.png"])
        values = np.load(path)
        self.assertEqual([row["status"] == "ok" for row in rows], np.isfinite(values).all(1).tolist())
        np.testing.assert_array_equal(values[-1], values[1 + 3])
        (space,) = {row["space"] for row in rows if row["status"] == "ok"}
        self.assertEqual(self.ok("Embed", pb.EmbedRequest(images=[images.encoded(self.files["03.png"])])).results[0].embedding_space, space)
        self.assertIn(f"{COUNT + 3} rows of 64, 2 of them NaN", run.stdout)
        self.assertIn(f"2 of {COUNT + 3} images failed", run.stderr)
        # Neither the request's own index nor a name twice.
        self.assertIn(f"{bad}: INVALID_ARGUMENT: expected a JPEG, PNG or WebP file", run.stderr)
        self.assertEqual(run.stderr.count("missing.png"), 1, run.stderr)

    def test_answers_come_as_json_lines(self):
        for command, key in (("classify", "classes"), ("embed", "embedding")):
            run = self.server.ctl(command, "--jsonl", str(self.pictures), str(self.folder / "missing.png"))
            self.assertEqual(run.returncode, 1)
            lines = [json.loads(line) for line in run.stdout.splitlines()]
            self.assertEqual([line["image"].split("/")[-1] for line in lines], [*self.files, "missing.png"])
            self.assertEqual([key in line for line in lines], [True] * COUNT + [False])

    def test_an_image_by_standard_input(self):
        (expected,) = self.run_json("classify", str(self.pictures / "00.png"))
        for arguments in (["--json", "classify", "-"], ["classify", "--jsonl", "-"]):
            run = subprocess.run([sys.argv[2], "--server", self.server.address, *arguments], input=self.files["00.png"], capture_output=True)
            self.assertEqual(run.returncode, 0, run.stderr)
            answer = json.loads(run.stdout)
            self.assertEqual((answer[0] if isinstance(answer, list) else answer)["classes"], expected["classes"])

    def test_forms_of_the_address(self):
        port = self.server.address.split(":")[-1]
        for form in (f"http://127.0.0.1:{port}/", f"grpc://127.0.0.1:{port}", f"dns:///127.0.0.1:{port}", f"ipv4:127.0.0.1:{port}",
                     f"localhost:{port}"):
            with self.subTest(form):
                run = subprocess.run([sys.argv[2], "health"], env=os.environ | {"RESNETCTL_SERVER": form}, capture_output=True, text=True)
                self.assertEqual((run.returncode, run.stdout), (0, "SERVING\n"), run.stderr)

    def test_evaluate(self):
        """Through the server and in process, by folders and by a list: what the server's own logits count up to."""
        count = 200
        pixels, labels = images.fashion()[:count], images.fashion_labels()[:count]
        data = self.folder / "data"
        for i in range(count):
            (data / str(labels[i])).mkdir(parents=True, exist_ok=True)
            (data / str(labels[i]) / f"{i:03}.png").write_bytes(images.png(pixels[i]))
        names = [f"{labels[i]}/{i:03}.png" for i in range(count)]
        (data / "list.tsv").write_text("".join(f"{names[i]}\t{images.LABELS[labels[i]]}\n" for i in range(count)))
        logits = [self.client.logits([images.u8(p) for p in pixels[i : i + 50]], 10) for i in range(0, count, 50)]
        order = np.argsort(-np.concatenate(logits), axis=1, kind="stable")
        changed = {3: (order[3, 0] + 1) % 10, 77: (order[77, 0] + 2) % 10}
        predictions = self.folder / "predictions.tsv"
        predictions.write_text("".join(f"{names[i]} {changed.get(i, order[i, 0])}\n" for i in range(count)))

        confusion = np.zeros((10, 10), int)
        np.add.at(confusion, (labels, order[:, 0]), 1)
        for where in ([], ["--local"], ["--local", "--threads", "2"], [str(images.MODEL), "--local"]):
            for source in (data, data / "list.tsv"):
                with self.subTest(where=where, source=source.name):
                    got = self.run_json("evaluate", *where, "--data", str(source), "--predictions", str(predictions))
                    self.assertEqual((got["images"], got["failed"]), (count, 0))
                    self.assertEqual(got["top1"]["right"], np.trace(confusion))
                    self.assertEqual(got["top5"]["right"], np.count_nonzero(order[:, :5] == labels[:, None]))
                    for c in got["classes"]:
                        self.assertEqual(c["label"], images.LABELS[c["index"]])
                        self.assertEqual(c["top1"]["right"], confusion[c["index"], c["index"]])
                        self.assertEqual(c["images"], confusion[c["index"]].sum())
                    cells = {(c["true"], c["taken_for"]): c["images"] for c in got["confusion"]}
                    self.assertEqual(cells, {(t, p): n for (t, p), n in np.ndenumerate(confusion) if n})
                    self.assertEqual((got["predictions"]["compared"], got["predictions"]["differ"]), (count, 2))
                    self.assertEqual({d["image"]: d["there"] for d in got["predictions"]["images"]},
                                     {str(data / names[i]): there for i, there in changed.items()})

    def test_preprocess(self):
        """The tensor it writes is what the server computes of the file, and the picture what Pillow makes of it."""
        pixels = np.random.default_rng(4).integers(0, 256, (40, 50), np.uint8)
        file = self.folder / "noise.png"
        file.write_bytes(images.png(pixels))
        out = self.folder / "seen"
        run = self.server.ctl("preprocess", str(file), "--model", str(images.MODEL), "--out", str(out))
        self.assertEqual(run.returncode, 0, run.stderr)
        seen = np.load(f"{out}.npy")
        self.assertEqual((seen.dtype, seen.shape), (np.float32, (1, 1, 28, 28)))
        self.assertEqual(
            self.client.logits([images.f32(seen[0])], 10), self.client.logits([images.encoded(file.read_bytes())], 10)
        )
        resized = np.asarray(Picture.fromarray(pixels).resize((28, 28), Picture.BILINEAR))
        np.testing.assert_array_equal(np.asarray(Picture.open(f"{out}.png")), resized)

    def test_models(self):
        (model,) = self.run_json("models")
        self.assertEqual((model["name"], model["version"], model["state"]), ("fashion-resnet20", "1", "READY"))
        details = self.server.ctl("models", "fashion-resnet20")
        self.assertEqual(details.returncode, 0, details.stderr)
        for words in ("28 x 28 x 1", "Fashion-MNIST", self.ok("GetModel", pb.GetModelRequest()).weights_sha256):
            self.assertIn(words, details.stdout)

    def test_bench_counts_what_the_server_counts(self):
        # Long enough that calls fall into it even then.
        for loop in (["--concurrency", "4"], ["--rate", "50"]):
            with self.subTest(loop=loop):
                before = self.calls()
                result = self.run_json("bench", *loop, "--warmup", "0.2", "--duration", "5")
                self.assertGreater(result["achieved_images_per_second"], 0)
                self.assertEqual(set(result["calls"]), {"OK"})
                self.assertEqual(self.calls() - before, result["calls"]["OK"] + result["warmup_calls"].get("OK", 0))

    def calls(self) -> float:
        return Metrics(self.server.metrics_url).value("resnetd_requests_total", method="Classify", code="OK")

    def test_mistakes(self):
        for arguments, status, says in (
            (["classify", "--model", "nobody", str(self.pictures)], 1, "no model 'nobody'"),
            (["classify", "--top-k", "-1", str(self.pictures)], 1, "expected 1 to 10"),
            (["models", "nobody"], 1, "no model 'nobody'"),
            (["classify", str(self.folder / "missing.png")], 1, "missing.png"),
            (["classify"], 2, "images"),
            (["frobnicate"], 2, "no command 'frobnicate'"),
            (["clasify", str(self.pictures)], 2, "did you mean classify?"),
            (["classify", "--frobnicate", str(self.pictures)], 2, "--frobnicate"),
        ):
            with self.subTest(arguments=arguments):
                run = self.server.ctl(*arguments)
                self.assertEqual(run.returncode, status, run.stderr)
                self.assertIn(says, run.stderr + run.stdout)

    def test_no_server(self):
        (port,) = free_ports(1)
        run = subprocess.run(
            [sys.argv[2], "--server", f"127.0.0.1:{port}", "--timeout", "5", "models"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stderr, f"127.0.0.1:{port}: no server answers there: Connection refused (--server names another)\n")
        run = subprocess.run([sys.argv[2], "--server", f"[::1]:{port}", "embed", str(self.pictures)], capture_output=True, text=True, timeout=60)
        self.assertEqual((run.returncode, run.stdout, run.stderr.count("\n")), (1, "", 1), run.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
