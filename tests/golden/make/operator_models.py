#!/usr/bin/env python3
"""Networks of one operator, as small as can be, at the opsets where the operator changed.

    tests/golden/make/operator_models.py --out FOLDER      writes CASE.onnx of each case and images.f32, the images of all
    tests/golden/make/operator_models.py --answers         writes data/operators/: what ONNX Runtime answers (run by hand)

Every network reads two images of 4x6x5 and yields a vector. Numbers come from integers, the same on every machine.
"""

import argparse
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

EXPECTED = pathlib.Path(__file__).resolve().parents[1] / "data" / "operators"
IMAGES, SHAPE = 2, (4, 6, 5)
OPSETS = (7, 11, 13, 18, 22)  # the first, Clip's and Pad's inputs, axes of Squeeze, axes of reductions, the last
FAR = 2**63 - 1


def numbers(shape: tuple[int, ...], low: float, high: float, seed: int = 1) -> np.ndarray:
    """Float32 values of [low, high), scattered."""
    count = int(np.prod(shape, dtype=np.int64))
    scattered = (np.arange(count, dtype=np.int64) * 7919 + seed * 104729) % 1009
    return (low + (high - low) * scattered / 1009).astype(np.float32).reshape(shape)


def images() -> np.ndarray:
    return numbers((IMAGES, *SHAPE), -2, 2)


class Network:
    """Nodes in the making, from "x" to "z". An array among the inputs is a constant."""

    def __init__(self, opset: int):
        self.opset, self.nodes, self.constants = opset, [], []

    def __call__(self, op: str, inputs: list, outputs=("z",), **attributes) -> "Network":
        names = []
        for value in inputs:
            if isinstance(value, np.ndarray):
                name = f"k{len(self.constants)}"
                self.constants.append(numpy_helper.from_array(value, name))
                value = name
            names.append(value)
        self.nodes.append(helper.make_node(op, names, list(outputs), **attributes))
        return self

    def with_axes(self, op: str, source: str, output: str, axes: list[int], since: int, **attributes) -> "Network":
        """Axes are an input since that opset, an attribute before."""
        if self.opset >= since:
            return self(op, [source, ints(axes)], [output], **attributes)
        return self(op, [source], [output], axes=axes, **attributes)

    def model(self) -> onnx.ModelProto:
        value = lambda name, dims: helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)  # noqa: E731
        nodes = [*self.nodes, helper.make_node("Flatten", ["z"], ["y"])]
        graph = helper.make_graph(
            nodes, "operator", [value("x", ["n", *SHAPE])], [value("y", ["n", "values"])], self.constants
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)


def ints(values: list[int]) -> np.ndarray:
    return np.array(values, np.int64)


def one(value: float) -> np.ndarray:
    return np.array(value, np.float32)


def floats(*shape: int, low: float = 0.5, high: float = 2, seed: int = 2) -> np.ndarray:
    return numbers(shape, low, high, seed)


