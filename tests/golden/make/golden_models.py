#!/usr/bin/env python3
"""The golden networks: residual networks and images from seeds, the same numbers on every machine.

    tests/golden/make/golden_models.py --out FOLDER [CASE...]     writes CASE.onnx and CASE.images.f32, unless they are there

The expected answers, in expected/, are ONNX Runtime's for exactly these numbers (write_expected.py). Their hashes stand in
expected/cases.txt. Other hashes here mean that this machine's numpy makes other numbers of the same seed: the engine is
then not to blame, and nothing is written.
"""

import dataclasses
import functools
import pathlib

import case_files  # first: it lets tools/ be imported from
import make_resnet
import numpy as np
import onnx

EXPECTED = pathlib.Path(__file__).resolve().parents[1] / "data" / "expected"


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    arch: str
    opset: int
    batch: str  # "dynamic" or the size fixed in the file
    fold_bn: bool
    size: int = 224
    channels: int = 3
    shortcut: str = "A"
    images: int = 2


CASES = (
    Case("resnet18", "resnet18", 13, "1", False, images=3),
    Case("resnet18-97px", "resnet18", 16, "dynamic", False, size=97),
    Case("resnet34", "resnet34", 14, "dynamic", True),
    Case("resnet50", "resnet50", 17, "dynamic", False),
    Case("resnet101", "resnet101", 15, "2", False),
    Case("resnet152", "resnet152", 18, "dynamic", True),
    Case("cifar20-a", "cifar20", 13, "dynamic", False, size=32, images=5),
    Case("cifar20-a-grey", "cifar20", 17, "dynamic", False, size=28, channels=1, images=5),
    Case("cifar20-b", "cifar20", 16, "1", True, size=32, shortcut="B", images=5),
    Case("cifar32-b", "cifar32", 14, "dynamic", False, size=32, shortcut="B"),
    Case("cifar56-a", "cifar56", 18, "4", True, size=32, images=4),
    Case("cifar110-a", "cifar110", 15, "dynamic", False, size=31),
)


def build(case: Case) -> tuple[onnx.ModelProto, np.ndarray]:
    """The network and its images, float32 NCHW."""
    model = make_resnet.make(case.arch, seed=1, shortcut=case.shortcut, size=case.size, channels=case.channels,
                             opset=case.opset, batch=case.batch, fold_bn=case.fold_bn)  # fmt: skip
    return model, make_resnet.make_input(2, case.images, case.channels, case.size)


def recorded() -> dict[str, case_files.Recorded]:
    sources = [pathlib.Path(__file__), case_files.ROOT / "tools/make_resnet.py", case_files.ROOT / "tools/resnet_onnx.py"]
    hashes = {row[0]: row[4:6] for row in case_files.rows(EXPECTED / "cases.txt")}
    return {case.name: case_files.Recorded(*hashes[case.name], sources, functools.partial(build, case)) for case in CASES}


if __name__ == "__main__":
    case_files.run(__doc__, recorded())
