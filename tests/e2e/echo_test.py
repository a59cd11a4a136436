"""What a client or a file sends comes back in errors cut: the rest of the error is what one must see.

    echo_test.py RESNETD RESNETCTL
"""

import dataclasses
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable

import images
import onnx
from client import SERVICE, Error, call_error, pb
from google.rpc import error_details_pb2, status_pb2
from server_case import ServerTest

import grpc

LONG = 5000
# The most bytes of a message that repeats at most two texts of 128 bytes, and of all that is sent with it.
MESSAGE_BYTES, TRAILER_BYTES = 600, 3000
LETTERS = {"letters": "x" * LONG, "two bytes each": "é" * LONG, "four bytes each": "🐈" * LONG, "a line's end": "a\n" * LONG,
           "words": "a b " * LONG}
IMAGE = images.u8(images.fashion()[0])


# method, field, the request with a text in it, what the message says beside the text
FIELDS = [
    ("Classify", "model", lambda t: pb.ClassifyRequest(model=t, images=[IMAGE]), ["no model", "expected one of: 'fashion-resnet20'"]),
    ("Classify", "model_version", lambda t: pb.ClassifyRequest(model_version=t, images=[IMAGE]),
     ["no version", "expected '1'"]),
    ("Classify", "head", lambda t: pb.ClassifyRequest(images=[IMAGE], options={"head": t}), ["options.head: expected one of"]),
    ("Embed", "model", lambda t: pb.EmbedRequest(model=t, images=[IMAGE]), ["expected one of: 'fashion-resnet20'"]),
    ("Embed", "model_version", lambda t: pb.EmbedRequest(model_version=t, images=[IMAGE]), ["expected '1'"]),
    ("Embed", "layers", lambda t: pb.EmbedRequest(images=[IMAGE], options={"layers": [t]}),
     ["options.layers[0]: expected one of", "got"]),
    ("Embed", "require_space", lambda t: pb.EmbedRequest(images=[IMAGE], options={"require_space": [t]}),
     ["options.require_space[0]: expected embedding space", "is in"]),
    ("Predict", "model", lambda t: pb.PredictRequest(model=t, images=[IMAGE]), ["expected one of: 'fashion-resnet20'"]),
    ("Predict", "model_version", lambda t: pb.PredictRequest(model_version=t, images=[IMAGE]), ["expected '1'"]),
    ("Predict", "classify.head", lambda t: pb.PredictRequest(images=[IMAGE], classify={"head": t}), ["classify.head: expected one of"]),
    ("Predict", "embed.layers", lambda t: pb.PredictRequest(images=[IMAGE], embed={"layers": [t]}),
     ["embed.layers[0]: expected one of"]),
    ("Predict", "embed.require_space", lambda t: pb.PredictRequest(images=[IMAGE], embed={"require_space": [t]}),
     ["embed.require_space[0]: expected embedding space"]),
    ("GetModel", "model", lambda t: pb.GetModelRequest(model=t), ["expected one of: 'fashion-resnet20'"]),
    ("GetModel", "model_version", lambda t: pb.GetModelRequest(model_version=t), ["expected '1'"]),
]
# Fields of a request that no text fits into come back as numbers; long lists of them are cut too.
NUMBERS = [
    ("shape", pb.Image(tensor=pb.Tensor(type=pb.Tensor.UINT8, shape=[2**31 - 1] * 500)), ["tensor.shape: expected"]),
    ("encoded", pb.Image(encoded=b"\xff\xfe" * LONG), ["expected a JPEG, PNG or WebP file"]),
    ("encoded text", pb.Image(encoded=b"x" * LONG), ["expected a JPEG, PNG or WebP file"]),
]


def strings_of(message) -> set[str]:
    """The names of the fields of text in a request, images apart."""
    names = set()
    for field in message.DESCRIPTOR.fields:
        if field.type == field.TYPE_STRING:
            names.add(field.name)
        elif field.type == field.TYPE_MESSAGE and field.name != "images":
            names |= {f"{field.name}.{n}" for n in strings_of(getattr(message, field.name))}
    return names


