"""resnetctl on many images and a server that refuses, goes away or stays away: nothing is lost, or nothing is written.

bulk_test.py RESNETD RESNETCTL Refusals|Interruptions|BesideLoad

The last is a ResNet-34 that is offered one and a half times what it can do, for minutes.
"""

import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import images
import numpy as np
from client import Metrics, wait_until
from running_server import RunningServer

COUNT, MANY = 60, 16
IMAGES_UNDER_WAY = 4 * 8  # resnetctl's defaults
SIDE = 64
# A queue of less than the four calls of eight images that the tools keep under way at their defaults.
SMALL_QUEUE = ["--workers", "1", "--batch-sizes", "1", "--max-queue-ms", "20"]


class BulkCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.model = images.make_resnet(cls.folder / "slow.onnx", "--arch", "resnet18", "--size", str(SIDE))
        cls.pictures = cls.folder / "pictures"
        cls.pictures.mkdir()
        pixels = np.random.RandomState(2).randint(0, 256, (COUNT, SIDE, SIDE), np.uint8)
        for i, picture in enumerate(pixels):
            (cls.pictures / f"{i:03}.png").write_bytes(images.png(picture))

    def server(self, name: str, *options: str) -> RunningServer:
        scratch = self.folder / name
        scratch.mkdir()
        return RunningServer(sys.argv[1], sys.argv[2], scratch, "--model", str(self.model), *options)

    def start(self, server: RunningServer, *arguments: str) -> subprocess.Popen:
        """A command under way, which has had an answer: the server has computed more than it asks for at once."""
        command = [sys.argv[2], "--server", server.address, *arguments]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(run.kill)
        wait_until(lambda: Metrics(server.metrics_url).value("resnetd_images_total", result="ok") > IMAGES_UNDER_WAY, "first answers")
        return run

    def finish(self, run: subprocess.Popen) -> tuple[int, str, str]:
        out, err = run.communicate(timeout=120)
        return run.returncode, out, err

    def stop(self, server: RunningServer, how: signal.Signals):
        server.process.send_signal(how)
        server.process.wait()

    def many(self) -> list[str]:
        """More images than are answered before a test has looked."""
        return [str(self.pictures)] * MANY