def functions(opset: int):
    """Functions of each element."""
    for op, since, attributes in (
        ("Relu", 7, {}),
        ("LeakyRelu", 7, {}),
        ("LeakyRelu", 7, {"alpha": 0.3}),
        ("Elu", 7, {}),
        ("Elu", 7, {"alpha": 0.7}),
        ("Exp", 7, {}),
        ("Erf", 9, {}),
        ("Tanh", 7, {}),
        ("Sigmoid", 7, {}),
        ("HardSigmoid", 7, {}),
        ("HardSigmoid", 7, {"alpha": 0.25, "beta": 0.4}),
        ("HardSwish", 14, {}),
        ("Gelu", 20, {}),
        ("Gelu", 20, {"approximate": "tanh"}),
        ("Identity", 7, {}),
        ("Abs", 7, {}),
        ("Neg", 7, {}),
        ("Softplus", 7, {}),
        ("Mish", 18, {}),
        ("Selu", 7, {}),
        ("Selu", 7, {"alpha": 1.5, "gamma": 0.7}),
        ("Celu", 12, {}),
        ("Celu", 12, {"alpha": 0.4}),
        ("Dropout", 7, {}),
        ("Cast", 7, {"to": TensorProto.FLOAT}),
    ):
        if opset >= since:
            yield "-".join([op, *map(str, attributes.values())]), Network(opset)(op, ["x"], **attributes)
    yield "Reciprocal", Network(opset)("Exp", ["x"], ["e"])("Reciprocal", ["e"])
    yield "Log", Network(opset)("Exp", ["x"], ["e"])("Log", ["e"])
    last = {"axis": -1} if opset >= 11 else {"axis": 3}
    yield "Log-Softmax", Network(opset)("Softmax", ["x"], ["e"], **last)("Log", ["e"])
    softplus = Network(opset)("Exp", ["x"], ["e"])("Add", ["e", one(1)], ["p"])("Log", ["p"], ["s"])
    yield "Softplus-pieces", softplus("Tanh", ["s"], ["t"])("Mul", ["t", "x"])
    if opset == 13:
        cube = Network(opset)("Mul", ["x", "x"], ["q"])("Mul", ["x", "q"], ["c"])
    else:
        cube = Network(opset)("Pow", ["x", one(3)], ["c"])
    scaled = cube("Mul", ["c", one(0.044715)], ["s"])("Add", ["x", "s"], ["p"])("Mul", ["p", one(0.7978845608)], ["i"])
    tanh = scaled("Tanh", ["i"], ["t"])("Add", ["t", one(1)], ["o"])("Mul", ["x", one(0.5)], ["h"])
    yield "Gelu-tanh-pieces", tanh("Mul", ["h", "o"])
    yield "Sqrt", Network(opset)("Exp", ["x"], ["e"])("Sqrt", ["e"])
    for exponent in (2.0, 0.5, 3.0, -1.0):
        yield f"Pow-{exponent}", Network(opset)("Exp", ["x"], ["e"])("Pow", ["e", one(exponent)])
    if opset >= 12:
        yield "Pow-integer", Network(opset)("Pow", ["x", ints([2])])
    low, high = one(-1), one(0.5)
    for name, bounds in (("open", {}), ("min", {"min": low}), ("max", {"max": high}), ("both", {"min": low, "max": high})):
        if opset < 11:
            yield f"Clip-{name}", Network(opset)("Clip", ["x"], **{k: float(v) for k, v in bounds.items()})
        else:
            yield f"Clip-{name}", Network(opset)("Clip", ["x", bounds.get("min", ""), bounds.get("max", "")])
    for shape in ((4, 1, 1), (1, 4, 1, 1), (1,), (1, 1, 1)):
        yield f"PRelu-{shape}", Network(opset)("PRelu", ["x", floats(*shape, low=-1, high=1)])


def pairs(opset: int):
    """Operations on pairs of elements."""
    shapes = ((), (1,), (5,), (6, 1), (6, 5), (4, 1, 1), (1, 4, 1, 1), (1, 4, 6, 5), (1, 1, 6, 5), (1, 1, 1, 1))
    for op in ("Add", "Sub", "Mul", "Div"):
        for shape in shapes if opset == 13 else ((), (1, 4, 1, 1)):
            yield f"{op}-{shape}", Network(opset)(op, ["x", floats(*shape)])
            yield f"{op}-{shape}-turned", Network(opset)("Exp", ["x"], ["e"])(op, [floats(*shape), "e"])
        yield f"{op}-two", Network(opset)("Exp", ["x"], ["e"])(op, ["x", "e"])
        yield f"{op}-itself", Network(opset)("Exp", ["x"], ["e"])(op, ["e", "e"])
        pooled = lambda: Network(opset)("Exp", ["x"], ["e"])("GlobalAveragePool", ["e"], ["g"])  # noqa: E731
        yield f"{op}-pooled", pooled()(op, ["x", "g"])
        yield f"{op}-pooled-turned", pooled()(op, ["g", "e"])
        folded = Network(opset)(op, [floats(4, 1, 1), floats(1, 5)], ["k"])
        yield f"{op}-folded", folded("Add", ["x", "k"])


