"""Models as caches and volumes lay them out, by links: which are served, what is said of the others, and to whom.

    links_test.py RESNETD RESNETCTL

How a file is opened is tests/unit/base/folder_test.cc's; here it is whether all files of a model are opened so.
"""

import ctypes
import errno
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

import images
import onnx
from client import Client, Error, pb
from onnx.external_data_helper import convert_model_to_external_data
from running_server import RunningServer

FILES = ("model.onnx", "model.onnx.data", "config.textproto", "labels.txt", "golden.textproto")
OUT = "expected a file below the models' root folder, got a path or a link that leads out of it"
OPENAT2 = "openat2() is missing here"


def without_openat2():
    """For a process that is about to begin: a seccomp filter that knows no openat2(), as old container runtimes have."""
    x86_64_openat2, allow, error = 437, 0x7FFF0000, 0x00050000
    lines = [(0x20, 0, 0, 0), (0x15, 0, 1, x86_64_openat2), (0x06, 0, 0, error | errno.ENOSYS), (0x06, 0, 0, allow)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(lines), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    if prctl(no_new_privileges, 1, 0, 0, 0) or prctl(set_seccomp, filter_mode, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


class Links(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.parts = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        model = onnx.load(images.MODEL / "model.onnx")
        convert_model_to_external_data(model, location="model.onnx.data", size_threshold=0)
        onnx.save(model, str(cls.parts / "model.onnx"))
        for file in FILES[2:]:
            shutil.copy(images.MODEL / file, cls.parts)

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def link(self, name: str, target: str | pathlib.Path):
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).symlink_to(target)

    def links(self, folder: str, target: str):
        """A folder of links, one a file; "FILE" in the target stands for its name."""
        for file in FILES:
            self.link(f"{folder}/{file}", target.replace("FILE", file))

    def copy(self, folder: str) -> pathlib.Path:
        return pathlib.Path(shutil.copytree(self.parts, self.folder / folder, dirs_exist_ok=True))

    def serving(self, *options, **process):
        return self.enterContext(RunningServer(sys.argv[1], sys.argv[2], self.folder, *map(str, options), **process))

    def answers(self, server: RunningServer) -> dict[str, str]:
        """Model -> its first label for the first test image, an ankle boot, or its error."""
        answers = {}
        image = images.encoded(images.png(images.fashion()[0]))
        with Client(server.address) as client:
            for model in client.call("ListModels", pb.ListModelsRequest()).models:
                answer = client.call("Classify", pb.ClassifyRequest(model=model.name, images=[image]))
                if isinstance(answer, Error):
                    self.assertNotIn(str(self.folder), answer.message)
                    answers[model.name] = answer.message
                else:
                    answers[model.name] = answer.results[0].classes[0].label
        return answers

    def check(self, *arguments) -> str:
        run = subprocess.run([sys.argv[2], "check", *map(str, arguments)], capture_output=True, text=True, timeout=60)
        return "served" if run.returncode == 0 else run.stderr

    def test_links_below_the_folder_of_models(self):
        """A cache of blobs, absolute links, a folder as a release, a ConfigMap's ..data, hard links."""
        models = self.folder / "real/models"
        self.copy("real/models/.blobs")
        self.links("real/models/relative/1", "../../.blobs/FILE")
        self.links("real/models/absolute/1", str(models / ".blobs/FILE"))
        self.links("real/models/chain/1", "../../absolute/1/FILE")
        self.copy("real/models/.releases/2026-11")
        self.link("real/models/release/7", "../.releases/2026-11")
        self.link("real/models/whole", ".releases")
        self.link("real/models/.releases/3", "2026-11")
        self.copy("real/models/map/1/..2026_11_30")
        self.link("real/models/map/1/..data", "..2026_11_30")
        self.links("real/models/map/1", "..data/FILE")
        (models / "hard/1").mkdir(parents=True)
        for file in FILES:
            os.link(models / ".blobs" / file, models / "hard/1" / file)
        self.link("models", models)
        served = dict.fromkeys(("absolute", "chain", "hard", "map", "relative", "release", "whole"), "Ankle boot")
        self.assertEqual(self.answers(self.serving("--models", self.folder / "models", "--batch-sizes", 1)), served)

    def test_a_snapshot_of_the_hub(self):
        entry = "hub/models--me--net"
        blobs = self.copy(f"{entry}/blobs")
        for i, file in enumerate(FILES):
            (blobs / file).rename(blobs / f"{i:040}")
            self.link(f"{entry}/snapshots/rev/{file}", f"../../blobs/{i:040}")
        snapshot = self.folder / entry / "snapshots/rev"
        self.assertEqual(self.check(snapshot), "served")
        self.assertEqual(self.check(snapshot / "model.onnx"), "served")
        self.assertIn(OUT, self.check(snapshot, "--model-root", snapshot))
        for option, path in (("--model", snapshot / "model.onnx"), ("--models", snapshot)):
            self.assertEqual(self.answers(self.serving(option, path)), {"rev": "Ankle boot"})

    def test_a_modelcar(self):
        """KServe: /mnt/models is a link to another container's file system."""
        self.copy("car/models")
        self.link("mnt", f"/proc/{os.getpid()}/root{self.folder}/car/models")
        self.assertEqual(self.answers(self.serving("--models", self.folder / "mnt")), {"mnt": "Ankle boot"})

    def test_a_wider_root(self):
        self.copy("store/blobs")
        self.links("store/net/1", "../../blobs/FILE")
        net = self.folder / "store/net/1"
        for path in (net, net / "model.onnx", self.folder / "store/net"):
            said = self.check(path)
            self.assertIn(f"'model.onnx': {OUT}; --model-root names a wider one", said)
            self.assertIn(str(net / "model.onnx"), said)
            self.assertEqual(self.check(path, "--model-root", self.folder / "store"), "served")
        self.assertEqual(self.answers(self.serving("--model", net / "model.onnx", "--model-root", self.folder / "store")),
                         {"net": "Ankle boot"})
        run = subprocess.run([sys.argv[1], "--model-root", "/"], capture_output=True, text=True, timeout=60)
        self.assertEqual((run.returncode, run.stderr.splitlines()[0]),
                         (2, "--model-root: expected with --model or --models"))

    def test_what_leads_out_is_refused_and_told_without_paths(self):
        """Each file of a model in turn is a link to what nobody is to read."""
        secret = self.folder / "secret"
        secret.write_text("secret\n" * 10)
        self.copy("models/good/1")
        for file in FILES:
            for kind, target in (("out", "../../../secret"), ("etc", "/etc/passwd"), ("zero", "/dev/zero")):
                version = self.copy(f"models/{kind}-{file}/1")
                (version / file).unlink()
                (version / file).symlink_to(target)
            version = self.copy(f"models/pipe-{file}/1")
            (version / file).unlink()
            os.mkfifo(version / file)
        server = self.serving("--models", self.folder / "models", "--keep-going", "--batch-sizes", 1)
        answers = self.answers(server)
        self.assertEqual(answers.pop("good"), "Ankle boot")
        self.assertEqual(len(answers), 4 * len(FILES))
        for name, said in answers.items():
            kind, file = name.split("-")
            self.assertIn(f"'{file}': " + (OUT if kind != "pipe" else "expected a regular file, got a pipe"), said)
            self.assertNotIn("secret", said)
        log = server.log.read_text()
        for name in answers:
            self.assertIn(f"({self.folder}/models/{name}/1/model.onnx): ", log)

    def test_a_projection_takes_weights_along(self):
        """From below the model's folder, by their paths; from elsewhere they have no place in the copy."""
        (self.folder / "images").mkdir()
        for i, pixels in enumerate(images.fashion()[:8]):
            (self.folder / f"images/{i}.png").write_bytes(images.png(pixels))
        for location, status in (("parts/weights", 0), ("../weights", 1)):
            folder = self.copy(f"model{status}")
            (folder / "model.onnx.data").rename(self.made(folder / location))
            model = onnx.load(str(folder / "model.onnx"), load_external_data=False)
            for tensor in model.graph.initializer:
                for entry in tensor.external_data:
                    entry.value = location if entry.key == "location" else entry.value
            (folder / "model.onnx").write_bytes(model.SerializeToString())
            (folder / "golden.textproto").unlink()
            run = subprocess.run([sys.argv[2], "project", "--pca", "2", "--model", folder, "--out", self.folder / f"out{status}",
                                  "--model-root", self.folder, self.folder / "images"],
                                 capture_output=True, text=True, timeout=60)
            self.assertEqual(run.returncode, status, run.stderr)
            self.assertEqual((self.folder / f"out{status}/{location}").exists(), status == 0)
        self.assertIn("external data '../weights': expected it in the model's folder or below", run.stderr)

    @staticmethod
    def made(path: pathlib.Path) -> pathlib.Path:
        """The same, with the folder above it made."""
        path.parent.mkdir(exist_ok=True)
        return path

    def test_without_openat2_links_are_refused_and_files_served(self):
        self.copy("models/files/1")
        for file in FILES:
            version = self.copy(f"models/link-{file}/1")
            (version / file).rename(version / "other")
            (version / file).symlink_to("other")
        self.copy("models/.store/1")
        self.link("models/folder", ".store")
        self.link("link", "models")
        with self.subTest("a filter"):
            server = self.serving("--models", self.folder / "link", "--keep-going", "--batch-sizes", 1,
                                  preexec_fn=without_openat2)
            answers = self.answers(server)
            self.assertEqual(answers.pop("files"), "Ankle boot")
            self.assertEqual(len(answers), len(FILES) + 1)
            for name, said in answers.items():
                self.assertIn(OPENAT2, said, name)
        run = subprocess.run([sys.argv[2], "check", self.folder / "models/link-model.onnx/1"], capture_output=True,
                             text=True, timeout=60, preexec_fn=without_openat2)
        self.assertEqual(run.returncode, 1)
        self.assertIn(OPENAT2, run.stderr)
        self.assertEqual(self.check(self.folder / "models/link-model.onnx/1"), "served")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
