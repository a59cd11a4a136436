"""ONNX files without their weights, and how the weights come back: from a seed, the same numbers everywhere.

A template is an ONNX file as an exporter wrote it in which every large float tensor is empty and its doc_string says what
belongs there, in terms of a network's parameters; the file's metadata lists these parameters with the range each is drawn
from. A network of 100 MB is then a file of some 30 KB, and still the exporter's own graph.

    W                     parameter W
    W transposed          a linear layer's weights as MatMul reads them
    W scaled N            convolution W with normalisation N folded in: W * gamma / sqrt(variance + epsilon)
    factor N              gamma / sqrt(variance + epsilon) of normalisation N alone
    shift N               the bias that belongs to it:      beta - mean * gamma / sqrt(variance + epsilon)
    B shift N             with a bias B in front:           beta + (B - mean) * gamma / sqrt(variance + epsilon)
    repeat 0.25 0.5 0.25  these values over and over

Needs numpy and onnx (Debian's python3-onnx or newer). Only IEEE arithmetic and RandomState.random_sample, both of which
numpy keeps stable, and no sums, whose order it does not.
"""

import hashlib
import json

import numpy as np
import onnx
from onnx import numpy_helper

import make_resnet

METADATA = "parameters"
LARGE = 32  # values; smaller tensors stay in the file


class Parameters:
    """A network's parameters as ranges, and their values from a seed.

    `ranges` is name -> (shape, low, high), `epsilons` is name of a normalisation -> its epsilon.
    """

    def __init__(self, seed: int, ranges: dict | None = None, epsilons: dict | None = None):
        self.seed, self.ranges, self.epsilons = seed, ranges or {}, epsilons or {}

    def add(self, name: str, shape: tuple, low: float, high: float) -> np.ndarray:
        """Bounds are rounded to what the file holds, so that the values returned are those that come back."""
        self.ranges[name] = (list(shape), float(f"{low:.4g}"), float(f"{high:.4g}"))
        return self[name]

    def __getitem__(self, name: str) -> np.ndarray:
        shape, low, high = self.ranges[name]
        return make_resnet.seeded_uniform(self.seed, name, tuple(shape), low, high)

    def factor(self, norm: str) -> np.ndarray:
        variance = self[f"{norm}.running_var"].astype(np.float64)
        return self[f"{norm}.weight"] / np.sqrt(variance + self.epsilons[norm])

    def value(self, expression: str, count: int) -> np.ndarray:
        """The tensor that a doc_string asks for, float32, of `count` values in any shape."""
        words = expression.split()
        if words[0] == "repeat":
            return np.resize(np.array(words[1:], np.float32), count)
        if len(words) == 1:
            return self[words[0]]
        if words[1] == "transposed":
            return np.ascontiguousarray(self[words[0]].T)
        norm = words[-1]
        factor = self.factor(norm)
        if words[0] == "factor":
            return factor.astype(np.float32)
        if words[1] == "scaled":
            weights = self[words[0]]
            return (weights * factor.reshape(-1, *[1] * (weights.ndim - 1))).astype(np.float32)
        bias = self[words[0]] if len(words) == 3 else 0.0
        return (self[f"{norm}.bias"] + (bias - self[f"{norm}.running_mean"]) * factor).astype(np.float32)

    def to_json(self) -> str:
        return json.dumps({"seed": self.seed, "ranges": self.ranges, "epsilons": self.epsilons}, separators=(",", ":"))


def is_large_float(tensor: onnx.TensorProto) -> bool:
    return tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims, dtype=np.int64) >= LARGE


class Expressions:
    """Finds which expression makes a given tensor. `folds` is (convolution, normalisation that reads it) pairs."""

    def __init__(self, parameters: Parameters, folds: list):
        texts = list(parameters.ranges)
        texts += [f"{name} transposed" for name, (shape, _, _) in parameters.ranges.items() if len(shape) == 2]
        for conv, norm in folds:
            bias = f"{conv}.bias shift {norm}" if f"{conv}.bias" in parameters.ranges else f"shift {norm}"
            texts += [f"{conv}.weight scaled {norm}", f"factor {norm}", bias]
        self.values = {}  # count of values -> [(expression, values)]
        for text in texts:
            value = parameters.value(text, 0).ravel()
            self.values.setdefault(value.size, []).append((text, value))

    def find(self, value: np.ndarray) -> str:
        """Of the expressions that come within rounding, the one that comes closest."""
        flat = value.ravel()
        for period in (1, 9, 25):
            if flat.size % period == 0 and (flat.reshape(-1, period) == flat[:period]).all():
                return "repeat " + " ".join(f"{v:.9g}" for v in flat[:period])
        scale = np.abs(flat).max()
        near = [(np.abs(flat - v).max(), text) for text, v in self.values.get(flat.size, []) if abs(flat[0] - v[0]) < scale]
        if not near or min(near)[0] > 1e-5 * scale:
            raise ValueError(f"no parameter, folded or not, has the {flat.size} values that start with {flat[:3]}")
        return min(near)[1]


def drop_notes(model: onnx.ModelProto) -> None:
    """Drops what exporters note for people, in place: stack traces that hold the paths of a machine."""
    graph = model.graph
    for noted in (model, graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        del noted.metadata_props[:]
        noted.ClearField("doc_string")


def strip(model: onnx.ModelProto, parameters: Parameters, folds: list) -> onnx.ModelProto:
    """The template of `model`."""
    template = onnx.ModelProto.FromString(model.SerializeToString())
    drop_notes(template)
    expressions = Expressions(parameters, folds)
    for tensor in template.graph.initializer:
        if not is_large_float(tensor):
            continue
        expression = expressions.find(numpy_helper.to_array(tensor))
        stripped = onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type, doc_string=expression)
        tensor.CopyFrom(stripped)
    template.metadata_props.add(key=METADATA, value=parameters.to_json())
    return template


def fill(template: onnx.ModelProto) -> onnx.ModelProto:
    """The network that `template` stands for, as the exporter would have written it."""
    model = onnx.ModelProto.FromString(template.SerializeToString())
    (metadata,) = (p.value for p in model.metadata_props if p.key == METADATA)
    parameters = Parameters(**json.loads(metadata))
    del model.metadata_props[:]
    for tensor in model.graph.initializer:
        if is_large_float(tensor):
            value = parameters.value(tensor.doc_string, int(np.prod(tensor.dims)))
            tensor.CopyFrom(numpy_helper.from_array(value.reshape(tensor.dims), tensor.name))
    return model


def weights_hash(model: onnx.ModelProto) -> str:
    """SHA-256 of all learnt values with their names. Not of the file: protobuf promises no stable bytes."""
    digest = hashlib.sha256()
    for tensor in model.graph.initializer:
        digest.update(tensor.name.encode() + b"\0" + numpy_helper.to_array(tensor).tobytes())
    return digest.hexdigest()


def images_hash(images: np.ndarray) -> str:
    return hashlib.sha256(images.astype("<f4").tobytes()).hexdigest()