def several(opset: int):
    """Operators of any number of tensors."""
    for op in ("Sum", "Max", "Min", "Mean"):
        pooled = lambda: Network(opset)("Exp", ["x"], ["e"])("GlobalAveragePool", ["e"], ["g"])  # noqa: E731
        yield f"{op}-one", pooled()(op, ["x"])
        yield f"{op}-two", pooled()(op, ["x", "e"])
        if opset < 8:  # they repeat nothing yet
            continue
        yield f"{op}-three", pooled()(op, ["e", "g", "x"])
        yield f"{op}-five", pooled()(op, ["g", "x", one(0.5), floats(1, 4, 1, 1), "e"])
        yield f"{op}-constants", pooled()(op, [floats(4, 1, 1), floats(1, 5), one(0.25)], ["k"])("Add", ["x", "k"])
        yield f"{op}-constant", pooled()(op, [floats(4, 1, 1), "x"])
        yield f"{op}-zero", pooled()(op, ["x", one(0)])


def lengths(opset: int):
    """Normalisations by a vector's length, in the forms that exporters write."""
    vector = lambda: Network(opset)("Flatten", ["x"], ["v"])  # noqa: E731
    sources = (("v", [1]), ("v", [-1]), ("x", [1]), ("x", [-1]), ("x", [2]))
    for source, axes in sources if opset in (7, 13, 18) else ():
        def start(source=source):
            return vector() if source == "v" else Network(opset)

        name = f"{source}-{axes[0]}"
        plain = lambda: start().with_axes("ReduceL2", source, "l", axes, 18, keepdims=1)  # noqa: E731
        yield f"Length-{name}", plain()("Div", [source, "l"])
        low = ["l", one(1e-3), ""] if opset >= 11 else ["l"]
        clip = lambda: plain()("Clip", low, ["c"], **({} if opset >= 11 else {"min": 1e-3}))  # noqa: E731
        if opset >= 8:
            yield f"Length-clip-expand-{name}", clip()("Shape", [source], ["s"])("Expand", ["c", "s"], ["e"])("Div", [source, "e"])
        if opset >= 8:
            yield f"Length-max-{name}", plain()("Max", ["l", one(2)], ["c"])("Div", [source, "c"])
        yield f"Length-plus-{name}", plain()("Add", ["l", one(0.5)], ["c"])("Reciprocal", ["c"], ["r"])("Mul", ["r", source])
        squares = lambda: start()("Mul", [source, source], ["q"]).with_axes("ReduceSum", "q", "t", axes, 13, keepdims=1)  # noqa: E731
        yield f"Length-root-{name}", squares()("Sqrt", ["t"], ["l"])("Div", [source, "l"])
        yield f"Length-inside-{name}", squares()("Add", ["t", one(0.5)], ["u"])("Sqrt", ["u"], ["l"])("Div", [source, "l"])
        power = start()("Pow", [source, one(2)], ["q"]).with_axes("ReduceSum", "q", "t", axes, 13, keepdims=1)
        power = power("Max", ["t", one(0.5)], ["m"]) if opset >= 8 else power("Add", ["t", one(0.5)], ["m"])
        yield f"Length-rsqrt-{name}", power("Sqrt", ["m"], ["l"])("Reciprocal", ["l"], ["r"])("Mul", [source, "r"])
        yield f"Length-power-{name}", squares()("Pow", ["t", one(0.5)], ["l"])("Div", [source, "l"])
        yield f"Length-one-over-{name}", plain()("Div", [one(1), "l"], ["r"])("Mul", [source, "r"])
        gone = start().with_axes("ReduceL2", source, "g", axes, 18, keepdims=0).with_axes("Unsqueeze", "g", "l", axes, 13)
        if opset >= 11 or axes[0] > 0:
            yield f"Length-unsqueezed-{name}", gone("Div", [source, "l"])
        square_sum = start().with_axes("ReduceSumSquare", source, "t", axes, 18, keepdims=1)
        yield f"Length-sum-square-{name}", square_sum("Sqrt", ["t"], ["l"])("Div", [source, "l"])
        yield f"LpNormalization-{name}", start()("LpNormalization", [source], axis=axes[0])
    zeros = Network(opset)("Flatten", ["x"], ["v"])("Mul", ["v", one(0)], ["w"])("LpNormalization", ["w"], ["n"], axis=1)
    yield "LpNormalization-zeros", zeros("Add", ["n", "v"])


