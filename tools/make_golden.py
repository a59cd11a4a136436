#!/usr/bin/env python3
"""Writes a model's golden set: images, and the logits that ONNX Runtime gives for them.

    tools/make_golden.py models/fashion-resnet20/1

reads model.onnx of the folder and writes golden.textproto (resnetd.v1.GoldenSet in text format) beside it: the first
of Fashion-MNIST's test images of each class, as PNG files. The pixels become the network's input here by the recipe
written out below, so that the server's own decoding and normalising are checked by it, not copied from it.

Needs numpy and onnxruntime; the data is Debian's package dataset-fashion-mnist.
"""

import argparse
import pathlib
import sys

import numpy as np
import onnxruntime

import fashion_mnist_png
from fashion_mnist_png import MEAN, STD

TOLERANCE = 1e-4


def escape(data: bytes) -> str:
    """As a string of protobuf's text format."""
    plain = lambda b: 32 <= b < 127 and b not in b"\"\\'"
    return "".join(chr(b) if plain(b) else f"\\{b:03o}" for b in data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="where model.onnx is and golden.textproto goes")
    parser.add_argument("--data", type=pathlib.Path, default=fashion_mnist_png.DATA)
    args = parser.parse_args()

    (_, height, width), pixels = fashion_mnist_png.read_idx(args.data / "t10k-images-idx3-ubyte.gz")
    _, labels = fashion_mnist_png.read_idx(args.data / "t10k-labels-idx1-ubyte.gz")
    images = np.frombuffer(pixels, np.uint8).reshape(-1, height, width)
    session = onnxruntime.InferenceSession(args.folder / "model.onnx", providers=["CPUExecutionProvider"])

    lines = [f"# Written by tools/make_golden.py with ONNX Runtime {onnxruntime.__version__}.", f"tolerance: {TOLERANCE}"]
    for label in range(10):
        index = labels.index(label)
        tensor = ((images[index] / np.float32(255) - np.float32(MEAN)) / np.float32(STD))[None, None]
        (logits,) = session.run(["logits"], {"input": tensor.astype(np.float32)})
        png = fashion_mnist_png.grey_png(width, height, images[index].tobytes())
        lines += ["golden {", f'  name: "t10k {index}"', f'  image: "{escape(png)}"',
                  f"  logits: [{', '.join(f'{z:.7g}' for z in logits[0])}]", f"  label: {label}", "}"]
    (args.folder / "golden.textproto").write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
