"""Residual networks as ONNX graphs, from plain numpy weights.

The graphs are laid out as PyTorch's exporter writes torchvision's models: the same operators in the same order, with the
same attributes, so that a file made here exercises the path a user's file takes. Weights come in a dict under
torchvision's names (`layer1.0.conv1.weight`, `layer1.0.bn1.running_mean`, `layer1.0.downsample.0.weight`, `fc.bias`).

Sources: He et al., "Deep Residual Learning for Image Recognition", 2015 (table 1 for ImageNet, section 4.2 for CIFAR);
torchvision.models.resnet for names and for the stride in the bottleneck's 3x3 convolution.

Needs numpy and onnx (Debian's python3-onnx or newer).
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# depth -> (blocks per stage, bottleneck)
IMAGENET_STAGES = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
BN_EPSILON = 1e-5


class Builder:
    """Collects nodes and initializers; every method returns the name of the tensor it yields."""

    def __init__(self, weights: dict, opset: int, fold_bn: bool):
        if not 13 <= opset <= 18:
            raise ValueError(f"opset must be 13 to 18, got {opset}")
        self.weights, self.opset, self.fold_bn = weights, opset, fold_bn
        self.nodes, self.initializers = [], []

    def constant(self, name: str, value: np.ndarray) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, op: str, inputs: list, output: str, **attributes) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"/{output}/{op}", **attributes))
        return output

    def conv_bn(self, x: str, conv: str, bn: str, stride: int) -> str:
        """Convolution without bias and batch normalisation; one convolution with a bias if `fold_bn`."""
        w = self.weights[f"{conv}.weight"]
        pad = w.shape[2] // 2
        attributes = {
            "dilations": [1, 1], "group": 1, "kernel_shape": list(w.shape[2:]),
            "pads": [pad] * 4, "strides": [stride] * 2,
        }  # fmt: skip
        scale, shift, mean, variance = (
            self.weights[f"{bn}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        if self.fold_bn:
            factor = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + BN_EPSILON)
            folded = (w * factor[:, None, None, None]).astype(np.float32)
            bias = (shift - mean * factor).astype(np.float32)
            inputs = [x, self.constant(f"{conv}.weight", folded), self.constant(f"{conv}.bias", bias)]
            return self.node("Conv", inputs, conv, **attributes)
        y = self.node("Conv", [x, self.constant(f"{conv}.weight", w)], conv, **attributes)
        parts = {"weight": scale, "bias": shift, "running_mean": mean, "running_var": variance}
        names = [self.constant(f"{bn}.{part}", value) for part, value in parts.items()]
        return self.node("BatchNormalization", [y, *names], bn, epsilon=BN_EPSILON, momentum=0.9)

    def relu(self, x: str) -> str:
        return self.node("Relu", [x], f"{x}_relu")

    def option_a(self, x: str, name: str, stride: int, cin: int, cout: int) -> str:
        """The parameter-free shortcut: every `stride`-th pixel, zeros for the channels that are new."""
        i64 = lambda part, values: self.constant(f"{name}.{part}", np.array(values, np.int64))
        far = np.iinfo(np.int64).max
        y = self.node(
            "Slice",
            [x, i64("starts", [0, 0]), i64("ends", [far, far]), i64("axes", [2, 3]), i64("steps", [stride, stride])],
            f"{name}.slice",
        )
        before = (cout - cin) // 2
        pads = i64("pads", [0, before, 0, 0, 0, cout - cin - before, 0, 0])
        return self.node("Pad", [y, pads], f"{name}.pad", mode="constant")

    def basic_block(self, x: str, name: str, stride: int, cin: int, cout: int, shortcut: tuple) -> str:
        y = self.relu(self.conv_bn(x, f"{name}.conv1", f"{name}.bn1", stride))
        y = self.conv_bn(y, f"{name}.conv2", f"{name}.bn2", 1)
        return self.join(x, y, name, stride, cin, cout, shortcut)

    def bottleneck(self, x: str, name: str, stride: int, cin: int, cout: int, shortcut: tuple) -> str:
        y = self.relu(self.conv_bn(x, f"{name}.conv1", f"{name}.bn1", 1))
        y = self.relu(self.conv_bn(y, f"{name}.conv2", f"{name}.bn2", stride))
        y = self.conv_bn(y, f"{name}.conv3", f"{name}.bn3", 1)
        return self.join(x, y, name, stride, cin, cout, shortcut)

    def join(self, x: str, y: str, name: str, stride: int, cin: int, cout: int, shortcut: tuple) -> str:
        """ReLU(F(x) + shortcut(x)); `shortcut` is (kind, module name of a projection)."""
        kind, module = shortcut
        if stride != 1 or cin != cout:
            if kind == "A":
                x = self.option_a(x, f"{name}.shortcut", stride, cin, cout)
            else:
                x = self.conv_bn(x, f"{name}.{module}.0", f"{name}.{module}.1", stride)
        return self.relu(self.node("Add", [y, x], f"{name}.add"))

    def head(self, x: str) -> str:
        y = self.node("GlobalAveragePool", [x], "avgpool")
        y = self.node("Flatten", [y], "flatten", axis=1)
        weight, bias = (self.constant(f"fc.{part}", self.weights[f"fc.{part}"]) for part in ("weight", "bias"))
        return self.node("Gemm", [y, weight, bias], "logits", alpha=1.0, beta=1.0, transB=1)

    def model(self, name: str, channels: int, size: int, classes: int, batch) -> onnx.ModelProto:
        n = "batch" if batch == "dynamic" else int(batch)
        graph = helper.make_graph(
            self.nodes, name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [n, channels, size, size])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [n, classes])],
            self.initializers,
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], producer_name="resnetd")
        model.ir_version = 8
        return model


def cifar_resnet(n, shortcut, weights, channels, size, classes, opset=17, batch="dynamic", fold_bn=False):
    """The 6n+2-layer network of section 4.2; `shortcut` is "A" (padded identity) or "B" (projection)."""
    b = Builder(weights, opset, fold_bn)
    x = b.relu(b.conv_bn("input", "conv1", "bn1", 1))
    cin = 16
    for stage, cout in enumerate((16, 32, 64), start=1):
        for i in range(n):
            stride = 2 if stage > 1 and i == 0 else 1
            x = b.basic_block(x, f"layer{stage}.{i}", stride, cin, cout, (shortcut, "shortcut"))
            cin = cout
    b.head(x)
    return b.model(f"cifar-resnet{6 * n + 2}{shortcut}", channels, size, classes, batch)


def imagenet_resnet(depth, weights, channels=3, size=224, classes=1000, opset=17, batch="dynamic", fold_bn=False):
    """Table 1's networks as torchvision has them: projections where shapes change, stride in the 3x3."""
    blocks, bottleneck = IMAGENET_STAGES[depth]
    b = Builder(weights, opset, fold_bn)
    x = b.relu(b.conv_bn("input", "conv1", "bn1", 2))
    x = b.node("MaxPool", [x], "maxpool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, ceil_mode=0)
    expansion = 4 if bottleneck else 1
    block = b.bottleneck if bottleneck else b.basic_block
    cin = 64
    for stage, count in enumerate(blocks, start=1):
        cout = 64 * 2 ** (stage - 1) * expansion
        for i in range(count):
            stride = 2 if stage > 1 and i == 0 else 1
            x = block(x, f"layer{stage}.{i}", stride, cin, cout, ("B", "downsample"))
            cin = cout
    b.head(x)
    return b.model(f"resnet{depth}", channels, size, classes, batch)
