"""resnetctl on many images and a server that refuses, goes away or stays away: nothing is lost, or nothing is written.

bulk_test.py RESNETD RESNETCTL
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import images
import numpy as np
from client import Metrics
from running_server import RunningServer

COUNT = 60
SIDE = 64
# A queue of less than the four calls of eight images that the tools keep under way at their defaults.
SMALL_QUEUE = ["--workers", "1", "--batch-sizes", "1", "--max-queue-ms", "20"]


class BulkTest(unittest.TestCase):
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
        self.assertIn("UNAVAILABLE", run.stderr)
        self.assertFalse(npy.exists())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
