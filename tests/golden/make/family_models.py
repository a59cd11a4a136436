#!/usr/bin/env python3
"""The golden networks of each residual family: PyTorch's own graphs with weights from a seed.

    tests/golden/make/family_models.py --out FOLDER [CASE...]     writes CASE.onnx and CASE.images.f32, unless they are there

families/ holds, for each case, the graph as PyTorch's exporter wrote it without its weights, and the answers of PyTorch and
ONNX Runtime (tools/make_test_models.py, which needs both; this needs numpy and onnx only). Why templates: the widths of
real networks choose the implementations that run, and their weights would be 1.7 GB; narrow stand-ins would fit, but try
other kernels. Hashes are checked as golden_models.py does.
"""

import functools
import pathlib

import case_files  # first: it lets tools/ be imported from
import make_resnet
import model_template
import numpy as np
import onnx

FAMILIES = pathlib.Path(__file__).resolve().parents[1] / "data" / "families"

IMAGES_SEED = 2


def build(name: str, images: int, channels: int, size: int) -> tuple[onnx.ModelProto, np.ndarray]:
    model = model_template.fill(onnx.load(FAMILIES / f"{name}.onnx"))
    return model, make_resnet.make_input(IMAGES_SEED, images, channels, size)


def recorded() -> dict[str, case_files.Recorded]:
    made_by = [pathlib.Path(__file__), case_files.ROOT / "tools/model_template.py", case_files.ROOT / "tools/make_resnet.py"]
    cases = {}
    for name, images, _, _, channels, size, *hashes in case_files.rows(FAMILIES / "cases.txt"):
        making = functools.partial(build, name, int(images), int(channels), int(size))
        cases[name] = case_files.Recorded(*hashes[:2], [*made_by, FAMILIES / f"{name}.onnx"], making)
    return cases


if __name__ == "__main__":
    case_files.run(__doc__, recorded())