class Refusals(BulkCase):
    def test_a_full_queue_is_waited_for(self):
        npy = self.folder / "rows.npy"
        with self.server("full", *SMALL_QUEUE) as server:
            run = server.ctl("embed", "--npy", str(npy), str(self.pictures))
            self.assertEqual(run.returncode, 0, run.stderr)
            metrics = Metrics(server.metrics_url)
            self.assertGreater(metrics.value("resnetd_rejections_total", reason="queue_time"), 0)
            self.assertEqual(metrics.value("resnetd_images_total", result="ok"), COUNT)
            run = server.ctl("--json", "classify", str(self.pictures))
            self.assertEqual(run.returncode, 0, run.stderr)
        rows = np.load(npy)
        self.assertEqual(rows.shape[0], COUNT)
        self.assertTrue(np.isfinite(rows).all())
        self.assertEqual(len({row.tobytes() for row in rows}), COUNT)

    def test_small_limits_need_not_be_known(self):
        """Each image fits, and the requests of eight do not."""
        size = max(file.stat().st_size for file in self.pictures.iterdir())
        for limit in (["--max-images-per-request", "3"], ["--max-message-bytes", str(2 * size)],
                      ["--max-queue-bytes", str(2 * size), "--workers", "1"]):
            with self.subTest(limit=limit), self.server(f"limit{limit[0]}", *limit) as server:
                npy = self.folder / f"limit{limit[0]}.npy"
                run = server.ctl("embed", "--npy", str(npy), str(self.pictures))
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                self.assertTrue(np.isfinite(np.load(npy)).all())

    def test_an_image_that_never_fits_fails_as_a_bad_one_does(self):
        """Alone, and the others are answered: of two sizes the larger is more than all that may wait."""
        folder = self.folder / "sizes"
        folder.mkdir()
        size = max(file.stat().st_size for file in self.pictures.iterdir())
        for file in sorted(self.pictures.iterdir())[:10]:
            shutil.copy(file, folder)
        (folder / "005.png").write_bytes(images.png(np.random.RandomState(4).randint(0, 256, (2 * SIDE, 2 * SIDE), np.uint8)))
        truth = self.folder / "sizes.txt"
        truth.write_text("".join(f"sizes/{i:03}.png 0\n" for i in range(10)))
        npy = self.folder / "never.npy"
        with self.server("never", "--max-queue-bytes", str(2 * size)) as server:
            for together in ("1", "8"):
                run = server.ctl("embed", "--images-per-request", together, "--npy", str(npy), str(folder))
                self.assertEqual(run.returncode, 1)
                self.assertIn("005.png: RESOURCE_EXHAUSTED: ", run.stderr)
                self.assertIn(f"{2 * size} bytes (--max-queue-bytes)", run.stderr)
                self.assertEqual(np.flatnonzero(np.isnan(np.load(npy)).any(1)).tolist(), [5])
            run = server.ctl("--json", "classify", str(folder))
            self.assertEqual(run.returncode, 1)
            self.assertEqual([i for i, row in enumerate(json.loads(run.stdout)) if "error" in row], [5])
            run = server.ctl("--json", "evaluate", "--data", str(truth))
            self.assertEqual(run.returncode, 1)
            self.assertEqual(json.loads(run.stdout)["images"], 9)
            metrics = Metrics(server.metrics_url)
            self.assertGreater(metrics.value("resnetd_rejections_total", reason="request_size"), 0)

    def test_two_classes_are_all_there_are(self):
        model = images.make_resnet(self.folder / "two.onnx", "--arch", "cifar20", "--shortcut", "B", "--classes", "2")
        scratch = self.folder / "two"
        scratch.mkdir()
        truth = self.folder / "truth.txt"
        truth.write_text("pictures/000.png 0\npictures/001.png 1\n")
        with RunningServer(*sys.argv[1:3], scratch, "--model", str(model)) as server:
            for options in ([], ["--top-k", "10"], ["--top-k", "0"]):
                run = server.ctl("--json", "classify", *options, str(self.pictures / "000.png"))
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertEqual(len(json.loads(run.stdout)[0]["classes"]), 2, options)
            run = server.ctl("classify", "--top-k", "10", str(self.pictures / "000.png"))
            self.assertIn("top 2", run.stdout)
            self.assertNotIn("top 3", run.stdout)
            for where in ([], [str(model), "--local"]):
                run = server.ctl("--json", "evaluate", *where, "--data", str(truth))
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertEqual(json.loads(run.stdout)["top5"]["right"], 2)

    def test_a_deadline_ends_the_waiting(self):
        npy = self.folder / "late.npy"
        with self.server("late", *SMALL_QUEUE) as server:
            run = server.ctl("embed", "--deadline", "0.05", "--npy", str(npy), str(self.pictures))
        self.assertEqual(run.returncode, 1)
        self.assertIn("not written", run.stderr)
        self.assertFalse(npy.exists())

    def test_only_bad_images_are_nan(self):
        npy, bad = self.folder / "bad.npy", self.folder / "bad.png"
        bad.write_bytes(b"no image")
        with self.server("bad") as server:
            run = server.ctl("embed", "--npy", str(npy), str(self.pictures / "000.png"), str(bad),
                             str(self.folder / "missing.png"), str(self.pictures / "001.png"))
        self.assertEqual(run.returncode, 1)
        self.assertEqual([bool(np.isnan(row).all()) for row in np.load(npy)], [False, True, True, False])

    def test_a_server_that_stays_away(self):
        npy = self.folder / "away.npy"
        with self.server("away") as server:
            address = server.address
        run = subprocess.run([sys.argv[2], "--server", address, "embed", "--npy", str(npy), str(self.pictures)],
                             capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 1)
        self.assertIn("no server answers there", run.stderr)
        self.assertFalse(npy.exists())