class Requests(ServerTest):
    def assert_short(self, error: grpc.RpcError, says: list[str]):
        details = error.details()
        for words in says:
            self.assertIn(words, details)
        self.assertLess(len(details.encode()), MESSAGE_BYTES)
        trailers = dict(error.trailing_metadata())
        packed = trailers.get("grpc-status-details-bin", b"")
        self.assertLess(len(packed), TRAILER_BYTES)
        for detail in status_pb2.Status.FromString(packed).details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                for value in info.metadata.values():
                    self.assertLess(len(value.encode()), MESSAGE_BYTES)

    def raised(self, method: str, request) -> grpc.RpcError:
        with self.assertRaises(grpc.RpcError) as raised:
            getattr(self.client.stub, method)(request, timeout=60)
        call_error(raised.exception)  # the details agree with it
        return raised.exception

    def test_each_text_of_a_request(self):
        for method, field, request, says in FIELDS:
            for kind, text in LETTERS.items():
                with self.subTest(f"{method}.{field}", kind=kind):
                    error = self.raised(method, request(text))
                    self.assert_short(error, [*says, f"({len(text.encode())} bytes)"])
                    self.assertIn("'" + text[:10].replace("\n", "\\x0a"), error.details())

    def test_the_table_is_whole(self):
        for method, kind in (("Classify", pb.ClassifyRequest), ("Embed", pb.EmbedRequest), ("Predict", pb.PredictRequest),
                             ("GetModel", pb.GetModelRequest)):
            tested = {field for of, field, *_ in FIELDS if of == method}
            self.assertEqual({n.removeprefix("options.") for n in strings_of(kind())}, tested, method)

    def test_in_a_stream(self):
        for text in LETTERS.values():
            request = pb.ClassifyRequest(model=text, images=[IMAGE])
            (answer,) = self.client.stub.ClassifyStream(iter([request]), timeout=60)
            self.assertIn("expected one of: 'fashion-resnet20'", answer.error.message)
            self.assertLess(answer.ByteSize(), TRAILER_BYTES)

    def test_numbers_and_bytes(self):
        for name, image, says in NUMBERS:
            with self.subTest(name):
                self.assert_short(self.raised("Classify", pb.ClassifyRequest(images=[image])), says)

    def test_bytes_that_are_no_request(self):
        for name, message in (("not UTF-8", b"\x0a\x88\x27" + b"\xff" * LONG), ("an open group", b"\x0b" * LONG)):
            with self.subTest(name):
                error = self.client.raw(SERVICE + "Classify", message)
                self.assertIsInstance(error, Error)
                self.assertIn("expected a resnetd.v1.ClassifyRequest", error.message)
                self.assertLess(len(error.message), MESSAGE_BYTES)

    def test_arguments_of_a_client_that_calls(self):
        with tempfile.TemporaryDirectory() as folder:
            photo = pathlib.Path(folder, "photo.png")
            photo.write_bytes(images.png(images.fashion()[0]))
            for name, text in (("one word", "x" * LONG), ("words", "x a " * LONG)):
                for arguments in (["classify", text], ["embed", text], ["embed", photo, "--npy", text], ["models", text],
                                  ["embed", photo, "--layer", text], ["classify", photo, "--head", text],
                                  ["classify", photo, "--model", text],
                                  ["evaluate", "--data", text], ["bench", "--model", text], ["bench", "--image", text],
                                  ["--server", text, "models"], ["--server", text, "embed", photo]):
                    with self.subTest(name, arguments=[str(a)[:20] for a in arguments]):
                        server = [] if "--server" in arguments else ["--server", self.server.address]
                        run = subprocess.run([sys.argv[2], *server, *arguments], capture_output=True, text=True, timeout=60)
                        self.assertNotEqual(run.returncode, 0)
                        assert_cut(self, run)

    def test_a_method_that_is_none(self):
        error = self.client.raw("/" + "x" * LONG, b"")
        self.assertEqual(error.code, "UNIMPLEMENTED")
        self.assertLess(len(error.message), MESSAGE_BYTES)


def assert_cut(test: unittest.TestCase, run: subprocess.CompletedProcess):
    text = run.stderr + run.stdout
    test.assertNotIn("x" * 129, text)
    test.assertNotIn("x a " * 33, text)
    test.assertIn("bytes)", text)


