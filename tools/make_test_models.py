#!/usr/bin/env python3
"""Exports every residual family with weights from a seed, and what PyTorch and ONNX Runtime answer.

    venv=$(scripts/venv.sh models-venv tools/requirements-models.txt)
    $venv/bin/python tools/make_test_models.py --templates tests/golden/data/families        what is committed
    $venv/bin/python tools/make_test_models.py --models FOLDER [--full-size] [NAME...]  whole ONNX files, with their images

--templates writes, for each row of residual_families.py and each of its exports, CASE.onnx without its weights
(model_template.py) and CASE.f32: image by image the logits and features of PyTorch, then those of ONNX Runtime, float32
little-endian; and cases.txt, which lists them with hashes of what must come back from the seed.
--models writes CASE.onnx with weights, CASE.images.f32 (NCHW, also where the network's input is NHWC), CASE.f32 and cases.txt.
"""

import argparse
import pathlib
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
import torch

import make_resnet
import model_template
import nhwc_resnet
import pytorch_answers
import residual_families
from residual_families import Export, Family
from seeded_network import SeededNetwork

SEED, IMAGES = 1, 3
IMAGES_SEED = 2


def exported(family: Family, seeded: SeededNetwork, export: Export) -> onnx.ModelProto:
    if export.exporter == "nhwc":
        return nhwc_resnet.nhwc_resnet(seeded.parameters, (32, 64), family.channels, family.size, 10, export.opset, export.batch)
    dynamic = export.batch == "dynamic"
    images = seeded.images(IMAGES_SEED, 2 if dynamic else int(export.batch))
    options = {"input_names": ["input"], "output_names": ["logits"], "opset_version": export.opset}
    if export.exporter == "dynamo":
        options |= {"dynamo": True, "external_data": False, "verbose": False}
        if dynamic:
            options["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
    else:
        options |= {"dynamo": False}
        if dynamic:
            options["dynamic_axes"] = {"input": {0: "batch"}, "logits": {0: "batch"}}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the one exporter calls the other old
        path = pathlib.Path(folder) / "model.onnx"
        torch.onnx.export(seeded.module, (images,), str(path), **options)
        return onnx.load(path)


def onnxruntime_answers(model: onnx.ModelProto, images: np.ndarray, export: Export) -> np.ndarray:
    """Logits and features, a row an image."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    features = [node.input[0] for node in model.graph.node if node.op_type in ("Gemm", "MatMul", "Conv")][-1]
    model.graph.output.append(onnx.ValueInfoProto(name=features))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    if export.exporter == "nhwc":
        images = images.transpose(0, 2, 3, 1)
    step = len(images) if export.batch == "dynamic" else int(export.batch)
    rows = []
    for i in range(0, len(images), step):
        part = np.ascontiguousarray(np.resize(images[i : i + step], (step, *images.shape[1:])))
        logits, pooled = session.run(["logits", features], {"input": part})
        rows += list(np.concatenate((logits, pooled.reshape(step, -1)), 1))[: len(images) - i]
    return np.stack(rows)


def check(case: str, pytorch: np.ndarray, runtime: np.ndarray, classes: int) -> str:
    """A line of figures. What is not finite, or tells no images apart, is no golden answer."""
    logits = pytorch[:, :classes]
    largest = np.abs(logits).max()
    apart = np.abs(logits - logits[0]).max() / largest
    differ = np.abs(pytorch - runtime)[:, :classes].max() / largest
    line = f"{case}: max |logit| {largest:.3g}, images apart {apart:.2g}, PyTorch and ONNX Runtime {differ:.1g}"
    if not (np.isfinite(pytorch).all() and np.isfinite(runtime).all() and apart > 0.01 and differ < 1e-5):
        sys.exit(f"make_test_models.py: not a golden answer: {line}")
    return line


def case_name(family: Family, export: Export) -> str:
    batch = "" if export.batch == "dynamic" else f"-n{export.batch}"
    return f"{family.name}-{export.exporter}{export.opset}{batch}"


def read_cases(table: pathlib.Path) -> dict[str, str]:
    """The lines of a cases.txt by case: those of families that are not exported again stay."""
    lines = table.read_text().splitlines() if table.exists() else []
    return {line.split()[0]: line for line in lines if line and not line.startswith("#")}


def write(family: Family, folder: pathlib.Path, whole: bool) -> list[str]:
    """The files of a family's exports; returns their lines of cases.txt."""
    seeded = SeededNetwork(family.build(), family.channels, family.size, SEED)
    images = seeded.images(IMAGES_SEED, IMAGES)
    pytorch = np.concatenate(pytorch_answers.answers(seeded.module, images), 1)
    lines = []
    for export in family.exports:
        case = case_name(family, export)
        template = model_template.strip(exported(family, seeded, export), seeded.parameters, seeded.folds)
        model = model_template.fill(template)
        runtime = onnxruntime_answers(model, images.numpy(), export)
        classes = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
        print(check(case, pytorch, runtime, classes), flush=True)
        np.concatenate((pytorch, runtime), 1).astype("<f4").tofile(folder / f"{case}.f32")
        (folder / f"{case}.onnx").write_bytes((model if whole else template).SerializeToString())
        if whole:
            images.numpy().astype("<f4").tofile(folder / f"{case}.images.f32")
        hashes = model_template.weights_hash(model), model_template.images_hash(images.numpy())
        lines.append(f"{case} {IMAGES} {classes} {pytorch.shape[1] - classes} {family.channels} {family.size} {' '.join(hashes)}")
    return lines


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--templates", type=pathlib.Path, metavar="FOLDER")
    what.add_argument("--models", type=pathlib.Path, metavar="FOLDER")
    p.add_argument("--full-size", action="store_true", help="the real depths at 224 pixels instead of the committed rows")
    p.add_argument("names", nargs="*", help="default: all")
    a = p.parse_args()
    families = residual_families.FULL_SIZE if a.full_size else residual_families.COMMITTED
    if unknown := set(a.names) - {f.name for f in families}:
        sys.exit(f"make_test_models.py: no such family: {', '.join(sorted(unknown))}")
    folder = a.templates or a.models
    folder.mkdir(parents=True, exist_ok=True)
    notes = [
        f"# The answers of PyTorch {torch.__version__} and ONNX Runtime {onnxruntime.__version__}.",
        "# case images classes features channels size SHA-256-of-weights SHA-256-of-images",
    ]
    table = folder / "cases.txt"
    cases = read_cases(table)
    for family in families:
        if not a.names or family.name in a.names:
            cases |= {line.split()[0]: line for line in write(family, folder, whole=a.models is not None)}
    known = [case_name(family, export) for family in families for export in family.exports]
    table.write_text("\n".join(notes + [cases[case] for case in known if case in cases]) + "\n")


if __name__ == "__main__":
    main()
