#!/usr/bin/env python3
"""The golden networks: residual networks and images from seeds, the same numbers on every machine.

    tests/golden/golden_models.py --out FOLDER [CASE...]     writes CASE.onnx and CASE.images.f32, unless they are there

The expected answers, in expected/, are ONNX Runtime's for exactly these numbers (write_expected.py). Their hashes stand in
expected/cases.txt. Other hashes here mean that this machine's numpy makes other numbers of the same seed: the engine is
then not to blame, and nothing is written.
"""

import argparse
import dataclasses
import hashlib
import pathlib
import sys

import numpy as np
import onnx
from onnx import numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXPECTED = pathlib.Path(__file__).resolve().parent / "expected"
sys.path.insert(0, str(ROOT / "tools"))
import make_resnet  # noqa: E402


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


def weights_hash(model: onnx.ModelProto) -> str:
    """SHA-256 of all learnt values with their names. Not of the file: protobuf promises no stable bytes."""
    digest = hashlib.sha256()
    for tensor in model.graph.initializer:
        digest.update(tensor.name.encode() + b"\0" + numpy_helper.to_array(tensor).tobytes())
    return digest.hexdigest()


def images_hash(images: np.ndarray) -> str:
    return hashlib.sha256(images.astype("<f4").tobytes()).hexdigest()


def expected_hashes() -> dict[str, tuple[str, str]]:
    """Case -> hashes of weights and images, from expected/cases.txt."""
    lines = (EXPECTED / "cases.txt").read_text().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return {row[0]: (row[4], row[5]) for row in rows}


def key(hashes: tuple[str, str]) -> str:
    """Stands for all that a case's files depend on: while it is the same, they need not be made again."""
    sources = [pathlib.Path(__file__), ROOT / "tools/make_resnet.py", ROOT / "tools/resnet_onnx.py"]
    digest = hashlib.sha256("".join(hashes).encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=pathlib.Path, required=True)
    p.add_argument("cases", nargs="*", help="default: all")
    a = p.parse_args()
    hashes = expected_hashes()
    if unknown := set(a.cases) - {case.name for case in CASES}:
        sys.exit(f"golden_models.py: no such case: {', '.join(sorted(unknown))}")
    a.out.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        if a.cases and case.name not in a.cases:
            continue
        files = [a.out / f"{case.name}.{suffix}" for suffix in ("onnx", "images.f32", "made")]
        if all(file.exists() for file in files) and files[2].read_text() == key(hashes[case.name]):
            continue
        model, images = build(case)
        for what, expected, got in zip(("weights", "images"), hashes[case.name], (weights_hash(model), images_hash(images))):
            if got != expected:
                sys.exit(f"golden_models.py: {case.name}: the {what} have SHA-256 {got}, not {expected}: numpy {np.__version__} "
                         "makes other numbers of this seed than the one the expected answers were made with")  # fmt: skip
        files[0].write_bytes(model.SerializeToString())
        images.astype("<f4").tofile(files[1])
        files[2].write_text(key(hashes[case.name]))


if __name__ == "__main__":
    main()