@dataclasses.dataclass
class Folder:
    """A model's folder, to be spoilt."""

    path: pathlib.Path

    def model(self, change: Callable[[onnx.ModelProto], None]):
        model = onnx.load(self.path / "model.onnx")
        change(model)
        onnx.save(model, self.path / "model.onnx")

    def append(self, file: str, text: str):
        with open(self.path / file, "a") as f:
            f.write(text)


NAME = "x" * 4000  # the loader takes names of up to 4096 bytes


def first(op: str, model: onnx.ModelProto) -> onnx.NodeProto:
    return next(n for n in model.graph.node if n.op_type == op)


def set_node(op: str, **fields) -> Callable:
    def change(model: onnx.ModelProto):
        node = first(op, model)
        for field, value in fields.items():
            setattr(node, field, value)
    return lambda folder: folder.model(change)


def odd_node(model: onnx.ModelProto):
    node = first("Gemm", model)
    node.name = NAME
    node.attribute.append(onnx.helper.make_attribute(NAME, 1))


def bad_tensor(model: onnx.ModelProto):
    node = first("Conv", model)
    (weights,) = [t for t in model.graph.initializer if t.name == node.input[1]]
    weights.name = node.input[1] = NAME
    weights.raw_data = weights.raw_data[:-4]


def external(key: str, value: str) -> Callable:
    def change(model: onnx.ModelProto):
        tensor = max(model.graph.initializer, key=lambda t: len(t.raw_data))
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for k, v in ({"location": "weights"} | {key: value}).items():
            tensor.external_data.add(key=k, value=v)
    return lambda folder: folder.model(change)


def missing_input(model: onnx.ModelProto):
    first("Gemm", model).input[0] = NAME


