"""A small residual network as TensorFlow exporters leave it: everything NHWC, transposes around every convolution.

What such files have and PyTorch's have not: the input is NHWC; a convolution is Transpose, Conv, Transpose, padded by
auto_pad SAME_UPPER; batch normalisation is a node between two transposes, or a Mul and an Add per channel (the last axis), or
folded into weights and an Add; the global pool is a ReduceMean over axes 1 and 2; the head is MatMul and Add.

The network is own_networks.TensorFlowStyle, whose parameters this takes. Needs numpy and onnx.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from model_template import Parameters

TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
STYLES = ("folded", "mul-add", "node")  # of batch normalisation; all three in every network


class Builder:
    """Collects nodes and initializers; every method returns the name of the tensor it yields."""

    def __init__(self, parameters: Parameters, opset: int):
        self.parameters, self.opset = parameters, opset
        self.nodes, self.initializers, self.convolutions = [], [], 0

    def constant(self, name: str, value: np.ndarray) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def learnt(self, name: str, expression: str) -> str:
        return self.constant(name, self.parameters.value(expression, 0))

    def node(self, op: str, inputs: list, output: str, **attributes) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"model/{output}", **attributes))
        return output

    def conv_bn(self, x: str, name: str, stride: int) -> str:
        style = STYLES[self.convolutions % len(STYLES)]
        self.convolutions += 1
        conv, bn = f"{name}.conv", f"{name}.bn"
        scaled = f" scaled {bn}" if style == "folded" else ""
        weights = self.learnt(f"{conv}/kernel", f"{conv}.weight{scaled}")
        y = self.node("Transpose", [x], f"{conv}/nchw", perm=TO_NCHW)
        y = self.node("Conv", [y, weights], f"{conv}/conv", auto_pad="SAME_UPPER", strides=[stride, stride])
        y = self.node("Transpose", [y], f"{conv}/nhwc", perm=TO_NHWC)
        if style == "node":
            y = self.node("Transpose", [y], f"{bn}/nchw", perm=TO_NCHW)
            parts = [self.learnt(f"{bn}/{p}", f"{bn}.{p}") for p in ("weight", "bias", "running_mean", "running_var")]
            y = self.node("BatchNormalization", [y, *parts], f"{bn}/bn", epsilon=self.parameters.epsilons[bn])
            return self.node("Transpose", [y], f"{bn}/nhwc", perm=TO_NHWC)
        if style == "mul-add":
            y = self.node("Mul", [y, self.learnt(f"{bn}/factor", f"factor {bn}")], f"{bn}/mul")
        return self.node("Add", [y, self.learnt(f"{bn}/shift", f"shift {bn}")], f"{bn}/add")

    def global_mean(self, x: str) -> str:
        if self.opset >= 18:
            return self.node("ReduceMean", [x, self.constant("mean/axes", np.array([1, 2], np.int64))], "mean", keepdims=0)
        return self.node("ReduceMean", [x], "mean", axes=[1, 2], keepdims=0)


def nhwc_resnet(parameters: Parameters, widths: tuple, channels: int, size: int, classes: int, opset: int, batch):
    """The ModelProto. `batch` is "dynamic" or a number."""
    b = Builder(parameters, opset)
    x = b.node("Relu", [b.conv_bn("input", "stem", 2)], "stem/relu")
    cin = widths[0]
    for i, cout in enumerate(widths):
        name, stride = f"blocks.{i}", 2 if i else 1
        y = b.node("Relu", [b.conv_bn(x, f"{name}.first", stride)], f"{name}.first/relu")
        y = b.conv_bn(y, f"{name}.second", 1)
        if cin != cout or stride != 1:
            x = b.conv_bn(x, f"{name}.shortcut", stride)
        x = b.node("Relu", [b.node("Add", [y, x], f"{name}/add")], f"{name}/relu")
        cin = cout
    y = b.node("MatMul", [b.global_mean(x), b.learnt("fc/kernel", "fc.weight transposed")], "fc/matmul")
    b.node("Add", [y, b.learnt("fc/bias", "fc.bias")], "logits")
    n = "batch" if batch == "dynamic" else int(batch)
    graph = helper.make_graph(
        b.nodes, "nhwc-resnet",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [n, size, size, channels])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [n, classes])],
        b.initializers,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="resnetd")
    model.ir_version = 8
    return model