def reductions(opset: int):
    for op, since in (("ReduceMean", 18), ("ReduceSum", 13), ("ReduceL2", 18), ("ReduceMax", 18)):
        for axes in ([2, 3], [1], [-1], [3, 1], [-2, -1]):
            for keep in (0, 1):
                reduced = Network(opset).with_axes(op, "x", "z", axes, since, keepdims=keep)
                yield f"{op}-{axes}-{keep}", reduced
        yield f"{op}-all", Network(opset).with_axes(op, "x", "z", [1, 2, 3], since)
    yield "GlobalMaxPool", Network(opset)("GlobalMaxPool", ["x"])
    yield "GlobalAveragePool", Network(opset)("GlobalAveragePool", ["x"])
    for axis in (None, 1, 2, 3) + ((-1, -2) if opset >= 11 else ()):
        attributes = {} if axis is None else {"axis": axis}
        yield f"Softmax-{axis}", Network(opset)("Softmax", ["x"], ["s"], **attributes)("Mul", ["s", "x"])


    for axis in (None, 1, 2, 3) + ((-1, -2) if opset >= 11 else ()):
        yield f"LogSoftmax-{axis}", Network(opset)("LogSoftmax", ["x"], **({} if axis is None else {"axis": axis}))
    yield "ReduceSumSquare", Network(opset).with_axes("ReduceSumSquare", "x", "z", [2, 3], 18)