# name, what spoils it, what the error says
FILES = [
    ("operator", set_node("Gemm", op_type=NAME), ["operators that are not supported"]),
    ("domain", set_node("Gemm", domain=NAME), ["operators that are not supported"]),
    ("name of an unsupported node", set_node("Gemm", op_type="Sin", name=NAME), ["operators that are not supported: Sin (1 node)"]),
    ("attribute", lambda f: f.model(odd_node), ["is not supported", "(Gemm"]),
    ("tensor", lambda f: f.model(bad_tensor), ["tensor 'xxx", "bytes for its dims"]),
    ("input", lambda f: f.model(missing_input), ["(Gemm", "is yielded by no earlier node"]),
    ("external key", external(NAME, "1"), ["expected location, offset, length and checksum"]),
    ("external offset", external("offset", NAME), ["expected a number of bytes"]),
    ("external location", external("location", "/" + NAME), ["external data"]),
    ("configured key", lambda f: f.append("config.textproto", f"\n{NAME}: 1\n"), ["config.textproto:"]),
    ("configured preset", lambda f: (f.path / "config.textproto").write_text(f'preprocessing {{ preset: "{NAME}" }}'),
     ["no recipe is called", "there are"]),
    ("configured value", lambda f: (f.path / "config.textproto").write_text(f"preprocessing {{ resize: {NAME} }}"),
     ["config.textproto:1:"]),
    ("configured output", lambda f: f.append("config.textproto", f'\noutputs: "{NAME}"\n'), ["outputs"]),
    ("configured head", lambda f: f.append("config.textproto", f'\nheads {{ output: "{NAME}" }}\n'), ["outputs"]),
    ("labels' file", lambda f: f.append("config.textproto", f'\nlabels_file: "/{NAME}"\n'), ["file beside the model"]),
    ("labels' file that is missing", lambda f: f.append("config.textproto", f'\nlabels_file: "{NAME}"\n'), ["longer than any"]),
    ("head's labels", lambda f: f.append("config.textproto", f'\nheads {{ output: "logits" labels_file: "{NAME}" }}\n'),
     ["longer than any"]),
    ("golden file", lambda f: f.append("config.textproto", f'\ngolden_file: "{NAME}"\n'), ["longer than any"]),
    ("golden image", lambda f: f.append("golden.textproto", f'\ngolden {{ name: "{NAME}" image: "x" logits: 1 }}\n'),
     ["golden"]),
]


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_each_text_of_a_file(self):
        for i, (name, spoil, says) in enumerate(FILES):
            with self.subTest(name):
                folder = Folder(self.folder / f"m{i}/1")
                shutil.copytree(images.MODEL, folder.path)
                spoil(folder)
                for command in ([sys.argv[1], "--port", "0", "--metrics-port", "0", "--model", folder.path / "model.onnx"],
                                [sys.argv[2], "check", folder.path]):
                    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
                    self.assertEqual(run.returncode, 1, run.stderr)
                    text = run.stderr + run.stdout
                    self.assertNotIn("x" * 129, text)
                    if command[0] == sys.argv[1]:
                        line = run.stderr.splitlines()[-1]
                        for words in [*says, f"bytes)"]:
                            self.assertIn(words, line)

    def test_arguments_of_the_server(self):
        model = images.MODEL / "model.onnx"
        for name, text in (("one word", "x" * LONG), ("words", "x a " * LONG), ("a path", "/x/" * LONG)):
            for arguments in (["--model", text], ["--models", text], ["--address", text], ["--metrics-address", text],
                              ["--model", model, "--labels", text], ["--model", model, "--recipe", text],
                              ["--workers", text], ["--batch-sizes", text], ["--max-queue-ms", text],
                              ["--log-level", text], [text], ["--" + text]):
                with self.subTest(name, arguments=[str(a)[:20] for a in arguments]):
                    ports = ["--port", "0", "--metrics-port", "0"]
                    run = subprocess.run([sys.argv[1], *ports, *arguments], capture_output=True, text=True, timeout=60)
                    self.assertNotEqual(run.returncode, 0)
                    assert_cut(self, run)
                    self.assertLess(len(run.stderr), 3 * MESSAGE_BYTES)

    def test_names_in_a_network_that_is_served(self):
        """What is looked at, in tables and as a graph."""
        def rename(model: onnx.ModelProto):
            for i, node in enumerate(model.graph.node):
                node.name = f"{i}{NAME}"
            for i, output in enumerate(model.graph.output):
                for node in model.graph.node:
                    node.output[:] = [f"{i}{NAME}" if o == output.name else o for o in node.output]
                    node.input[:] = [f"{i}{NAME}" if o == output.name else o for o in node.input]
                output.name = f"{i}{NAME}"
        folder = Folder(self.folder / "long/1")
        shutil.copytree(images.MODEL, folder.path)
        folder.model(rename)
        for arguments in (["check"], ["inspect", "--runs", "1"], ["inspect", "--graph", "--runs", "1"], ["inspect", "--residuals"]):
            with self.subTest(arguments=arguments):
                run = subprocess.run([sys.argv[2], *arguments, folder.path], capture_output=True, text=True, timeout=120)
                self.assertEqual(run.returncode, 0, run.stderr)
                assert_cut(self, run)

    def test_arguments_of_the_client(self):
        text = "x" * LONG
        photo = self.folder / "photo.png"
        photo.write_bytes(images.png(images.fashion()[0]))
        listed, long_path = self.folder / "list.txt", "x a/" * LONG
        listed.write_text("photo.png 1\n")
        for arguments in (["health", text], ["health", "--" + text], ["--timeout", text, "health"],
                          ["bench", "--method", text], ["preprocess", photo, "--recipe", text], ["preprocess", text],
                          ["check", text], ["check", long_path], ["inspect", long_path], ["evaluate", "--data", long_path],
                          ["preprocess", photo, "--out", long_path], ["evaluate", "--local", text, "--data", listed],
                          ["project", photo, "--pca", "2", "--model", long_path, "--out", "out"],
                          ["project", long_path, "--pca", "2", "--model", images.MODEL, "--out", text]):
            with self.subTest(arguments=[str(a)[:20] for a in arguments]):
                run = subprocess.run([sys.argv[2], *arguments], capture_output=True, text=True, timeout=60, cwd=self.folder)
                self.assertNotEqual(run.returncode, 0)
                assert_cut(self, run)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
