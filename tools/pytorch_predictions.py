#!/usr/bin/env python3
"""Writes what PyTorch takes images for, with the embedded model's weights: for `resnetctl evaluate --predictions`.

    tools/pytorch_predictions.py --list build/evaluate/images/truth.tsv --out build/evaluate/pytorch.tsv

The network is the one that was trained (train_default_model.py), its weights are the model file's, and images are read by
Pillow: nothing of resnetd takes part. A line is path, tab, class. Needs PyTorch (any version from 1.13, CPU), numpy,
onnx and Pillow.
"""

import argparse
import pathlib
import sys

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from PIL import Image

from fashion_mnist_png import MEAN, STD
from train_default_model import CifarResNet

MODEL = pathlib.Path(__file__).resolve().parents[1] / "models/fashion-resnet20/1/model.onnx"
BATCH = 100


def load(path: pathlib.Path) -> CifarResNet:
    weights = {w.name: torch.from_numpy(numpy_helper.to_array(w).copy()) for w in onnx.load(path).graph.initializer}
    network = CifarResNet(n=3, classes=10)
    loaded = network.load_state_dict(weights, strict=False)  # the graph's other constants are no weights
    missing = [name for name in loaded.missing_keys if not name.endswith("num_batches_tracked")]
    if missing:
        raise SystemExit(f"{path}: no weights for {missing}")
    return network.eval()


def read(path: pathlib.Path) -> np.ndarray:
    pixels = np.asarray(Image.open(path).convert("L"), np.float32)
    return (pixels / np.float32(255) - np.float32(MEAN)) / np.float32(STD)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", type=pathlib.Path, required=True, help="text file with lines \"path label\"")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="file to write")
    args = parser.parse_args()

    network = load(MODEL)
    names = [line.split("\t")[0] for line in args.list.read_text().splitlines()]
    lines = []
    for first in range(0, len(names), BATCH):
        batch = names[first : first + BATCH]
        images = torch.from_numpy(np.stack([read(args.list.parent / name) for name in batch])[:, None])
        with torch.no_grad():
            best = network(images).argmax(1).tolist()
        lines += [f"{name}\t{index}\n" for name, index in zip(batch, best)]
    args.out.write_text("".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