def moves(opset: int):
    """Operators that move elements."""
    if opset >= 8:
        pooled = lambda: Network(opset)("GlobalAveragePool", ["x"], ["g"])  # noqa: E731
        yield "Expand", pooled()("Expand", ["g", ints([1, 4, 6, 5])])
        yield "Expand-shape", pooled()("Shape", ["x"], ["s"])("Expand", ["g", "s"], ["e"])("Mul", ["x", "e"])
        yield "Expand-short", pooled()("Expand", ["g", ints([6, 1])])
        yield "Expand-nothing", pooled()("Expand", ["g", ints([1])], ["e"])("Add", ["x", "e"])
        yield "Expand-constant", Network(opset)("Expand", [floats(4, 1, 1), ints([1, 4, 6, 1])], ["k"])("Add", ["x", "k"])
    if opset >= 9:
        fill = numpy_helper.from_array(np.array([0.5], np.float32))
        yield "ConstantOfShape", Network(opset)("ConstantOfShape", [ints([4, 1, 5])], ["k"], value=fill)("Mul", ["x", "k"])
        like = Network(opset)("Shape", ["x"], ["s"])("ConstantOfShape", ["s"], ["k"], value=fill)
        yield "ConstantOfShape-like", like("Add", ["x", "k"])
        yield "ConstantOfShape-zeros", Network(opset)("ConstantOfShape", [ints([1])], ["k"])("Sub", ["x", "k"])
    for axis, sizes in ((1, [1, 1, 2]), (2, [1, 4, 1]), (3, [2, 2, 1])):
        inputs = ["x", ints(sizes)] if opset >= 13 else ["x"]
        attributes = {} if opset >= 13 else {"split": sizes}
        parts = Network(opset)("Split", inputs, ["a", "b", "c"], axis=axis, **attributes)
        yield f"Split-three-{axis}", parts("Concat", ["c", "a", "b"], axis=axis)
        if sizes[0] == sizes[1]:
            chunks = Network(opset)("Split", inputs, ["a", "b", "c"], axis=axis, **attributes)("Add", ["a", "b"], ["d"])
            yield f"Split-add-{axis}", chunks("Concat", ["a", "d", "c"], axis=axis)
    for starts, ends, axes, steps in (
        ([0, 1], [FAR, -1], [2, 3], [2, 1]),
        ([-3], [FAR], [-1], [1]),
        ([1], [100], [1], [1]),
        ([0, 0], [FAR, 4], [0, 2], [1, 3]),
        ([-100], [2], [1], [1]),
    ):
        if opset >= 11:
            yield f"Slice-{starts}", Network(opset)("Slice", ["x", *map(ints, (starts, ends, axes, steps))])
        elif set(steps) == {1}:
            yield f"Slice-{starts}", Network(opset)("Slice", ["x"], starts=starts, ends=ends, axes=axes)
    for sizes in ([], [1, 3], [3, 1]):
        inputs = ["x", ints(sizes)] if sizes and opset >= 13 else ["x"]
        attributes = {"split": sizes} if sizes and opset < 13 else {}
        attributes.update({"num_outputs": 2} if not sizes and opset >= 18 else {})
        yield f"Split-{sizes}", Network(opset)("Split", inputs, ["a", "b"], axis=1, **attributes)(
            "Concat", ["b", "a"], axis=1
        )
    if opset >= 18:
        yield "Split-uneven", Network(opset)("Split", ["x"], ["a", "b"], axis=3, num_outputs=2)(
            "Concat", ["b", "a"], axis=3
        )
    yield "Concat", Network(opset)("Exp", ["x"], ["e"])("Concat", ["x", "e", "x"], axis=2)
    for perm in ([0, 2, 3, 1], [0, 3, 1, 2], [0, 1, 2, 3]):
        yield f"Transpose-{perm}", Network(opset)("Transpose", ["x"], perm=perm)
    for pads in ([0, 0, 1, 2, 0, 0, 0, 1], [0, 1, 0, 0, 0, 2, 0, 0], [0] * 8):
        for mode in ("constant", "reflect", "edge"):
            if opset < 11:
                yield f"Pad-{mode}-{pads}", Network(opset)("Pad", ["x"], pads=pads, mode=mode, value=0.5)
            else:
                value = one(0.5)
                yield f"Pad-{mode}-{pads}", Network(opset)("Pad", ["x", ints(pads), value], mode=mode)
    if opset >= 18:
        yield "Pad-axes", Network(opset)("Pad", ["x", ints([1, 2, 3, 0]), "", ints([3, -2])])


