"""The small tools of the scripts: PNG files are read back pixel by pixel, quantiles compared with ones worked by hand. And
what they require."""

import gzip
import math
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools/fashion_mnist_png.py"
sys.path.insert(0, str(ROOT / "tools"))
import histogram_quantiles  # noqa: E402


def idx(dims: list[int], content: bytes) -> bytes:
    return gzip.compress(struct.pack(f">HBB{len(dims)}I", 0, 8, len(dims), *dims) + content)


def read_grey_png(data: bytes) -> tuple[int, int, bytes]:
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, []
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        (crc,) = struct.unpack_from(">I", data, at + 8 + size)
        assert crc == zlib.crc32(kind + body), kind
        chunks.append((kind, body))
        at += 12 + size
    assert [kind for kind, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (depth, colour, rest) == (8, 0, [0, 0, 0])
    rows = zlib.decompress(chunks[1][1])
    assert len(rows) == height * (width + 1)
    lines = [rows[y * (width + 1) : (y + 1) * (width + 1)] for y in range(height)]
    assert all(line[0] == 0 for line in lines)
    return width, height, b"".join(line[1:] for line in lines)


class FashionMnistPng(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        # Four images of 3 rows and 5 columns, so that width and height cannot be mistaken for each other.
        self.images = [bytes((17 * i + 31 * j) % 256 for j in range(15)) for i in range(4)]
        self.write([4, 3, 5], b"".join(self.images), bytes([7, 2, 7, 7]))

    def write(self, dims: list[int], pixels: bytes, labels: bytes):
        (self.folder / "t10k-images-idx3-ubyte.gz").write_bytes(idx(dims, pixels))
        (self.folder / "t10k-labels-idx1-ubyte.gz").write_bytes(idx([len(labels)], labels))

    def run_tool(self, *options: str) -> subprocess.CompletedProcess:
        command = [sys.executable, TOOL, "--data", self.folder, "--out", self.folder / "out", *options]
        return subprocess.run(command, capture_output=True, text=True)

    def test_all_images(self):
        self.assertEqual(self.run_tool().returncode, 0)
        for i, pixels in enumerate(self.images):
            self.assertEqual(read_grey_png((self.folder / f"out/0000{i}.png").read_bytes()), (5, 3, pixels))
        truth = (self.folder / "out/truth.tsv").read_text()
        self.assertEqual(truth, "00000.png\t7\n00001.png\t2\n00002.png\t7\n00003.png\t7\n")

    def test_some_of_each_class_with_labels(self):
        (self.folder / "labels.txt").write_text("".join(f"kind {i}\n" for i in range(10)))
        run = self.run_tool("--per-class", "2", "--labels", str(self.folder / "labels.txt"))
        self.assertEqual(run.returncode, 0, run.stderr)
        truth = (self.folder / "out/truth.tsv").read_text()
        self.assertEqual(truth, "00000.png\tkind 7\n00001.png\tkind 2\n00002.png\tkind 7\n")
        self.assertEqual(len(list((self.folder / "out").glob("*.png"))), 3)

    def test_a_short_file_is_refused(self):
        self.write([4, 3, 5], b"".join(self.images)[:-1], bytes([7, 2, 7, 7]))
        run = self.run_tool()
        self.assertEqual(run.returncode, 1)
        self.assertIn("59 bytes, not the 60 of shape [4, 3, 5]", run.stderr)

    def test_labels_must_be_as_many_as_images(self):
        self.write([4, 3, 5], b"".join(self.images), bytes([7, 2, 7]))
        run = self.run_tool()
        self.assertEqual(run.returncode, 1)
        self.assertIn("4 images but 3 labels", run.stderr)


class Requirements(unittest.TestCase):
    def test_a_package_has_one_version_in_all_files(self):
        files = [path for folder in ("bench", "tests", "tools") for path in (ROOT / folder).rglob("requirements*.txt")]
        versions = {}
        for line in "".join(path.read_text() for path in files).splitlines():
            if line and not line.startswith("#"):
                package, version = line.split("==")
                versions.setdefault(package.lower(), set()).add(version)
        self.assertGreater(len(files), 3)
        self.assertEqual({package: found for package, found in versions.items() if len(found) > 1}, {})


class HistogramQuantiles(unittest.TestCase):
    PAGE = """# HELP took_seconds Time.
# TYPE took_seconds histogram
took_seconds_count{stage="infer",model="a"} 6
took_seconds_sum{stage="infer",model="a"} 1.5
took_seconds_bucket{stage="infer",model="a",le="0.1"} 2
took_seconds_bucket{stage="infer",model="a",le="0.2"} 4
took_seconds_bucket{stage="infer",model="a",le="+Inf"} 6
took_seconds_count{stage="infer",model="b"} 4
took_seconds_sum{stage="infer",model="b"} 0.5
took_seconds_bucket{stage="infer",model="b",le="0.1"} 0
took_seconds_bucket{stage="infer",model="b",le="0.2"} 4
took_seconds_bucket{stage="infer",model="b",le="+Inf"} 4
took_seconds_count{stage="queue",model="a"} 0
took_seconds_sum{stage="queue",model="a"} 0
took_seconds_bucket{stage="queue",model="a",le="0.1"} 0
took_seconds_bucket{stage="queue",model="a",le="0.2"} 0
took_seconds_bucket{stage="queue",model="a",le="+Inf"} 0
took_seconds_total_count{stage="infer"} 99
other_seconds_count{stage="infer"} 99
"""

    def test_sums_over_the_other_labels(self):
        rows = histogram_quantiles.read_histogram(self.PAGE, "took_seconds", "stage")
        self.assertEqual(rows["infer"], {"buckets": {0.1: 2, 0.2: 8, math.inf: 10}, "sum": 2.0, "count": 10})

    def test_quantiles(self):
        buckets = {0.1: 2, 0.2: 8, math.inf: 10}
        # By hand: the rank is q * 10; 2 lie within 0..0.1, 6 within 0.1..0.2.
        for q, expected in [(0.1, 0.05), (0.2, 0.1), (0.5, 0.15), (0.8, 0.2), (0.99, 0.2)]:
            self.assertAlmostEqual(histogram_quantiles.quantile(buckets, q), expected, msg=f"q = {q}")

    def test_no_observations(self):
        self.assertTrue(math.isnan(histogram_quantiles.quantile({0.1: 0, math.inf: 0}, 0.5)))


if __name__ == "__main__":
    unittest.main()
