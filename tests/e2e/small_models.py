"""Small models of which the tests know what their heads compute: a CIFAR ResNet with other ends.

Every model ends in `flatten`, the embedding, and what comes behind is a few lines of numpy.
"""

import pathlib

import images
import numpy as np
import onnx
from onnx import helper, numpy_helper

CLASSES, FEATURES = 12, 64
LAST_MAP = "layer3.2.add_relu"  # 64 x 8 x 8; its mean is the embedding
MIDDLE_MAP = "layer2.2.add_relu"  # 32 x 16 x 16


def base(folder: pathlib.Path) -> onnx.ModelProto:
    """32x32 RGB, stages of 16, 32 and 64 channels, Gemm "logits" of 12 classes."""
    path = images.make_resnet(folder / "base.onnx", "--arch", "cifar20", "--shortcut", "B", "--classes", str(CLASSES))
    return onnx.load(str(path))


def weights(model: onnx.ModelProto, name: str) -> np.ndarray:
    (tensor,) = [t for t in model.graph.initializer if t.name == name]
    return numpy_helper.to_array(tensor).astype(np.float64)


def fc(model: onnx.ModelProto, embeddings: np.ndarray, name: str = "fc") -> np.ndarray:
    """What the Gemm with these weights makes of embeddings [N, 64]."""
    return embeddings @ weights(model, f"{name}.weight").T + weights(model, f"{name}.bias")


def without_classifier(model: onnx.ModelProto) -> onnx.ModelProto:
    graph = model.graph
    (gemm,) = [n for n in graph.node if n.op_type == "Gemm"]
    graph.node.remove(gemm)
    set_outputs(graph, {"flatten": FEATURES})
    return model


def ending_in(model: onnx.ModelProto, op: str, **attributes) -> onnx.ModelProto:
    model.graph.node.append(helper.make_node(op, ["logits"], ["scores"], **attributes))
    set_outputs(model.graph, {"scores": CLASSES})
    return model


def with_second_head(model: onnx.ModelProto, name: str, classes: int, activation: str = "") -> onnx.ModelProto:
    add_gemm(model.graph, name, classes, "flatten", FEATURES, activation)
    set_outputs(model.graph, {"logits": CLASSES, name: classes})
    return model


def ending_in_gemm(model: onnx.ModelProto, name: str, width: int, src: str = "flatten", features: int = FEATURES,
                   activation: str = "") -> onnx.ModelProto:
    """In place of the classifier, a Gemm of `src` as output `name`."""
    (gemm,) = [n for n in model.graph.node if n.op_type == "Gemm"]
    model.graph.node.remove(gemm)
    add_gemm(model.graph, name, width, src, features, activation)
    set_outputs(model.graph, {name: width})
    return model


def add_gemm(graph: onnx.GraphProto, name: str, width: int, src: str, features: int, activation: str = ""):
    rng = np.random.RandomState(5)
    for part, shape in (("weight", (width, features)), ("bias", (width,))):
        values = (rng.normal(size=shape) / np.sqrt(features)).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(values, f"{name}.{part}"))
    raw = f"{name}.raw" if activation else name
    graph.node.append(helper.make_node("Gemm", [src, f"{name}.weight", f"{name}.bias"], [raw], transB=1))
    if activation:
        graph.node.append(helper.make_node(activation, [raw], [name]))


def append(model: onnx.ModelProto, op: str, inputs: list[str], output: str, width: int | None = 1,
           **constants: np.ndarray):
    """One node more, and its output in place of the others; `width` None: of [batch]. Its constants by their names."""
    for name, values in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    model.graph.node.append(helper.make_node(op, inputs, [output]))
    del model.graph.output[:]
    shape = ["batch"] if width is None else ["batch", width]
    model.graph.output.append(helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, shape))


def flattened(model: onnx.ModelProto) -> onnx.ModelProto:
    """With the last map as a vector, "map", of 64 x 8 x 8 values."""
    model.graph.node.append(helper.make_node("Flatten", [LAST_MAP], ["map"]))
    return model


def damaged(model: onnx.ModelProto, value: float) -> onnx.ModelProto:
    """With one weight of the classifier replaced."""
    (tensor,) = [t for t in model.graph.initializer if t.name == "fc.weight"]
    values = numpy_helper.to_array(tensor).copy()
    values[3, 5] = value
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model


def set_outputs(graph: onnx.GraphProto, widths: dict[str, int]):
    del graph.output[:]
    for name, width in widths.items():
        graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", width]))


def save(model: onnx.ModelProto, models: pathlib.Path, name: str, config: str = "", weights_file: str = "",
         **files: str):
    """As models/NAME/1/model.onnx, with a config and other text files beside it: labels="..." is labels.txt."""
    folder = models / name / "1"
    folder.mkdir(parents=True)
    onnx.checker.check_model(model)
    onnx.save_model(model, str(folder / "model.onnx"), save_as_external_data=bool(weights_file), location=weights_file)
    (folder / "config.textproto").write_text(config)
    for file, text in files.items():
        (folder / f"{file}.txt").write_text(text)