def shapes(opset: int):
    """Other axes, and arithmetic on shapes."""
    spread = Network(opset).with_axes("Unsqueeze", "x", "u", [2, 4], 13)
    yield "Unsqueeze", spread("Transpose", ["u"], perm=[0, 3, 2, 1, 4, 5])
    gate = Network(opset)("GlobalAveragePool", ["x"], ["g"]).with_axes("Squeeze", "g", "s", [2, 3], 13)
    yield "Squeeze", gate.with_axes("Unsqueeze", "s", "u", [2, 3], 13)("Add", ["x", "u"])
    for to in ([0, 4, 30], [-1, 120], [0, -1], [0, 0, -1], [0, 2, 2, 3, 10], [-1, 6, 20]):
        last = {"axis": len(to) - 1} if opset < 13 else {}
        yield f"Reshape-{to}", Network(opset)("Reshape", ["x", ints(to)], ["r"])("Softmax", ["r"], **last)
    back = Network(opset)("Reshape", ["x", ints([0, -1])], ["r"])("Exp", ["r"], ["e"])("Shape", ["x"], ["s"])
    yield "Shape-back", back("Reshape", ["e", "s"], ["q"])("Add", ["x", "q"])
    sizes = Network(opset)("Shape", ["x"], ["s"])
    for index, name in ((0, "n"), (2, "h")):
        sizes("Gather", ["s", np.array(index, np.int64)], [name], axis=0)
        sizes.with_axes("Unsqueeze", name, name + "1", [0], 13)
    sizes("Mul", ["h1", ints([5])], ["hw"])("Div", ["hw", ints([2])], ["half"])
    sizes("Concat", ["n1", ints([-1]), "half"], ["to"], axis=0)
    yield "Shape-arithmetic", sizes("Reshape", ["x", "to"], ["r"])("Softmax", ["r"], axis=2)
    if opset >= 15:
        parts = Network(opset)("Shape", ["x"], ["first"], end=1)("Shape", ["x"], ["last"], start=-1)
        parts("Concat", ["first", "last", ints([-1])], ["to"], axis=0)
        yield "Shape-parts", parts("Reshape", ["x", "to"], ["r"])("Softmax", ["r"], axis=2)
    constant = Network(opset)("Cast", [ints([3])], ["k"], to=TensorProto.FLOAT)
    yield "Constant-cast", constant("Mul", ["x", "k"])
    if opset < 13:
        spread = Network(opset)("Unsqueeze", [floats(4)], ["k"], axes=[1, 2])
    else:
        spread = Network(opset)("Unsqueeze", [floats(4), ints([1, 2])], ["k"])
    yield "Constant-unsqueezed", spread("Mul", ["x", "k"])
    turned = Network(opset)("Reshape", [floats(4), ints([1, -1, 1, 1])], ["k"])
    yield "Constant-reshaped", turned("Sub", ["k", "x"])
    yield "Constant-transposed", Network(opset)("Transpose", [floats(5, 4, 6)], ["k"], perm=[1, 2, 0])(
        "Add", ["x", "k"]
    )
    if opset >= 12:
        listed = Network(opset)("Constant", [], ["a"], value_floats=[1.0, 2.0, 3.0, 4.0, 5.0])
        yield "Constant-floats", listed("Constant", [], ["b"], value_float=0.5)("Mul", ["a", "b"], ["k"])(
            "Add", ["x", "k"]
        )


