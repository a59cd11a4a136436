#!/usr/bin/env python3
"""Writes test images of Fashion-MNIST as PNG files, and beside them truth.tsv with their true labels.

    tools/fashion_mnist_png.py --out FOLDER                  all 10,000
    tools/fashion_mnist_png.py --out FOLDER --per-class 2    the first two of each of the ten classes

A file is called after the image's index among the test images: 00042.png. A line of truth.tsv is file name, tab, label,
which is what `resnetctl classify --expect` reads. The data is Debian's package dataset-fashion-mnist; nothing beyond Python's own library is needed.
"""

import argparse
import gzip
import pathlib
import struct
import sys
import zlib

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
# Mean and standard deviation of the 60,000 training images scaled to [0, 1].
MEAN, STD = 0.2860, 0.3530


def read_idx(path: pathlib.Path) -> tuple[list[int], bytes]:
    """Reads a gzipped IDX file of unsigned bytes (MNIST's format): its dimensions and its content."""
    data = gzip.decompress(path.read_bytes())
    zeros, dtype, rank = struct.unpack(">HBB", data[:4])
    if zeros != 0 or dtype != 8:
        raise SystemExit(f"{path}: not an IDX file of unsigned bytes")
    dims = list(struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank]))
    content = data[4 + 4 * rank :]
    size = 1
    for dim in dims:
        size *= dim
    if len(content) != size:
        raise SystemExit(f"{path}: {len(content)} bytes, not the {size} of shape {dims}")
    return dims, content


def grey_png(width: int, height: int, pixels: bytes) -> bytes:
    """A PNG file of 8-bit grey pixels, row by row (ISO/IEC 15948)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    # Each row is preceded by its filter: 0, none.
    rows = b"".join(b"\0" + pixels[y * width : (y + 1) * width] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, default=DATA, help="folder of the IDX files")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to; made if missing")
    parser.add_argument("--per-class", type=int, metavar="N", help="only the first N images of each class")
    parser.add_argument("--labels", type=pathlib.Path, help="text file with one label a line; default: class indices")
    args = parser.parse_args()

    (count, height, width), pixels = read_idx(args.data / "t10k-images-idx3-ubyte.gz")
    (labels_count,), labels = read_idx(args.data / "t10k-labels-idx1-ubyte.gz")
    if count != labels_count:
        raise SystemExit(f"{count} images but {labels_count} labels")
    names = args.labels.read_text().splitlines() if args.labels else [str(i) for i in range(10)]
    if len(names) != 10:
        raise SystemExit(f"{args.labels}: {len(names)} labels, expected 10")

    args.out.mkdir(parents=True, exist_ok=True)
    written: dict[int, int] = {}
    truth = []
    for i in range(count):
        label = labels[i]
        if args.per_class is not None and written.get(label, 0) >= args.per_class:
            continue
        written[label] = written.get(label, 0) + 1
        name = f"{i:05d}.png"
        image = pixels[i * height * width : (i + 1) * height * width]
        (args.out / name).write_bytes(grey_png(width, height, image))
        truth.append(f"{name}\t{names[label]}\n")
    (args.out / "truth.tsv").write_text("".join(truth))
    return 0


if __name__ == "__main__":
    sys.exit(main())
