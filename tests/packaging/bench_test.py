#!/usr/bin/env python3
"""The benchmarks work: each script runs for moments on a small network. How fast anything is, is not looked at.

    tests/packaging/bench_test.py BUILD BenchTest
    tests/packaging/bench_test.py BUILD TorchBenchTest      what needs build/models-venv
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import engine_vs_onnxruntime  # noqa: E402

MODEL = ROOT / "models/fashion-resnet20/1/model.onnx"

# script, its options, the first cells of the rows it prints
SCRIPTS = [
    ("engine_vs_onnxruntime.py", ["--models", "cifar20", "--rounds", "1", "--seconds", "0.01", "--batch", "1,2",
                                  "--svg", "{folder}/ratios.svg"], ["cifar20"] * 4),
    ("server_vs_engine.py", ["--model", "default", "--rounds", "1", "--seconds", "1", "--warmup", "0.1"],
     ["bare engine", "server, closed loop, 32 clients", "server, open loop, 1.2 of that rate offered"]),
    ("server_vs_engine.py", ["--model", "default", "--photos", "{folder}/photos", "--rounds", "1", "--seconds", "1",
                             "--warmup", "0.1"],
     ["decoding, then bare engine", "server, closed loop, 32 clients", "server, open loop, 1.2 of that rate offered"]),
    ("batching.py", ["--rounds", "1", "--seconds", "1", "--warmup", "0.1"], ["1,2,4,8", "1"]),
    ("latency_over_load.py", ["--seconds", "1", "--warmup", "0.1", "--loads", "0.5", "--svg", "{folder}/latency.svg"], ["0.5"]),
    ("overload/overload.py", ["--seconds", "0.5", "--warmup", "0.1", "--loads", "0.5,2", "--deadlines", "0.05", "--svg",
                              "{folder}/overload.svg"], ["50"] * 4),
    ("predictions.py", ["--seconds", "1", "--warmup", "0.1", "--loads", "0.5"], ["0.5"]),
    ("start.py", ["--model", "default", "--rounds", "1", "--threads", "1", "--report-only"], ["1"]),
    ("scrape.py", ["--models", "2", "--rounds", "1", "--scrapes", "2", "--report-only"], ["1", "2"]),
    # A server that has answered few calls still grows by more than the bar allows.
    ("memory.py", ["--model", "default", "--seconds", "1", "--calls", "10", "--report-only"], ["loaded", "0"]),
]  # fmt: skip
TORCH_SCRIPTS = [
    ("images_vs_torchvision.py", ["--photos", "{folder}/photos", "--rounds", "1", "--report-only"],
     ["as they are", "enlarged", "enlarged, DCT scaling", "resize alone, whole", "resize alone, of the crop",
      "resize alone, whole, enlarged"]),
    ("dct_scaling.py", ["--photos", "{folder}/photos"], ["input, PSNR, dB", "pooled features, cosine"]),
]  # fmt: skip


class Benches(unittest.TestCase):
    build = None

    def run_program(self, *command: object, stdin: str = "") -> subprocess.CompletedProcess:
        return subprocess.run([str(part) for part in command], input=stdin, capture_output=True, text=True, timeout=300)

    def run_scripts(self, scripts):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "photos").mkdir()
        for name in ("420.jpg", "progressive.jpg"):
            shutil.copy(ROOT / "tests/golden/data/image" / name, folder / "photos")
        for script, options, first_cells in scripts:
            with self.subTest(script):
                options = [option.format(folder=folder) for option in options]
                done = self.run_program(ROOT / "bench" / script, "--build", self.build, *options)
                self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
                rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("|")]
                cells = [row[0].strip() for row in rows]
                for cell in first_cells:
                    self.assertIn(cell, cells, done.stdout)
                    cells.remove(cell)
                for picture in [option for option in options if option.endswith(".svg")]:
                    self.assertIn("</svg>", pathlib.Path(picture).read_text())


class TorchBenchTest(Benches):
    def test_scripts(self):
        self.run_scripts(TORCH_SCRIPTS)


class BenchTest(Benches):
    def test_scripts(self):
        self.run_scripts(SCRIPTS)

    def test_driven_engine(self):
        bench = self.build / "bench/engine/engine_bench"
        done = self.run_program(bench, "--model", MODEL, "--batch", "1,2", "--seconds", "0.01", "--driven", stdin="2\n1\n2\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        about, *rounds = map(json.loads, done.stdout.splitlines())
        self.assertEqual(about["multiply_adds"], 30821248)
        self.assertEqual([r["batch"] for r in rounds], [2, 1, 2])
        for r in rounds:
            self.assertGreater(r["images_per_second"], 0)
            self.assertGreaterEqual(r["seconds"], 0.01)

    def test_peak(self):
        done = self.run_program(self.build / "bench/engine/fma_peak", "--seconds", "0.01", "--driven", stdin="\n\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        about, *rounds = map(json.loads, done.stdout.splitlines())
        self.assertEqual(about["threads"], 1)
        self.assertEqual([r["gflops"] > 0 for r in rounds], [True, True])

    def test_images(self):
        bench = self.build / "bench/image/image_bench"
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(ROOT / "tests/golden/data/image/420.jpg", folder)
            done = self.run_program(bench, "--folder", folder, stdin="files\nresize\ncrop\n")
            wrong = self.run_program(bench, "--folder", folder, stdin="decode\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        about, *rounds = map(json.loads, done.stdout.splitlines())
        self.assertEqual([about["photos"], about["pixels"]], [1, 45 * 37])
        self.assertEqual([r["step"] for r in rounds], ["files", "resize", "crop"])
        for r in rounds:
            self.assertGreater(r["images_per_second"], 0)
        self.assertNotEqual(wrong.returncode, 0)
        self.assertIn("expected files, resize, crop or turn, got decode", wrong.stderr)

    def test_mistakes(self):
        bench = self.build / "bench/engine/engine_bench"
        # options, standard input, what the message says
        cases = [
            (["--model", "nowhere.onnx"], "", "nowhere.onnx: cannot be read"),
            (["--model", __file__], "", "engine_bench: "),
            (["--model", MODEL, "--input", __file__], "", "expected a multiple of 3136 bytes"),
            (["--model", MODEL, "--batch", "2,1"], "", "batch_sizes must ascend"),
            (["--model", MODEL, "--batch", "1,2", "--driven"], "3\n", "a run takes 1 to 2 images, not 3"),
        ]
        for options, stdin, message in cases:
            with self.subTest(options):
                done = self.run_program(bench, *options, stdin=stdin)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(message, done.stderr)

    def test_answers_that_differ_end_the_comparison(self):
        description = lambda logits: {"logits": {"1": [logits]}}
        near, far = description([1.0, -2.00019]), description([1.0, -2.0003])
        self.assertLess(engine_vs_onnxruntime.check_answers(near, description([1.0, -2.0])), 1e-4)
        with self.assertRaises(SystemExit):
            engine_vs_onnxruntime.check_answers(far, description([1.0, -2.0]))
        with self.assertRaises(SystemExit):
            engine_vs_onnxruntime.check_answers(description([1.0, float("nan")]), description([1.0, -2.0]))


if __name__ == "__main__":
    Benches.build = pathlib.Path(sys.argv.pop(1))
    unittest.main()
