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
    graph = model.graph
    rng = np.random.RandomState(5)
    for part, shape in (("weight", (classes, FEATURES)), ("bias", (classes,))):
        values = rng.normal(size=shape).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(values, f"{name}.{part}"))
    raw = f"{name}.raw" if activation else name
    graph.node.append(helper.make_node("Gemm", ["flatten", f"{name}.weight", f"{name}.bias"], [raw], transB=1))
    if activation:
        graph.node.append(helper.make_node(activation, [raw], [name]))
    set_outputs(graph, {"logits": CLASSES, name: classes})
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
