#!/usr/bin/env python3
"""Writes what ONNX Runtime answers for the golden networks: the files of expected/. Run by hand when a case is added.

    venv=$(scripts/venv.sh onnxruntime tools/requirements-onnxruntime.txt)
    $venv/bin/pip install onnx && $venv/bin/python tests/golden/make/write_expected.py

expected/CASE.f32 holds, image by image, the logits and then the pooled features, float32 little-endian.
"""

import numpy as np
import onnx
import onnxruntime

import golden_models
import model_template

FEATURES = "flatten"  # what the last layer reads, as resnet_onnx names it


def answers(case: golden_models.Case, model: onnx.ModelProto, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits and features, a row an image."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    model.graph.output.append(onnx.ValueInfoProto(name=FEATURES))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    step = case.images if case.batch == "dynamic" else int(case.batch)
    parts = [session.run(["logits", FEATURES], {"input": images[i : i + step]}) for i in range(0, case.images, step)]
    return tuple(np.concatenate(part) for part in zip(*parts))


def main() -> None:
    golden_models.EXPECTED.mkdir(exist_ok=True)
    lines = [
        f"# The answers of ONNX Runtime {onnxruntime.__version__} (numpy {np.__version__}, onnx {onnx.__version__}).",
        "# case images classes features SHA-256-of-weights SHA-256-of-images",
    ]
    for case in golden_models.CASES:
        model, images = golden_models.build(case)
        logits, features = answers(case, model, images)
        rows = np.concatenate([logits, features], axis=1).astype("<f4")
        rows.tofile(golden_models.EXPECTED / f"{case.name}.f32")
        hashes = model_template.weights_hash(model), model_template.images_hash(images)
        lines.append(f"{case.name} {case.images} {logits.shape[1]} {features.shape[1]} {' '.join(hashes)}")
        print(f"{case.name}: max |logit| {abs(logits).max():.3f}, max |feature| {abs(features).max():.3f}", flush=True)
    (golden_models.EXPECTED / "cases.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
