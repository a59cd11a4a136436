"""A residual network of two classes whose answers are known without any weights of a training: dark and bright images.

Its weights are by a seed and all but positive, so that the brighter an image, the larger each feature, and the classifier tells
on which side of the middle their mean is.
"""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE, FEATURES = 32, 8
LABELS = ("dark", "bright")


def write(path: pathlib.Path):
    rng = np.random.RandomState(1)
    weights = {
        "stem.weight": rng.uniform(0.2, 0.4, (FEATURES, 3, 3, 3)) / 9,
        "conv.weight": rng.uniform(0, 0.1, (FEATURES, FEATURES, 3, 3)) / 9,
        "fc.weight": np.array([[-1], [1]]) * np.ones(FEATURES),
        "fc.bias": np.array([FEATURES / 2, -FEATURES / 2]),
    }
    nodes = [
        helper.make_node("Conv", ["image", "stem.weight"], ["stem"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["stem"], ["x"]),
        helper.make_node("Conv", ["x", "conv.weight"], ["f"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["f", "x"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["features"]),
        helper.make_node("Gemm", ["features", "fc.weight", "fc.bias"], ["logits"], transB=1),
    ]
    graph = helper.make_graph(
        nodes, "pets", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(LABELS)])],
        [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(path))
