#!/usr/bin/env python3
"""Writes a residual network with seeded random weights as ONNX, the same bytes everywhere.

    tools/make_resnet.py --arch resnet50 --seed 1 --out resnet50.onnx
    tools/make_resnet.py --arch cifar20 --shortcut B --opset 13 --batch 1 --fold-bn --out cifar20.onnx

Speed and exactness do not depend on what a network has learnt, so tests and benchmarks use these. Weights are uniform
with the variance of He et al. 2015; batch normalisation has statistics of its own that are near what its input has, and
the last one of each block is scaled down, so that 152 layers neither explode nor vanish. Only RandomState.random_sample
and IEEE arithmetic are used, both of which numpy keeps stable.
"""

import argparse
import pathlib
import sys
import zlib

import numpy as np

import resnet_onnx


def seeded_uniform(seed: int, name: str, shape: tuple, low: float, high: float) -> np.ndarray:
    """Float32 in [low, high), seeded by the tensor's name too: no order of creation matters."""
    rng = np.random.RandomState((seed * 0x9E3779B1 + zlib.crc32(name.encode())) % 2**32)
    return (low + (high - low) * rng.random_sample(shape)).astype(np.float32)


class Weights(dict):
    """Makes a tensor when it is first asked for."""

    def __init__(self, seed: int, shapes: dict):
        super().__init__()
        self.seed, self.shapes = seed, shapes

    def uniform(self, name: str, shape: tuple, low: float, high: float) -> np.ndarray:
        return seeded_uniform(self.seed, name, shape, low, high)

    def __missing__(self, name: str) -> np.ndarray:
        shape, kind = self.shapes[name]
        if kind == "conv":
            bound = np.sqrt(6.0 / np.prod(shape[1:]))  # variance 2 / fan-in
            value = self.uniform(name, shape, -bound, bound)
        elif kind == "fc":
            bound = np.sqrt(12.0 / shape[1])
            value = self.uniform(name, shape, -bound, bound)
        else:
            low, high = {
                "scale": (0.8, 1.2), "residual_scale": (0.2, 0.4), "shift": (-0.2, 0.2),
                "mean": (-0.2, 0.2), "variance": (0.8, 1.6),
            }[kind]  # fmt: skip
            value = self.uniform(name, shape, low, high)
        self[name] = value
        return value


class Shapes(dict):
    """Names and shapes of a network's tensors, as resnet_onnx asks for them."""

    def conv_bn(self, conv: str, bn: str, cout: int, cin: int, kernel: int, last: bool = False) -> None:
        self[f"{conv}.weight"] = ((cout, cin, kernel, kernel), "conv")
        self[f"{bn}.weight"] = ((cout,), "residual_scale" if last else "scale")
        self[f"{bn}.bias"] = ((cout,), "shift")
        self[f"{bn}.running_mean"] = ((cout,), "mean")
        self[f"{bn}.running_var"] = ((cout,), "variance")

    def block(self, name: str, cin: int, width: int, cout: int, bottleneck: bool) -> None:
        kernels = ((width, cin, 1), (width, width, 3), (cout, width, 1)) if bottleneck else (
            (width, cin, 3), (cout, width, 3))  # fmt: skip
        for i, (o, c, k) in enumerate(kernels, start=1):
            self.conv_bn(f"{name}.conv{i}", f"{name}.bn{i}", o, c, k, last=i == len(kernels))

    def fc(self, classes: int, features: int) -> None:
        self["fc.weight"] = ((classes, features), "fc")
        self["fc.bias"] = ((classes,), "shift")


def cifar_shapes(n: int, channels: int, classes: int) -> Shapes:
    s = Shapes()
    s.conv_bn("conv1", "bn1", 16, channels, 3)
    cin = 16
    for stage, cout in enumerate((16, 32, 64), start=1):
        for i in range(n):
            s.block(f"layer{stage}.{i}", cin, cout, cout, False)
            if cin != cout:
                s.conv_bn(f"layer{stage}.{i}.shortcut.0", f"layer{stage}.{i}.shortcut.1", cout, cin, 1)
            cin = cout
    s.fc(classes, cin)
    return s


def imagenet_shapes(depth: int, channels: int, classes: int) -> Shapes:
    blocks, bottleneck = resnet_onnx.IMAGENET_STAGES[depth]
    s = Shapes()
    s.conv_bn("conv1", "bn1", 64, channels, 7)
    cin = 64
    for stage, count in enumerate(blocks, start=1):
        width = 64 * 2 ** (stage - 1)
        cout = width * (4 if bottleneck else 1)
        for i in range(count):
            s.block(f"layer{stage}.{i}", cin, width, cout, bottleneck)
            if i == 0 and (stage > 1 or cin != cout):
                s.conv_bn(f"layer{stage}.{i}.downsample.0", f"layer{stage}.{i}.downsample.1", cout, cin, 1)
            cin = cout
    s.fc(classes, cin)
    return s


def make(arch: str, seed: int = 1, shortcut: str = "A", size=None, channels: int = 3, classes=None, **layout):
    """The ModelProto; `layout` is opset, batch and fold_bn of resnet_onnx."""
    family = arch.rstrip("0123456789")
    depth = int(arch[len(family):] or 0)
    if family == "cifar" and depth % 6 == 2:
        n, classes = (depth - 2) // 6, classes or 10
        weights = Weights(seed, cifar_shapes(n, channels, classes))
        return resnet_onnx.cifar_resnet(n, shortcut, weights, channels, size or 32, classes, **layout)
    if family == "resnet" and depth in resnet_onnx.IMAGENET_STAGES:
        classes = classes or 1000
        weights = Weights(seed, imagenet_shapes(depth, channels, classes))
        return resnet_onnx.imagenet_resnet(depth, weights, channels, size or 224, classes, **layout)
    raise ValueError(f"arch must be resnet18, 34, 50, 101, 152 or cifar20, 32, 44, 56, 110, got {arch!r}")


def make_input(seed: int, images: int, channels: int, size: int) -> np.ndarray:
    """Float32 NCHW, uniform in [-2, 2): what a normalised image spans, and smooth enough to tell images apart.

    Eight by eight random tiles under fine noise: pure noise would look the same to a global average.
    """
    rng = np.random.RandomState(seed)
    coarse = rng.random_sample((images, channels, 8, 8))
    index = np.arange(size) * 8 // size
    tiles = coarse[:, :, index][:, :, :, index]
    return ((0.75 * tiles + 0.25 * rng.random_sample((images, channels, size, size))) * 4 - 2).astype(np.float32)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--arch", required=True, help="resnet18|34|50|101|152 or cifar20|32|44|56|110")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--shortcut", choices=("A", "B"), default="A", help="of the CIFAR networks")
    p.add_argument("--size", type=int, help="height and width; default 224, CIFAR 32")
    p.add_argument("--channels", type=int, default=3)
    p.add_argument("--classes", type=int, help="default 1000, CIFAR 10")
    p.add_argument("--opset", type=int, default=17)
    p.add_argument("--batch", default="dynamic", help='"dynamic" or a number')
    p.add_argument("--fold-bn", action="store_true", help="convolutions with a bias instead of BatchNormalization")
    p.add_argument("--out", type=pathlib.Path, required=True)
    a = p.parse_args()
    try:
        model = make(a.arch, a.seed, a.shortcut, a.size, a.channels, a.classes,
                     opset=a.opset, batch=a.batch, fold_bn=a.fold_bn)  # fmt: skip
    except ValueError as error:
        sys.exit(f"make_resnet.py: {error}")
    a.out.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
