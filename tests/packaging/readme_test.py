"""What the README tells a newcomer to type works as it stands there, and its table of options is the program's own.

    readme_test.py RESNETD RESNETCTL

Run by Debian's own Python, which has Debian's grpc. Commands are taken from the README's text; only the server's address
and the image's name are put in. Its client in Python is tried by clients_test.py too, in an environment of its own, beside those in other languages.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import urllib.request

import numpy as np
import two_classes
from documents import ADDRESS, PHOTO, ROOT, block_of_readme, readme
from running_server import RunningServer

sys.path.insert(0, str(ROOT / "tools"))
import fashion_mnist_png  # noqa: E402


def options_of_help(text: str) -> dict[str, str]:
    """Option -> its default, "" where there is none. CLI11 writes --port INT=8500 or --port INT [8500] by its version."""
    options = {}
    for name, head in re.findall(r"^\s+(?:-\w,\s*)?(--[\w-]+)(.*?)(?:\(Env|$)", text, re.MULTILINE):
        default = re.search(r"(?:=(\S+)| \[(\S+)\])(?:\s+\.\.\.)?\s*$", head)
        options[name] = (default[1] or default[2]) if default else ""
    return options


def options_of_readme(text: str) -> dict[str, str]:
    section = text.split("\n## Options\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(--[\w-]+)` \| ([^| ]*) ?\|", section, re.MULTILINE))


class Readme(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_options(self):
        run = subprocess.run([sys.argv[1], "--help"], check=True, capture_output=True, text=True)
        of_help = options_of_help(run.stdout)
        self.assertGreater(len(of_help), 15)
        for name in ("--help", "--version"):
            self.assertIn(name, of_help)
            del of_help[name]
        self.assertEqual(options_of_readme(readme()), of_help)

    def test_the_call(self):
        subprocess.run([ROOT / "tools/fashion_mnist_png.py", "--out", self.folder / "images", "--per-class", "1"], check=True)
        # The first test image is an ankle boot. What a file is called does not matter to the server.
        (self.folder / PHOTO).write_bytes((self.folder / "images/00000.png").read_bytes())
        with RunningServer(sys.argv[1], sys.argv[2], self.folder) as server:
            labels = self.by_grpcurl(server.address)
            self.assertEqual((labels[0], len(labels)), ("Ankle boot", 3))
            self.metrics_are_documented(server.metrics_url)

    def test_the_newcomers_path(self):
        """An ONNX file of one's own with its labels: the first label and the first vector, in every way that is told."""
        two_classes.write(self.folder / "pets.onnx")
        (self.folder / "pets.txt").write_text("\n".join(two_classes.LABELS))
        program, *options = block_of_readme("sh", "pets.txt").split()
        self.assertEqual(program, "resnetd")
        with unittest.mock.patch("os.environ", os.environ | {"PYTHONPATH": str(self.stubs())}):
            with RunningServer(sys.argv[1], sys.argv[2], self.folder, *options, cwd=self.folder) as server:
                for brightness, label in ((20, "dark"), (235, "bright")):
                    side = two_classes.SIDE
                    (self.folder / PHOTO).write_bytes(fashion_mnist_png.grey_png(side, side, bytes([brightness]) * side**2))
                    (self.folder / "first.npy").unlink(missing_ok=True)
                    first = self.commands(block_of_readme("sh", "first.npy"), server.address)
                    self.assertRegex(first, rf"{label}\b")
                    self.assertNotRegex(first, "dark.*bright|bright.*dark")
                    vector = np.load(self.folder / "first.npy")
                    self.assertEqual(vector.shape, (1, two_classes.FEATURES))
                    self.assertEqual(bool(vector.mean() > 0.5), label == "bright")
                    called = self.commands(block_of_readme("sh", "call.py").splitlines()[-1], server.address).splitlines()
                    self.assertRegex(called[0], rf"^ *\d+\.\d%  {label}$")
                    self.assertEqual(len(called), 3, "two classes, and the features")
                    self.assertRegex(called[2], rf"^{two_classes.FEATURES} features in ")
                    self.assertEqual(self.by_grpcurl(server.address)[0], label)
        self.assertIn("a server would serve it", self.commands("resnetctl check pets.onnx", ""))

    def commands(self, text: str, address: str) -> str:
        """What commands of the README print, with the programs on the path, that server and this Python."""
        bin_folder = self.folder / "bin"
        bin_folder.mkdir(exist_ok=True)
        server = f"--server {address}" if address else ""
        (bin_folder / "resnetctl").write_text(f'#!/bin/sh\nexec "{sys.argv[2]}" {server} "$@"\n')
        (bin_folder / "resnetctl").chmod(0o755)
        program = self.folder / "call.py"
        program.write_text(block_of_readme("python", "call.py").replace(ADDRESS, address))
        text = text.replace("PYTHONPATH=build/python build/client/bin/python", sys.executable)
        run = subprocess.run(["bash", "-euc", text], cwd=self.folder, capture_output=True, text=True, timeout=60,
                             env=os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}", "no_grpc_proxy": "127.0.0.1"})
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout

    def test_processors(self):
        """AVX2 will do, and less is refused with a clear error: oneDNN is told to see no more than that."""
        with unittest.mock.patch.dict(os.environ, ONEDNN_MAX_CPU_ISA="AVX2"):
            with RunningServer(sys.argv[1], sys.argv[2], self.folder):
                pass
        self.assertIn(" on avx2;", (self.folder / "resnetd.log").read_text())
        run = subprocess.run([sys.argv[1], "--port", "0", "--metrics-port", "0"], capture_output=True, text=True,
                             timeout=60, env=os.environ | {"ONEDNN_MAX_CPU_ISA": "SSE41"})
        self.assertEqual(run.returncode, 1)
        self.assertIn("this machine's instruction set is sse41; at least avx2 is needed", run.stderr)

    def stubs(self) -> pathlib.Path:
        stubs = self.folder / "stubs"
        if not stubs.exists():
            subprocess.run([ROOT / "tests/e2e/make_stubs.sh", stubs], check=True)
            sys.path.insert(0, str(stubs))
        return stubs

    def by_grpcurl(self, address: str) -> list[str]:
        """No distribution ships grpcurl: one that only notes what it is given takes its place, and what it noted is sent
        by Python, read from JSON by protobuf's own rules as grpcurl does. clients_test.py has the tool itself."""
        self.stubs()
        import grpc
        from google.protobuf import json_format
        from resnetd.v1 import inference_pb2, inference_pb2_grpc

        tool = self.folder / "grpcurl"
        tool.write_text('#!/bin/sh\necho "$@" > arguments\ncat > request.json\n')
        tool.chmod(0o755)
        subprocess.run(["bash", "-euc", block_of_readme("sh", "grpcurl")], cwd=self.folder, check=True, timeout=60,
                       env=os.environ | {"PATH": f"{self.folder}:{os.environ['PATH']}"})
        self.assertEqual((self.folder / "arguments").read_text().split(),
                         ["-plaintext", "-d", "@", ADDRESS, "resnetd.v1.InferenceService/Classify"])
        request = json_format.Parse((self.folder / "request.json").read_text(), inference_pb2.ClassifyRequest())
        self.assertEqual(request.images[0].encoded, (self.folder / PHOTO).read_bytes())
        with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            answer = inference_pb2_grpc.InferenceServiceStub(channel).Classify(request, timeout=30)
        return [c.label for c in answer.results[0].classes]

    def metrics_are_documented(self, url: str):
        """docs/operations.md names every family of ours, and none that is not there."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=10) as page:
            families = set(re.findall(r"^# TYPE (resnetd_\w+) ", page.read().decode(), re.MULTILINE))
        section = (ROOT / "docs/operations.md").read_text().split("\n## Metrics\n")[1].split("\n## ")[0]
        rows = "".join(line for line in section.splitlines() if line.startswith("|"))
        # Families without a child yet are not on the page.
        self.assertLessEqual(families, set(re.findall(r"`(resnetd_\w+)", rows)))
        self.assertLessEqual(set(re.findall(r"`(resnetd_\w+)", rows)), families)


class Parsing(unittest.TestCase):
    def test_both_styles_of_help(self):
        for text in ("  --sizes INT:INT in [1 - 256]=1,2 ... (Env:RESNETD_SIZES)\n  --model TEXT (Env:X) Excludes: --a\n  -h,--help  Print\n",
                     "  --sizes INT:INT in [1 - 256] [1,2]  ... (Env:X)\n  --model TEXT (Env:X)  Serve\n  -h,     --help   Print\n"):
            self.assertEqual(options_of_help(text), {"--sizes": "1,2", "--model": "", "--help": ""})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