def layers(opset: int):
    """Weights, windows, normalisations."""
    per_channel = [floats(4), floats(4, seed=3), floats(4, seed=4), floats(4, seed=5)]
    yield "BatchNormalization", Network(opset)("BatchNormalization", ["x", *per_channel], epsilon=1e-3)
    pooled = Network(opset)("GlobalAveragePool", ["x"], ["g"])("Flatten", ["g"], ["v"])
    yield "BatchNormalization-vector", pooled("BatchNormalization", ["v", *per_channel])
    yield "InstanceNormalization", Network(opset)("InstanceNormalization", ["x", *per_channel[:2]], epsilon=1e-2)
    if opset == 18:
        yield "GroupNormalization-18", Network(opset)("GroupNormalization", ["x", floats(2), floats(2, seed=3)], num_groups=2)
    for size in (1, 3, 5, 9) if opset == 13 else ():
        yield f"LRN-{size}", Network(opset)("LRN", ["x"], size=size, alpha=0.7, beta=0.6, bias=1.5)
    yield "LRN-usual", Network(opset)("LRN", ["x"], size=5)
    if opset >= 17:
        for axis, shape in ((-1, (5,)), (2, (6, 5)), (1, SHAPE)):
            yield f"LayerNormalization-{axis}", Network(opset)(
                "LayerNormalization", ["x", floats(*shape), floats(*shape, seed=3)], axis=axis, epsilon=1e-3
            )
        group = [floats(4, 1, 1), floats(4, 1, 1, seed=3)]
        yield "LayerNormalization-repeated", Network(opset)("LayerNormalization", ["x", *group], axis=1)
        yield "LayerNormalization-no-bias", Network(opset)("LayerNormalization", ["x", floats(5)], ["z", "mean", "deviation"])
        flat = Network(opset)("Flatten", ["x"], ["v"])
        yield "LayerNormalization-vector", flat("LayerNormalization", ["v", floats(120), floats(120, seed=3)])
        last = Network(opset)("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1])
        turned = last("LayerNormalization", ["t", *per_channel[:2]], ["n"], epsilon=1e-6)
        turned("MatMul", ["n", floats(4, 7, low=-1, high=1)], ["m"])
        turned("Add", ["m", floats(7)], ["b"])("Mul", ["b", floats(7, seed=5)], ["s"])
        yield "LayerNormalization-channels-last", turned("Transpose", ["s"], perm=[0, 3, 1, 2])
    for name, axis, shape in (("last", -1, (5,)), ("channels", 1, (4, 1, 1))):
        def moments(axis=axis):
            mean = Network(opset).with_axes("ReduceMean", "x", "m", [axis], 18)("Sub", ["x", "m"], ["d"])
            return mean("Pow", ["d", one(2)], ["q"]).with_axes("ReduceMean", "q", "w", [axis], 18)("Add", ["w", one(1e-3)], ["e"])

        nine = moments()("Sqrt", ["e"], ["r"])("Div", ["d", "r"], ["n"])
        yield f"Layer-norm-nine-{name}", nine("Mul", ["n", floats(*shape)], ["k"])("Add", ["k", floats(*shape, seed=3)])
        twice = moments()("Sub", ["x", "m"], ["d2"])("Sqrt", ["e"], ["r"])("Reciprocal", ["r"], ["i"])("Mul", ["d2", "i"], ["n"])
        yield f"Layer-norm-twice-{name}", twice("Mul", [floats(*shape), "n"], ["k"])("Add", ["k", floats(*shape, seed=3)])
        keras = moments()("Sqrt", ["e"], ["r"])("Reciprocal", ["r"], ["i"])("Mul", ["i", floats(*shape)], ["k"])
        keras("Mul", ["x", "k"], ["a"])("Mul", ["m", "k"], ["b"])("Sub", [floats(*shape, seed=3), "b"], ["c"])
        yield f"Layer-norm-keras-{name}", keras("Add", ["a", "c"])
    for name, turn in (("first", False), ("last", True)):
        grn = Network(opset)("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]) if turn else Network(opset)("Identity", ["x"], ["t"])
        pixels, channel, shape = ([1, 2], -1, (4,)) if turn else ([2, 3], 1, (4, 1, 1))
        grn.with_axes("ReduceL2", "t", "l", pixels, 18).with_axes("ReduceMean", "l", "m", [channel], 18)
        grn("Add", ["m", one(1e-6)], ["e"])("Div", ["l", "e"], ["n"])("Mul", ["t", "n"], ["p"])("Mul", ["p", floats(*shape)], ["s"])
        grn("Add", ["s", floats(*shape, seed=3)], ["b"])("Add", ["t", "b"], ["y1"])
        yield f"Response-norm-{name}", grn("Transpose", ["y1"], perm=[0, 3, 1, 2]) if turn else grn("Identity", ["y1"])
    if opset >= 21:
        yield "GroupNormalization", Network(opset)("GroupNormalization", ["x", *per_channel[:2]], num_groups=2)
    flat = lambda: Network(opset)("Flatten", ["x"], ["v"])  # noqa: E731
    wide, tall = floats(7, 120, low=-1, high=1), floats(120, 7, low=-1, high=1)
    yield "Gemm", flat()("Gemm", ["v", tall, floats(1, 7)], alpha=0.5, beta=2.0)
    yield "Gemm-transposed", flat()("Gemm", ["v", wide, floats(7)], transB=1)
    yield "Gemm-one-bias", flat()("Gemm", ["v", wide, floats(1)], transB=1)
    matrix = floats(5, 7, low=-1, high=1)
    yield "MatMul", Network(opset)("MatMul", ["x", matrix])
    yield "MatMul-bias", Network(opset)("MatMul", ["x", matrix], ["m"])("Add", ["m", floats(7)])
    yield "MatMul-rows", Network(opset)("MatMul", ["x", matrix], ["m"])("Add", [floats(6, 7), "m"])
    for i, (shape, attributes) in enumerate(
        (
            ((6, 4, 3, 3), {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
            ((8, 1, 3, 3), {"group": 4, "auto_pad": "SAME_UPPER", "strides": [2, 2]}),
            ((4, 4, 2, 2), {"auto_pad": "SAME_LOWER"}),
            ((4, 2, 2, 3), {"group": 2, "auto_pad": "VALID"}),
            ((4, 4, 2, 2), {"dilations": [3, 2]}),
            ((4, 4, 3, 3), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
            ((4, 4, 2, 3), {"auto_pad": "SAME_LOWER", "strides": [3, 2]}),
            ((4, 4, 3, 3), {"auto_pad": "VALID", "strides": [2, 2]}),
        )
    ):
        weights = floats(*shape, low=-1, high=1)
        yield f"Conv-{i}", Network(opset)("Conv", ["x", weights, floats(shape[0])], **attributes)
    for i, attributes in enumerate(
        (
            {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]},
            {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
            {"kernel_shape": [2, 2], "auto_pad": "SAME_LOWER"},
            {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
            {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
            {"kernel_shape": [2, 2], "dilations": [2, 2]},
            {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_LOWER"},
            {"kernel_shape": [2, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
            {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "VALID"},
            {"kernel_shape": [3, 3], "strides": [3, 3], "pads": [1, 1, 0, 1], "ceil_mode": 1},
            {"kernel_shape": [3, 3], "strides": [2, 3], "pads": [0, 0, 2, 2], "ceil_mode": 1},
            {"kernel_shape": [4, 4], "strides": [3, 2], "pads": [2, 3, 2, 1], "ceil_mode": 1},
        )
    ):
        if opset >= 10 or not {"ceil_mode", "dilations"} & attributes.keys():
            yield f"MaxPool-{i}", Network(opset)("MaxPool", ["x"], **attributes)
        if opset >= (19 if "dilations" in attributes else 10 if "ceil_mode" in attributes else 7):
            for counted in (0, 1):
                pool = Network(opset)("AveragePool", ["x"], count_include_pad=counted, **attributes)
                yield f"AveragePool-{i}-{counted}", pool


def cases():
    """Names and networks."""
    for opset in OPSETS:
        for theme in (functions, pairs, several, lengths, reductions, moves, shapes, layers):
            for name, network in theme(opset):
                safe = "".join(c if c.isalnum() or c in "-." else "_" for c in name)
                yield f"{safe}-opset{opset}", network.model()


def write_answers() -> None:
    import onnxruntime

    EXPECTED.mkdir(exist_ok=True)
    lines = [f"# The answers of ONNX Runtime {onnxruntime.__version__}, {IMAGES} images each, in this order.", "# case values"]
    answers = []
    for name, model in cases():
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        answer = session.run(["y"], {"x": images()})[0]
        lines.append(f"{name} {answer.shape[1]}")
        answers.append(answer.astype("<f4").reshape(-1))
    (EXPECTED / "cases.txt").write_text("\n".join(lines) + "\n")
    np.concatenate(answers).tofile(EXPECTED / "answers.f32")
    print(len(answers), "cases")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--answers", action="store_true")
    arguments = parser.parse_args()
    if arguments.answers:
        write_answers()
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        images().astype("<f4").tofile(arguments.out / "images.f32")
        for name, model in cases():
            (arguments.out / f"{name}.onnx").write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
