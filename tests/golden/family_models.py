#!/usr/bin/env python3
"""The golden networks of each residual family: PyTorch's own graphs with weights from a seed.

    tests/golden/family_models.py --out FOLDER [CASE...]     writes CASE.onnx and CASE.images.f32, unless they are there

families/ holds, for each case, the graph as PyTorch's exporter wrote it without its weights, and the answers of PyTorch and
ONNX Runtime (tools/make_test_models.py, which needs both; this needs numpy and onnx only). Why templates: the widths of
real networks choose the implementations that run, and their weights would be 1.7 GB; narrow stand-ins would fit, but try
other kernels. Hashes are checked as golden_models.py does.
"""

import argparse
import dataclasses
import hashlib
import pathlib
import sys

import numpy as np
import onnx

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAMILIES = pathlib.Path(__file__).resolve().parent / "families"
sys.path.insert(0, str(ROOT / "tools"))
import make_resnet  # noqa: E402
import model_template  # noqa: E402

IMAGES_SEED = 2


@dataclasses.dataclass(frozen=True)
class Case:
    """A line of cases.txt."""

    name: str
    images: int
    channels: int
    size: int
    weights_hash: str
    images_hash: str


def cases() -> list[Case]:
    lines = (FAMILIES / "cases.txt").read_text().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return [Case(row[0], int(row[1]), int(row[4]), int(row[5]), row[6], row[7]) for row in rows]


def key(case: Case) -> str:
    """Stands for all that a case's files depend on: while it is the same, they need not be made again."""
    digest = hashlib.sha256(repr(case).encode())
    for source in (FAMILIES / f"{case.name}.onnx", pathlib.Path(__file__), ROOT / "tools/model_template.py",
                   ROOT / "tools/make_resnet.py"):  # fmt: skip
        digest.update(source.read_bytes())
    return digest.hexdigest()


def make(case: Case, out: pathlib.Path) -> None:
    files = [out / f"{case.name}.{suffix}" for suffix in ("onnx", "images.f32", "made")]
    if all(file.exists() for file in files) and files[2].read_text() == key(case):
        return
    model = model_template.fill(onnx.load(FAMILIES / f"{case.name}.onnx"))
    images = make_resnet.make_input(IMAGES_SEED, case.images, case.channels, case.size)
    got = model_template.weights_hash(model), model_template.images_hash(images)
    for what, expected, is_ in zip(("weights", "images"), (case.weights_hash, case.images_hash), got):
        if is_ != expected:
            sys.exit(f"family_models.py: {case.name}: the {what} have SHA-256 {is_}, not {expected}: numpy {np.__version__} "
                     "makes other numbers of this seed than the one the expected answers were made with")  # fmt: skip
    files[0].write_bytes(model.SerializeToString())
    images.astype("<f4").tofile(files[1])
    files[2].write_text(key(case))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=pathlib.Path, required=True)
    p.add_argument("cases", nargs="*", help="default: all")
    a = p.parse_args()
    there = cases()
    if unknown := set(a.cases) - {case.name for case in there}:
        sys.exit(f"family_models.py: no such case: {', '.join(sorted(unknown))}")
    a.out.mkdir(parents=True, exist_ok=True)
    for case in there:
        if not a.cases or case.name in a.cases:
            make(case, a.out)


if __name__ == "__main__":
    main()
