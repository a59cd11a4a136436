"""What golden_models.py and family_models.py share: the command line, and files that are made once."""

import argparse
import dataclasses
import hashlib
import pathlib
import sys
from collections.abc import Callable

import numpy as np
import onnx

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))
import model_template  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Recorded:
    """A case whose answers are recorded: those to a network and images of these hashes."""

    weights_hash: str
    images_hash: str
    sources: list[pathlib.Path]  # what `build` depends on
    build: Callable[[], tuple[onnx.ModelProto, np.ndarray]]  # the network and its images, float32 NCHW

    def key(self) -> str:
        """Stands for all that the case's files depend on: while it is the same, they need not be made again."""
        digest = hashlib.sha256(f"{self.weights_hash} {self.images_hash}".encode())
        for source in [pathlib.Path(__file__), *self.sources]:
            digest.update(source.read_bytes())
        return digest.hexdigest()


def rows(table: pathlib.Path) -> list[list[str]]:
    return [line.split() for line in table.read_text().splitlines() if line and not line.startswith("#")]


def write(script: str, name: str, case: Recorded, folder: pathlib.Path) -> None:
    files = [folder / f"{name}.{suffix}" for suffix in ("onnx", "images.f32", "made")]
    if all(file.exists() for file in files) and files[2].read_text() == case.key():
        return
    model, images = case.build()
    got = model_template.weights_hash(model), model_template.images_hash(images)
    for what, expected, is_ in zip(("weights", "images"), (case.weights_hash, case.images_hash), got):
        if is_ != expected:
            sys.exit(f"{script}: {name}: the {what} have SHA-256 {is_}, not {expected}: numpy {np.__version__} "
                     "makes other numbers of this seed than the one the expected answers were made with")  # fmt: skip
    files[0].write_bytes(model.SerializeToString())
    images.astype("<f4").tofile(files[1])
    files[2].write_text(case.key())


def run(doc: str, cases: dict[str, Recorded]) -> None:
    """SCRIPT --out FOLDER [CASE...]"""
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=pathlib.Path, required=True)
    p.add_argument("cases", nargs="*", help="default: all")
    a = p.parse_args()
    if unknown := set(a.cases) - set(cases):
        sys.exit(f"{p.prog}: no such case: {', '.join(sorted(unknown))}")
    a.out.mkdir(parents=True, exist_ok=True)
    for name in a.cases or cases:
        write(p.prog, name, cases[name], a.out)
