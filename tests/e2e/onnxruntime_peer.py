"""Compares a server's answers with ONNX Runtime's on the same file."""

import pathlib
import subprocess

import images
import numpy as np
import onnx
from client import Error, pb

TOLERANCE = 1e-4  # of the largest value expected
SCRIPT = pathlib.Path(__file__).parent / "onnxruntime_answers.py"


def answers(python: str, files: dict[str, tuple[onnx.ModelProto, np.ndarray]], folder: pathlib.Path) -> dict:
    """By name of the file: ONNX Runtime's outputs by their names."""
    folder.mkdir(exist_ok=True)
    for name, (model, values) in files.items():
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
        np.save(folder / f"{name}.npy", values)
    subprocess.run([python, SCRIPT, folder], check=True, timeout=300)
    return {name: dict(np.load(folder / f"{name}.npz")) for name in files}


def image_of(values: np.ndarray) -> pb.Image:
    """The one image of an input with a batch of one: pixels with the channels last, floats with the channels first."""
    (one,) = values
    return images.u8(np.ascontiguousarray(one)) if one.dtype == np.uint8 else images.f32(np.ascontiguousarray(one))


def served(test, name: str, image: pb.Image) -> dict[int, np.ndarray]:
    """The vectors of a model's embedding and of its first head's scores, by their sizes."""
    model = test.ok("GetModel", pb.GetModelRequest(model=name))
    (embedded,) = test.ok("Embed", pb.EmbedRequest(model=name, images=[image])).results
    vectors = {len(embedded.embedding): np.array(embedded.embedding)}
    if model.heads:
        options = pb.ClassifyOptions(top_k=model.heads[0].classes, scores=pb.ClassifyOptions.LOGITS)
        answer = test.client.call("Classify", pb.ClassifyRequest(model=name, images=[image], options=options))
        test.assertNotIsInstance(answer, Error)
        classes = sorted(answer.results[0].classes, key=lambda c: c.index)
        vectors[len(classes)] = np.array([c.score for c in classes])
    return vectors


def assert_same(test, name: str, expected: dict[str, np.ndarray], vectors: dict[int, np.ndarray]) -> None:
    """That each output of floats is among the vectors."""
    for output, values in expected.items():
        if values.dtype.kind != "f":
            continue
        flat = values.astype(np.float64).ravel()
        test.assertIn(flat.size, vectors, f"{name}: no vector of {output}'s size")
        got = vectors[flat.size]
        difference = np.abs(got - flat).max() / np.abs(flat).max()
        test.assertLess(difference, TOLERANCE, f"{name}: {output}: {got} and not {flat}")
