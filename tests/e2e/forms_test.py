"""Files in forms that exporters other than PyTorch's have: served, with ONNX Runtime's answers, or refused in words.

    forms_test.py RESNETD RESNETCTL PYTHON

Free sizes, floats of other widths, bytes that the file normalises itself, operators of newer sets, functions of the
file.
"""

import dataclasses
import json
import subprocess
import sys
import unittest

import images
import numpy as np
import onnx
import onnxruntime_peer
from client import pb
from onnx import TensorProto, helper, numpy_helper
from server_case import ServerTest

SIDE, CLASSES = 32, 7


class Net:
    """An ONNX file in the making: each method appends a node and returns its output's name."""

    def __init__(self, opset: int = 17, seed: int = 1):
        self.opset, self.nodes, self.weights, self.functions = opset, [], [], []
        self.random = np.random.RandomState(seed)
        self.domains = []
        self.narrow = None  # makes a weight's tensor of its float32 values

    def constant(self, values, dtype=np.float32) -> str:
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def ints(self, *values) -> str:
        return self.constant(values, np.int64)

    def op(self, op_type: str, *inputs: str, outputs: int = 1, **attributes):
        names = [f"{op_type.lower()}{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op_type, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def learnt(self, *dims: int) -> str:
        return self.constant(self.random.standard_normal(dims) / np.sqrt(np.prod(dims[1:]) or 1))

    def conv(self, x: str, to: int, of: int, stride: int = 1) -> str:
        return self.op("Conv", x, self.learnt(to, of, 3, 3), pads=[1, 1, 1, 1], strides=[stride, stride])

    def block(self, x: str, channels: int) -> str:
        return self.op("Relu", self.op("Add", self.conv(self.op("Relu", self.conv(x, channels, channels)), channels,
                                                        channels), x))

    def body(self, x: str, channels: int = 3) -> str:
        return self.block(self.op("Relu", self.conv(x, 8, channels, 2)), 8)

    def gemm(self, x: str, features: int = 8) -> str:
        return self.op("Gemm", x, self.learnt(CLASSES, features), self.learnt(CLASSES), transB=1)

    def head(self, x: str) -> str:
        return self.gemm(self.op("Flatten", self.op("GlobalAveragePool", x)))

    def model(self, logits: str, dims=("b", 3, SIDE, SIDE), elem_type=TensorProto.FLOAT, ir: int = 8):
        self.nodes[-1].output[0] = "logits"
        info = helper.make_tensor_value_info("x", elem_type, dims)
        out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", CLASSES])
        graph = helper.make_graph(self.nodes, "form", [info], [out], self.weights)
        opsets = [helper.make_opsetid("", self.opset), *self.domains]
        return helper.make_model(graph, opset_imports=opsets, ir_version=ir, functions=self.functions)


@dataclasses.dataclass
class Form:
    model: onnx.ModelProto
    values: np.ndarray
    config: str = ""
    peer: onnx.ModelProto | None = None  # what ONNX Runtime runs, where that is another file


def floats(*shape: int) -> np.ndarray:
    return np.random.RandomState(2).standard_normal(shape).astype(np.float32)


def pixels(*shape: int) -> np.ndarray:
    return np.random.RandomState(3).randint(0, 256, shape).astype(np.uint8)


def copy(model: onnx.ModelProto) -> onnx.ModelProto:
    other = onnx.ModelProto()
    other.CopyFrom(model)
    return other


def resized_dims(model: onnx.ModelProto, dims) -> onnx.ModelProto:
    """The model with other sizes in its input's description; None: without a shape."""
    other = copy(model)
    shape = other.graph.input[0].type.tensor_type
    shape.ClearField("shape")
    for size in dims or ():
        dim = shape.shape.dim.add()
        if isinstance(size, str):
            dim.dim_param = size
        else:
            dim.dim_value = size
    return other


def free_sizes() -> dict[str, Form]:
    forms = {}
    net = Net()
    model = net.model(net.head(net.body("x")), ["batch", "ch", "height", "width"])
    for name, dims in {"names": ["N", "num channels", "image_h", "w*2"], "minus-one": [-1, -1, -1, -1],
                       "zero": [0, 0, 0, 0], "no-shape": None, "width": ["b", 3, 40, "w"],
                       "fixed-batch": [1, "c", "h", "w"]}.items():
        forms[f"free-{name}"] = Form(resized_dims(model, dims), floats(1, 3, 40, 48), 'input_size: "40x48"\n', model)
    forms["free-preset"] = Form(model, floats(1, 3, 32, 32), 'preprocessing { preset: "cifar10" }\n')
    net = Net()
    nhwc = net.op("Transpose", "x", perm=[0, 3, 1, 2])
    forms["free-nhwc"] = Form(net.model(net.head(net.body(nhwc)), ["b", "h", "w", "c"]), floats(1, 40, 48, 3),
                              'input_size: "40x48"\n')
    net = Net()
    flat = net.op("Flatten", net.conv(net.body("x"), 2, 8, 2))
    forms["solved-gemm"] = Form(net.model(net.gemm(flat, 2 * 8 * 8), ["b", 3, "h", "w"]), floats(1, 3, 32, 32))
    net = Net()
    pooled = net.op("AveragePool", net.body("x"), kernel_shape=[12, 12])
    flat = net.op("Reshape", pooled, net.ints(-1, 8))
    forms["solved-reshape"] = Form(net.model(net.gemm(flat), ["b", "c", "h", "w"]), floats(1, 3, 24, 24))
    net = Net()
    flat = net.op("Reshape", net.conv(net.body("x"), 2, 8, 2), net.ints(0, -1))
    weights = net.op("Transpose", net.learnt(CLASSES, 2 * 8 * 8), perm=[1, 0])
    forms["solved-matmul"] = Form(net.model(net.op("MatMul", flat, weights), ["b", 3, "h", 32]), floats(1, 3, 32, 32))
    net = Net(18)
    shape = net.op("Shape", "x")
    to = net.op("Concat", net.op("Slice", shape, net.ints(0), net.ints(2)), net.ints(48, 48), axis=0)
    sized = net.op("Resize", "x", "", "", to, mode="linear")
    forms["solved-resize"] = Form(net.model(net.head(net.body(sized)), ["b", 3, "h", "w"]), floats(1, 3, 48, 48))
    net = Net()
    body = net.body("x")
    shape = net.op("Shape", body)
    sizes = [net.op("Unsqueeze", net.op("Gather", shape, net.constant(i, np.int64)), net.ints(0)) for i in range(4)]
    lines = net.op("Concat", sizes[0], sizes[1], net.op("Mul", sizes[2], sizes[3]), axis=0)
    flat = net.op("ReduceMean", net.op("Reshape", body, lines), axes=[2], keepdims=0)
    forms["chain-reshape"] = Form(net.model(net.gemm(flat), ["b", "c", "h", "w"]), floats(1, 3, 40, 48),
                                  'input_size: "40x48"\n')
    net = Net()
    body = net.conv("x", 4, 3, 2)
    for _ in range(4):
        body = net.conv(body, 4, 4, 2)
    pooled = net.op("AveragePool", body, kernel_shape=[7, 7])
    forms["solved-average"] = Form(net.model(net.gemm(net.op("Flatten", pooled), 4), ["b", "c", "h", "w"]),
                                   floats(1, 3, 224, 224))
    net = Net()
    flat = net.op("Reshape", net.op("GlobalAveragePool", net.body("x")), net.ints(1, -1))
    forms["free-size-of-one-batch"] = Form(net.model(net.gemm(flat), [1, 3, "h", "w"]), floats(1, 3, 40, 48),
                                           'input_size: "40x48"\n')
    for opset in (11, 18):
        net = Net(opset)
        body = net.body("x")
        shape = net.op("Shape", body)
        half = net.op("Cast", net.op("Slice", shape, net.ints(2), net.ints(4)), to=TensorProto.FLOAT)
        side = net.op("Cast", net.op("Floor", net.op("Mul", half, net.constant([1.0, 1.0]))), to=TensorProto.INT64)
        to = net.op("Concat", net.op("Slice", shape, net.ints(0), net.ints(2)), side, axis=0)
        none = net.constant([])
        resized = net.op("Resize", body, none, none if opset == 11 else "", to, mode="linear")
        forms[f"chain-resize-{opset}"] = Form(net.model(net.head(resized), ["b", "c", "h", "w"]), floats(1, 3, 40, 48),
                                              'input_size: "40x48"\n')
    return forms


def halves(model: onnx.ModelProto, make) -> onnx.ModelProto:
    """The model with its float32 initializers as `make` writes them."""
    other = copy(model)
    for tensor in other.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(make(tensor.name, numpy_helper.to_array(tensor)))
    return other


def typed(name: str, elem_type: int, dims, **fields) -> TensorProto:
    return TensorProto(name=name, data_type=elem_type, dims=dims, **fields)


def other_types() -> dict[str, Form]:
    net = Net()
    model = net.model(net.head(net.body("x")))

    def half(name, values):
        return numpy_helper.from_array(values.astype(np.float16), name)

    def half_listed(name, values):
        bits = values.astype(np.float16).view(np.uint16).ravel()
        return typed(name, TensorProto.FLOAT16, values.shape, int32_data=bits.astype(np.int32))

    def bfloat(values):
        return (values.view(np.uint32) >> 16).astype(np.uint16)

    def bfloat_raw(name, values):
        return typed(name, TensorProto.BFLOAT16, values.shape, raw_data=bfloat(values).tobytes())

    def bfloat_listed(name, values):
        return typed(name, TensorProto.BFLOAT16, values.shape, int32_data=bfloat(values).ravel().astype(np.int32))

    def double(name, values):
        return numpy_helper.from_array(values.astype(np.float64), name)

    def double_listed(name, values):
        return typed(name, TensorProto.DOUBLE, values.shape, double_data=values.ravel().astype(np.float64))

    through_half = halves(model, lambda name, v: numpy_helper.from_array(v.astype(np.float16).astype(np.float32), name))
    through_bfloat = halves(
        model, lambda name, v: numpy_helper.from_array((v.view(np.uint32) >> 16 << 16).view(np.float32), name))
    values = floats(1, 3, SIDE, SIDE)
    forms = {}
    for name, make, elem_type, peer in [("half", half, TensorProto.FLOAT16, through_half),
                                        ("half-listed", half_listed, TensorProto.FLOAT, through_half),
                                        ("bfloat", bfloat_raw, TensorProto.BFLOAT16, through_bfloat),
                                        ("bfloat-listed", bfloat_listed, TensorProto.FLOAT, through_bfloat),
                                        ("double", double, TensorProto.DOUBLE, model),
                                        ("double-listed", double_listed, TensorProto.FLOAT, model)]:
        written = halves(model, make)
        written.graph.input[0].type.tensor_type.elem_type = elem_type
        written.graph.output[0].type.tensor_type.elem_type = elem_type
        forms[f"type-{name}"] = Form(written, values, peer=peer)
    net = Net()
    body = net.body(net.op("Cast", "x", to=TensorProto.FLOAT16))
    middle = net.op("Cast", net.op("Cast", body, to=TensorProto.FLOAT), to=TensorProto.DOUBLE)
    logits = net.op("Cast", net.head(net.op("Cast", middle, to=TensorProto.BFLOAT16)), to=TensorProto.FLOAT)
    casts = net.model(logits)
    peer = copy(casts)
    for node in peer.graph.node:
        for attribute in node.attribute:
            if attribute.name == "to":
                attribute.i = TensorProto.FLOAT
    forms["type-casts"] = Form(halves(casts, half), values, peer=halves(
        peer, lambda name, v: numpy_helper.from_array(v.astype(np.float16).astype(np.float32), name)))
    return forms


def byte_inputs() -> dict[str, Form]:
    nhwc, nchw = ["b", SIDE, SIDE, 3], ["b", 3, SIDE, SIDE]
    mean, std = np.float32([123.675, 116.28, 103.53]), np.float32([58.395, 57.12, 57.375])
    forms = {}

    def add(name, dims, build, free=False):
        net = Net(17)
        x = build(net, "x")
        x = x if isinstance(x, str) else net.op("Transpose", x[0], perm=[0, 3, 1, 2])
        model = net.model(net.head(net.body(x)), ["b", "h", "w", 3] if free else dims, TensorProto.UINT8)
        shape = [1, *(d if isinstance(d, int) else SIDE for d in dims[1:])]
        forms[f"bytes-{name}"] = Form(model, pixels(*shape), f'input_size: "{SIDE}x{SIDE}"\n' if free else "")

    def cast(net, x):
        return net.op("Cast", x, to=TensorProto.FLOAT)

    def chw(values):
        return np.reshape(values, (1, 3, 1, 1))

    add("cast-transpose-sub-div", nhwc, lambda n, x: n.op("Div", n.op("Sub", n.op(
        "Transpose", cast(n, x), perm=[0, 3, 1, 2]), n.constant(chw(mean))), n.constant(chw(std))))
    add("transpose-cast", nhwc, lambda n, x: n.op("Mul", cast(n, n.op("Transpose", x, perm=[0, 3, 1, 2])),
                                                  n.constant(1 / 255)))
    add("nhwc-constants", nhwc, lambda n, x: [n.op("Div", n.op("Sub", cast(n, x), n.constant(mean)), n.constant(std))])
    add("nchw", nchw, lambda n, x: n.op("Div", n.op("Sub", n.op("Mul", cast(n, x), n.constant(1 / 255)), n.constant(
        chw(mean / 255))), n.constant(chw(std / 255))))
    add("keras-rescaling", nhwc, lambda n, x: [n.op("Add", n.op("Mul", cast(n, x), n.constant(1 / 127.5)),
                                                    n.constant(-1))], free=True)
    add("caffe", nhwc, lambda n, x: [n.op("Sub", n.op("Gather", cast(n, x), n.ints(2, 1, 0), axis=3),
                                          n.constant(mean[::-1]))])
    add("batch-norm", nchw, lambda n, x: n.op("BatchNormalization", cast(n, x), n.constant([1, 1.1, 0.9]), n.constant(
        [0, 0.1, 0.2]), n.constant(mean), n.constant(std**2)))
    add("gather-bytes", nhwc, lambda n, x: [n.op("Div", cast(n, n.op("Gather", x, n.ints(2, 1, 0), axis=-1)),
                                                 n.constant(std))])
    add("slice-backwards", nhwc, lambda n, x: [n.op("Div", n.op("Slice", cast(n, x), n.ints(-1), n.ints(-10000), n.ints(
        3), n.ints(-1)), n.constant(std))])

    def split(net, x):
        parts = net.op("Split", net.op("Transpose", cast(net, x), perm=[0, 3, 1, 2]), outputs=3, axis=1)
        return net.op("Div", net.op("Concat", *parts[::-1], axis=1), net.constant(chw(std)))

    def channel_by_channel(net, x):
        parts = []
        for channel, (factor, shift) in enumerate([(0.4, -0.2), (0.5, 0.1), (0.3, 0.2)]):
            one = net.op("Gather", cast(net, x), net.constant(channel, np.int64), axis=1)
            scaled = net.op("Mul", net.op("Unsqueeze", one, net.ints(1)), net.constant(factor / 50))
            parts.append(net.op("Add", scaled, net.constant(shift)))
        return net.op("Concat", *parts, axis=1)

    add("split-concat", nhwc, split)
    add("channel-by-channel", nchw, channel_by_channel)
    add("negative", nchw, lambda n, x: n.op("Sub", n.constant(1), n.op("Div", cast(n, x), n.constant(255))))
    add("mean-image", nchw, lambda n, x: n.op("Div", n.op("Sub", cast(n, x), n.constant(
        pixels(3, SIDE, SIDE))), n.constant(60)))
    add("nothing", nchw, lambda n, x: n.op("Clip", n.op("Sqrt", cast(n, x)), "", n.constant(9)))
    net = Net()
    scaled = net.op("Sub", net.op("Mul", "x", net.constant(1 / 127.5)), net.constant(1))
    forms["floats-of-pixels"] = Form(net.model(net.head(net.body(scaled))), pixels(1, 3, SIDE, SIDE).astype(np.float32))
    return forms


def newer_operators() -> dict[str, Form]:
    values, forms = floats(1, 3, SIDE, SIDE), {}
    for opset in (23, 24, 25, 26, 27, 28):
        net = Net(opset)
        net.domains = [helper.make_opsetid("com.example.unused", 3), helper.make_opsetid("ai.onnx.ml", 5)]
        pooled = net.op("ReduceMean", net.body("x"), net.ints(-2, -1), keepdims=1)
        flat = net.op("Squeeze", pooled, net.ints(2, 3))
        model = net.model(net.gemm(flat), ir=min(13, opset - 12))
        peer = copy(model)
        peer.opset_import[0].version = 22
        forms[f"opset-{opset}"] = Form(model, values, peer=peer)
    net = Net(19)
    first, second = net.op("Split", net.body("x"), outputs=2, axis=1, num_outputs=2)
    joined = net.op("Concat", second, first, axis=1)
    padded = net.op("Pad", joined, net.ints(1, 0, 0, 1), "", net.ints(2, 3))
    pool = net.op("AveragePool", net.op("Clip", padded, net.constant(-1), net.constant(4)), kernel_shape=[3, 3],
                  dilations=[2, 2], pads=[1, 1, 1, 1], strides=[1, 1])
    forms["opset-19-operators"] = Form(net.model(net.head(pool)), values)
    net, peer = Net(24), Net(17)
    swish = net.model(net.head(net.op("Swish", net.body("x"), alpha=1.5)))
    body = peer.body("x")
    gate = peer.op("Sigmoid", peer.op("Mul", body, peer.constant(1.5)))
    gated = peer.op("Mul", body, gate)
    forms["opset-24-swish"] = Form(swish, values, peer=peer.model(peer.head(gated)))
    net = Net(17)
    net.domains = [helper.make_opsetid("local", 1)]
    leaky = helper.make_node("LeakyRelu", ["a"], ["b"])
    attribute = leaky.attribute.add()
    attribute.name, attribute.type, attribute.ref_attr_name = "alpha", onnx.AttributeProto.FLOAT, "slope"
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    net.functions = [
        helper.make_function("local", "Leak", ["a"], ["b"], [leaky], opsets, ["slope"]),
        helper.make_function("local", "Block", ["x", "w"], ["y"], [
            helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Leak", ["c"], ["d"], domain="local", slope=0.3),
            helper.make_node("Add", ["d", "x"], ["y"])], opsets)]
    body = net.op("Block", net.conv("x", 8, 3), net.learnt(8, 8, 3, 3), domain="local")
    body = net.op("Block", body, net.learnt(8, 8, 3, 3), domain="local")
    forms["functions"] = Form(net.model(net.head(body)), values)
    return forms


class Forms(ServerTest):
    @classmethod
    def prepare(cls):
        cls.forms = {**free_sizes(), **other_types(), **byte_inputs(), **newer_operators()}
        for name, form in cls.forms.items():
            version = cls.folder / "models" / name / "1"
            version.mkdir(parents=True)
            (version / "model.onnx").write_bytes(form.model.SerializeToString())
            if form.config:
                (version / "config.textproto").write_text(form.config)
        cls.OPTIONS = ["--models", str(cls.folder / "models"), "--batch-sizes", "1", "--keep-going"]
        peers = {name: (form.peer or form.model, form.values) for name, form in cls.forms.items()}
        cls.expected = onnxruntime_peer.answers(sys.argv[3], peers, cls.folder / "peer")

    def check(self, model: onnx.ModelProto | str, *options: str):
        path = self.folder / "checked.onnx"
        if isinstance(model, str):
            path = self.folder / "models" / model
        else:
            path.write_bytes(model.SerializeToString())
        run = subprocess.run([sys.argv[2], "--json", "check", str(path), *options], capture_output=True, text=True,
                             timeout=60)
        return run, json.loads(run.stdout) if run.stdout else {}

    def test_answers_as_onnx_runtime(self):
        for name, form in self.forms.items():
            with self.subTest(name):
                values = form.values
                if name == "free-nhwc":
                    values = values.transpose(0, 3, 1, 2)
                vectors = onnxruntime_peer.served(self, name, self.image(values))
                onnxruntime_peer.assert_same(self, name, self.expected[name], vectors)

    @staticmethod
    def image(values: np.ndarray) -> pb.Image:
        if values.dtype == np.uint8 and values.shape[1] == 3:
            values = values.transpose(0, 2, 3, 1)
        return onnxruntime_peer.image_of(values)

    def test_pixels_come_as_files_too(self):
        for name, form in self.forms.items():
            if not name.startswith("bytes-") and name != "floats-of-pixels":
                continue
            with self.subTest(name):
                (image,) = form.values.astype(np.uint8)
                image = image.transpose(1, 2, 0) if image.shape[0] == 3 else image
                vectors = onnxruntime_peer.served(self, name, images.encoded(images.rgb_png(image)))
                onnxruntime_peer.assert_same(self, name, self.expected[name], vectors)

    def test_the_recipe_is_the_files(self):
        for name, recipe in {
                "bytes-cast-transpose-sub-div": "RGB, mean 0.485 0.456 0.406, std 0.229 0.224 0.225",
                "bytes-keras-rescaling": "RGB, mean 0.5 0.5 0.5, std 0.5 0.5 0.5",
                "bytes-caffe": "RGB, times 1, mean 123.675 116.28 103.53, std 1 1 1",
                "bytes-negative": "mean 0 0 0, std 1 1 1",
                "bytes-nothing": "RGB, times 1, mean 0 0 0, std 1 1 1",
                "floats-of-pixels": "RGB, times 1, mean 0 0 0, std 1 1 1"}.items():
            with self.subTest(name):
                run = subprocess.run([sys.argv[2], "check", str(self.folder / "models" / name)], capture_output=True,
                                     text=True, timeout=60)
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertIn(recipe, run.stdout)

    def test_notes(self):
        for name, note in {"type-half": "FLOAT16 numbers are widened to float32, which is exact",
                           "type-bfloat": "BFLOAT16 numbers are widened",
                           "type-double": "DOUBLE numbers are rounded to float32",
                           "solved-gemm": "its layers fit 32x32 (sides of 29 to 32)",
                           "free-preset": "32x32 as preset cifar10 has it",
                           "bytes-nchw": "the file takes bytes and normalises them itself"}.items():
            with self.subTest(name):
                run, checked = self.check(name)
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertIn(note, " ".join(checked["notes"]))

    def refused(self, model, said, *options):
        run, checked = self.check(model, *options)
        self.assertEqual(run.returncode, 1, run.stderr)
        (error,) = checked["errors"]
        self.assertIn(said, error["message"])

    def test_sizes(self):
        net = Net()
        free = net.model(net.head(net.body("x")), ["b", "c", "h", "w"])
        self.refused(free, "the file leaves height and width free: --input-size HEIGHTxWIDTH, or input_size in")
        self.assertEqual(self.check(free, "--input-size", "64x48")[0].returncode, 0)
        net = Net()
        fixed = net.model(net.head(net.body("x")))
        self.refused(fixed, "--input-size: expected 32x32, height x width as the file fixes its input 'x', got 64x64",
                     "--input-size", "64x64")
        self.assertEqual(self.check(fixed, "--input-size", "32x32")[0].returncode, 0)
        net = Net()
        pooled = net.op("MaxPool", net.body("x"), kernel_shape=[9, 9])
        small = net.model(net.head(pooled), ["b", 3, "h", "w"])
        self.refused(small, "with images of 8x8 (--input-size): node", "--input-size", "8x8")
        self.refused(small, "expected at least 9 pixels with padding, got 4", "--input-size", "8x8")
        self.refused("solved-gemm", "with images of 64x64 (--input-size): node", "--input-size", "64x64")
        for odd in ("64", "64x", "0x0", "x", "-64x-64", "64x64x3", "064x64", "64X64", "64 x 64", "99999x64", ""):
            with self.subTest(odd):
                run, _ = self.check(free, f"--input-size={odd}")
                self.assertNotEqual(run.returncode, 0)
                if odd:
                    self.assertIn("--input-size: expected HEIGHTxWIDTH in pixels, 224x224 say", run.stderr)
        for odd in ("64", "0x0"):
            with self.subTest(odd):
                config = self.folder / "models" / "free-names" / "1"
                other = self.folder / "odd" / "1"
                other.mkdir(parents=True, exist_ok=True)
                (other / "model.onnx").write_bytes((config / "model.onnx").read_bytes())
                (other / "config.textproto").write_text(f'input_size: "{odd}"\n')
                run, checked = self.check(f"../{other.parent.name}")
                self.assertEqual(run.returncode, 1)
                self.assertIn("input_size: expected HEIGHTxWIDTH", checked["errors"][0]["message"])

    def test_a_config_may_not_normalise_bytes_again(self):
        for said, message in {"mean: [1, 2, 3]": "preprocessing.mean: expected none, as the file takes bytes",
                              "std: [1, 2, 3]": "preprocessing.std: expected none, as the file takes bytes",
                              "scale: 0.5": "preprocessing.scale: expected none, as the file takes bytes",
                              'preset: "timm" colour: BGR': None, 'preset: "none"': None,
                              "scale: 1 mean: [0, 0, 0] std: [1, 1, 1]": None}.items():
            with self.subTest(said):
                version = self.folder / "again" / "1"
                version.mkdir(parents=True, exist_ok=True)
                (version / "model.onnx").write_bytes(self.forms["bytes-nchw"].model.SerializeToString())
                (version / "config.textproto").write_text(f"preprocessing {{ {said} }}\n")
                run, checked = self.check("../again")
                self.assertEqual(run.returncode, 1 if message else 0, run.stdout)
                if message:
                    self.assertIn(message, checked["errors"][0]["message"])

    def test_refused_in_words(self):
        net = Net()
        net.op("Sub", "x", "x")
        logits = net.head(net.body(net.op("Cast", "sub0_0", to=TensorProto.FLOAT)))
        wrapping = net.model(logits, elem_type=TensorProto.UINT8)
        self.refused(wrapping, "expected floats, got uint8; expected a Cast in front")
        for elem_type, said in {TensorProto.INT8: "INT8", TensorProto.STRING: "STRING"}.items():
            net = Net()
            self.refused(net.model(net.head(net.body("x")), elem_type=elem_type), f"got elements of {said}")
        net = Net()
        body = net.body("x")
        resized = net.op("Resize", body, "", net.constant([1, 1, 2, 2]), mode="nearest")
        self.refused(net.model(net.head(resized)), "expected a map of the input's size")
        net = Net()
        net.domains = [helper.make_opsetid("local", 1)]
        net.functions = [helper.make_function("local", "Self", ["a"], ["b"],
                                              [helper.make_node("Self", ["a"], ["b"], domain="local")],
                                              [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)])]
        calling = net.model(net.head(net.op("Self", net.body("x"), domain="local")))
        self.refused(calling, "function 'Self': it calls itself")
        net = Net(29)
        self.refused(net.model(net.head(net.body("x"))), "expected opset 7 to 28, got 29")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