class Interruptions(BulkCase):
    def test_a_restart_loses_nothing(self):
        for how in (signal.SIGKILL, signal.SIGTERM):
            with self.subTest(how=how), self.server(f"restart{how}", "--workers", "1") as server:
                npy = self.folder / f"restart{how}.npy"
                run = self.start(server, "embed", "--npy", str(npy), *self.many())
                self.stop(server, how)
                self.assertIsNone(run.poll(), "ended before the server did")
                server.__enter__()
                status, _, err = self.finish(run)
                self.assertEqual((status, err), (0, ""))
                rows = np.load(npy)
                self.assertEqual(len(rows), MANY * COUNT)
                # The rows keep their order, whatever was sent again: every folder's rows are the first one's, but for
                # rounding.
                for i in range(1, MANY):
                    np.testing.assert_allclose(rows[i * COUNT : (i + 1) * COUNT], rows[:COUNT], rtol=1e-3, atol=1e-4)

    def test_another_model_in_its_place_is_an_error(self):
        """Of the same name and version: only the weights tell."""
        served = self.folder / "replaced.onnx"
        for command in ("embed", "classify"):
            with self.subTest(command=command):
                shutil.copy(self.model, served)
                scratch = self.folder / f"replaced-{command}"
                scratch.mkdir()
                npy = scratch / "rows.npy"
                output = ["--npy", str(npy)] if command == "embed" else []
                with RunningServer(*sys.argv[1:3], scratch, "--model", str(served), "--workers", "1") as server:
                    run = self.start(server, command, *output, *self.many())
                    self.stop(server, signal.SIGKILL)
                    images.make_resnet(served, "--arch", "resnet18", "--size", str(SIDE), "--seed", "5")
                    server.__enter__()
                    status, out, err = self.finish(run)
                self.assertEqual((status, out if command == "classify" else ""), (1, ""))
                self.assertIn("the model changed while it was asked", err)
                self.assertFalse(npy.exists())

    def test_a_server_that_goes_away_or_falls_silent(self):
        for how in (signal.SIGKILL, signal.SIGSTOP):
            with self.subTest(how=how), self.server(f"gone{how}", "--workers", "1") as server:
                npy = self.folder / f"gone{how}.npy"
                run = self.start(server, "--timeout", "1", "embed", "--patience", "1", "--npy", str(npy), *self.many())
                server.process.send_signal(how)
                status, _, err = self.finish(run)
                if how == signal.SIGKILL:
                    server.process.wait()
                    server.__enter__()
                server.process.send_signal(signal.SIGCONT)
                self.assertEqual(status, 1)
                self.assertIn("nothing was answered for 1 s (--patience)", err)
                self.assertIn("not written", err)
                self.assertEqual(list(self.folder.glob("gone*.npy*")), [])


class BesideLoad(unittest.TestCase):
    IMAGES = 1000

    def test_all_rows_at_one_and_a_half_times_the_capacity(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        model = images.make_resnet(folder / "resnet34.onnx", "--arch", "resnet34")
        (folder / "photos").mkdir()
        random = np.random.RandomState(3)
        for i in range(100):
            pixels = np.kron(random.randint(0, 256, (8, 10, 3), np.uint8), np.ones((40, 40, 1), np.uint8))
            (folder / "photos" / f"{i:02}.jpg").write_bytes(images.jpeg(pixels))
        server = self.enterContext(RunningServer(*sys.argv[1:3], folder, "--model", str(model), "--workers", "2"))
        bench = server.ctl("--json", "bench", "--concurrency", "32", "--warmup", "2", "--duration", "15")
        capacity = json.loads(bench.stdout)["achieved_images_per_second"]
        load = subprocess.Popen([sys.argv[2], "--server", server.address, "--timeout", "86400", "bench", "--rate",
                                 str(1.5 * capacity), "--duration", "3600"], stdout=subprocess.DEVNULL)
        self.addCleanup(load.wait)
        self.addCleanup(load.kill)

        def refused(method: str) -> float:
            return Metrics(server.metrics_url).value("resnetd_requests_total", method=method, code="RESOURCE_EXHAUSTED")

        wait_until(lambda: refused("Classify") > 0, "the load is more than the server can do")
        npy = folder / "rows.npy"
        run = subprocess.run([sys.argv[2], "--server", server.address, "embed", "--npy", str(npy),
                              *[str(folder / "photos")] * (self.IMAGES // 100)], capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIsNone(load.poll())
        self.assertGreater(refused("Embed"), 0)
        rows = np.load(npy)
        self.assertEqual((len(rows), int(np.isnan(rows).sum())), (self.IMAGES, 0))
        load.kill()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], defaultTest=sys.argv[3])
