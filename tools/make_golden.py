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
import golden_set
from fashion_mnist_png import MEAN, STD


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="where model.onnx is and golden.textproto goes")
    parser.add_argument("--data", type=pathlib.Path, default=fashion_mnist_png.DATA)
    args = parser.parse_args()

    (_, height, width), pixels = fashion_mnist_png.read_idx(args.data / "t10k-images-idx3-ubyte.gz")
    _, labels = fashion_mnist_png.read_idx(args.data / "t10k-labels-idx1-ubyte.gz")
    images = np.frombuffer(pixels, np.uint8).reshape(-1, height, width)
    session = onnxruntime.InferenceSession(args.folder / "model.onnx", providers=["CPUExecutionProvider"])

    goldens = []
    for label in range(10):
        index = labels.index(label)
        tensor = ((images[index] / np.float32(255) - np.float32(MEAN)) / np.float32(STD))[None, None]
        (logits,) = session.run(["logits"], {"input": tensor.astype(np.float32)})
        png = fashion_mnist_png.grey_png(width, height, images[index].tobytes())
        goldens.append(golden_set.Golden(f"t10k {index}", png, logits[0], label=label))
    origin = f"tools/make_golden.py with ONNX Runtime {onnxruntime.__version__}"
    (args.folder / "golden.textproto").write_text(golden_set.textproto(goldens, origin))
    return 0


if __name__ == "__main__":
    sys.exit(main())
