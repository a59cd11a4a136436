#!/usr/bin/env python3
"""Judges the server's answers for all test images of Fashion-MNIST (scripts/evaluate.sh collects them).

Prints accuracy, images/s and nearest-neighbour accuracy, and compares the five best classes of every image with those of
ONNX Runtime on the same model file and the same pixels. Exit status 1 if one answer is missing or differs, or the accuracy is below what
the model card promises.
"""

import argparse
import hashlib
import json
import pathlib
import re
import sys

import numpy as np
import onnxruntime
from fashion_mnist_png import DATA, read_idx

BEST = 5
LEAST_ACCURACY = 0.94  # what the model card promises
ORT_BATCH = 100


def recipe_value(config: str, field: str) -> np.float32:
    (value,) = re.findall(rf"^\s*{field}:\s*([0-9.]+)", config, re.MULTILINE)
    return np.float32(value)


def onnxruntime_logits(model: pathlib.Path, config: str, pixels: np.ndarray) -> np.ndarray:
    """[N, classes] of images [N, H, W] in uint8, normalised as the model's config says."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    inputs = (pixels[:, None].astype(np.float32) / 255 - recipe_value(config, "mean")) / recipe_value(config, "std")
    name = session.get_inputs()[0].name
    batches = [session.run(None, {name: inputs[i : i + ORT_BATCH]})[0] for i in range(0, len(inputs), ORT_BATCH)]
    return np.concatenate(batches)


def nearest_neighbour_accuracy(embeddings: np.ndarray, labels: np.ndarray) -> float:
    """How often an image's nearest other image, by the cosine of their embeddings, is of its class."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    right = 0
    for first in range(0, len(unit), 1000):
        rows = np.arange(first, min(first + 1000, len(unit)))
        similarity = unit[rows] @ unit.T
        similarity[np.arange(len(rows)), rows] = -np.inf
        right += np.count_nonzero(labels[similarity.argmax(axis=1)] == labels[rows])
    return right / len(unit)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--config", type=pathlib.Path, required=True)
    parser.add_argument("--answers", type=pathlib.Path, required=True, help="folder of the collected answers")
    parser.add_argument("--classify-ms", type=int, required=True)
    parser.add_argument("--embed-ms", type=int, required=True)
    args = parser.parse_args()

    (count, height, width), content = read_idx(DATA / "t10k-images-idx3-ubyte.gz")
    pixels = np.frombuffer(content, np.uint8).reshape(count, height, width)
    labels = np.frombuffer(read_idx(DATA / "t10k-labels-idx1-ubyte.gz")[1], np.uint8)
    answers = json.loads((args.answers / "classified.json").read_text())
    embeddings = np.load(args.answers / "embeddings.npy")
    if len(answers) != count or any("error" in a for a in answers) or len(embeddings) != count:
        print(f"expected {count} answers without errors", file=sys.stderr)
        return 1
    (served_model,) = json.loads((args.answers / "models.json").read_text())
    digest = hashlib.sha256(args.model.read_bytes()).hexdigest()
    if served_model["weights_sha256"] != digest:
        print(f"the server's model is {served_model['weights_sha256']}, {args.model} is {digest}", file=sys.stderr)
        return 1
    # File names are indices, and answers come in the files' order.
    assert [pathlib.Path(a["image"]).stem for a in answers] == [f"{i:05d}" for i in range(count)]

    served = np.array([[c["index"] for c in a["classes"]] for a in answers])
    served_logits = np.array([[c["score"] for c in a["classes"]] for a in answers], np.float32)
    logits = onnxruntime_logits(args.model, args.config.read_text(), pixels)
    expected = np.argsort(-logits, axis=1, kind="stable")[:, :BEST]
    largest = np.abs(logits).max(axis=1)
    apart = (np.abs(served_logits - np.take_along_axis(logits, served, axis=1)).max(axis=1) / largest).max()
    top1_equal = np.count_nonzero(served[:, 0] == expected[:, 0])
    top5_equal = np.count_nonzero((served == expected).all(axis=1))

    right = np.count_nonzero(served[:, 0] == labels)
    counted = [json.loads((args.answers / f"{name}.json").read_text()) for name in ("evaluated", "evaluated_local")]
    equally_counted = all((c["images"], c["failed"], c["top1"]["right"]) == (count, 0, right) for c in counted)

    accuracy = right / count
    print(f"accuracy                          {accuracy:8.2%}  at least {LEAST_ACCURACY:.0%} expected")
    print(f"resnetctl evaluate                {counted[0]['top1']['share']:8.2%}  and {counted[1]['top1']['share']:.2%} with --local")
    print(f"accuracy, nearest neighbour       {nearest_neighbour_accuracy(embeddings, labels):8.2%}"
          f"  of {embeddings.shape[1]} features by cosine, each image among the other {count - 1}")
    print(f"images/s, classify                {1000 * count / args.classify_ms:8.0f}  PNG files to JSON, resnetctl's start included")
    print(f"images/s, embed                   {1000 * count / args.embed_ms:8.0f}  PNG files to .npy")
    print(f"top 1 as ONNX Runtime's           {top1_equal:8d}  of {count}")
    print(f"top 5, in order, as ONNX Runtime's{top5_equal:8d}  of {count}")
    print(f"largest difference of a logit     {apart:8.1e}  of the image's largest |logit|")
    return 0 if top1_equal == top5_equal == count and equally_counted and accuracy >= LEAST_ACCURACY else 1


if __name__ == "__main__":
    sys.exit(main())
