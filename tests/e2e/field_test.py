"""What is made of small networks as the field has them: served as what, with which answers, or refused.

    field_test.py RESNETD RESNETCTL PYTHON FOLDER

The networks are not in the repository; tests/e2e/forms_test.py has the kinds with networks of its own. PYTHON has ONNX
Runtime, with whose answers those of the server are compared.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import unittest

import images
import numpy as np
import onnx
import onnxruntime_peer
from client import Error, pb
from onnx import TensorProto, numpy_helper
from server_case import ServerTest

LOGITS = [("logits", 10, pb.Head.SOFTMAX)]
# file -> heads as (name, classes, activation), values of the embedding, its alias
SERVED = {
    "argmax2": (LOGITS, 32, None),
    "binary-logit": ([("logits", 1, pb.Head.NONE)], 32, None),
    "convnext": (LOGITS, 32, None),
    "embedding-gemm": ([], 128, "embedding"),
    "fnormalize": ([], 64, "embedding"),
    "fnormalize-dynamo": ([], 64, "embedding"),
    "fp16": (LOGITS, 32, None),
    "in-reid256x128": (LOGITS, 32, None),
    "logsoftmax": (LOGITS, 32, None),
    "mish": (LOGITS, 32, None),
    "opset23": (LOGITS, 32, None),
    "optimum-dynhw": (LOGITS, 32, None),
    "sum": (LOGITS, 32, None),
    "uint8-preproc": (LOGITS, 32, None),
}
# file -> how what is said of it begins
REFUSED = {"qdq": "an int8 network: serve the float one"}
# file -> its config
CONFIGS = {"optimum-dynhw": 'input_size: "64x64"\n'}


def widened(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network in float32."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    for tensor in wide.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT16:
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for info in [*wide.graph.input, *wide.graph.output, *wide.graph.value_info]:
        if info.type.tensor_type.elem_type == TensorProto.FLOAT16:
            info.type.tensor_type.elem_type = TensorProto.FLOAT
    for node in wide.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
    return wide


def input_of(model: onnx.ModelProto) -> np.ndarray:
    tensor = model.graph.input[0].type.tensor_type
    sizes = [d.dim_value or size for d, size in zip(tensor.shape.dim, (1, 3, 64, 64))]
    random = np.random.RandomState(1)
    if tensor.elem_type == TensorProto.UINT8:
        return random.randint(0, 256, [1, *sizes[1:]], np.uint8)
    return random.standard_normal([1, *sizes[1:]]).astype(np.float32)


class Field(ServerTest):
    @classmethod
    def prepare(cls):
        cls.files = {path.stem: onnx.load(path) for path in sorted(FOLDER.glob("*.onnx"))}
        models = cls.folder / "models"
        for name in cls.files.keys() - REFUSED.keys():
            version = models / name / "1"
            version.mkdir(parents=True)
            shutil.copy(FOLDER / f"{name}.onnx", version / "model.onnx")
            if name in CONFIGS:
                (version / "config.textproto").write_text(CONFIGS[name])
        labelled = models / "binary-labels" / "1"
        labelled.mkdir(parents=True)
        shutil.copy(FOLDER / "binary-logit.onnx", labelled / "model.onnx")
        (labelled / "labels.txt").write_text("cat\ndog\n")
        # One that cannot be loaded is its own test's failure.
        cls.OPTIONS = ["--models", str(models), "--batch-sizes", "1", "--keep-going"]
        cls.inputs = {name: input_of(model) for name, model in cls.files.items() if name not in REFUSED}
        peers = {name: (widened(cls.files[name]), values) for name, values in cls.inputs.items()}
        cls.expected = onnxruntime_peer.answers(PYTHON, peers, cls.folder / "peer")

    def check(self, name: str, *options: str):
        return subprocess.run([sys.argv[2], "--json", "check", str(FOLDER / f"{name}.onnx"), *options],
                              capture_output=True, text=True, timeout=60)

    def test_the_table_names_every_file(self):
        self.assertEqual(self.files.keys(), SERVED.keys() | REFUSED.keys())

    def test_served_as(self):
        for name, (heads, features, alias) in SERVED.items():
            with self.subTest(name):
                model = self.ok("GetModel", pb.GetModelRequest(model=name))
                outputs = [o.name for o in self.files[name].graph.output]
                self.assertEqual([(h.name, h.classes, h.activation) for h in model.heads], heads)
                for head in model.heads:
                    # ArgMax's "label" is left out.
                    self.assertEqual(list(head.aliases), [o for o in outputs if o not in ("logits", "label")])
                    self.assertTrue(head.evidence)
                self.assertEqual(model.embedding_size, features)
                (pool,) = [layer for layer in model.layers if layer.name == "pool"]
                self.assertEqual(list(pool.aliases), [alias] if alias else [])

    def test_answers_as_onnx_runtime(self):
        for name in SERVED:
            with self.subTest(name):
                vectors = onnxruntime_peer.served(self, name, onnxruntime_peer.image_of(self.inputs[name]))
                if name == "logsoftmax":  # taken away, so that the server has the scores
                    vectors[10] = vectors[10] - np.log(np.exp(vectors[10]).sum())
                onnxruntime_peer.assert_same(self, name, self.expected[name], vectors)

    def test_bytes_are_the_same_as_a_file(self):
        (pixels,) = self.inputs["uint8-preproc"]
        vectors = onnxruntime_peer.served(self, "uint8-preproc", images.encoded(images.rgb_png(pixels)))
        onnxruntime_peer.assert_same(self, "uint8-preproc", self.expected["uint8-preproc"], vectors)

    def test_a_logit_is_a_value_or_with_labels_a_sigmoid(self):
        image = onnxruntime_peer.image_of(self.inputs["binary-logit"])
        refused = self.client.call("Classify", pb.ClassifyRequest(model="binary-logit", images=[image]))
        self.assertIsInstance(refused, Error)
        self.assertEqual(refused.code, "FAILED_PRECONDITION")
        request = pb.ClassifyRequest(model="binary-logit", images=[image])
        request.options.scores = pb.ClassifyOptions.LOGITS
        (value,) = self.ok("Classify", request).results[0].classes
        result = self.ok("Classify", pb.ClassifyRequest(model="binary-labels", images=[image])).results[0]
        scores = {c.label: c.score for c in result.classes}
        self.assertAlmostEqual(scores["dog"], 1 / (1 + np.exp(-value.score)), places=6)
        self.assertAlmostEqual(scores["cat"] + scores["dog"], 1, places=6)

    def test_refused_in_a_sentence(self):
        for name, said in REFUSED.items():
            with self.subTest(name):
                run = self.check(name)
                self.assertEqual(run.returncode, 1, run.stderr)
                checked = json.loads(run.stdout)
                self.assertFalse(checked["ok"])
                (error,) = checked["errors"]
                self.assertRegex(error["message"], rf"\): {said}[^.;\n]*$")

    def test_a_free_size_names_the_option(self):
        run = self.check("optimum-dynhw")
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("--input-size", json.loads(run.stdout)["errors"][0]["message"])
        run = self.check("optimum-dynhw", "--input-size", "64x64")
        self.assertEqual(run.returncode, 0, run.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 5 or not sys.argv[4]:
        print("NO FIELD NETWORKS: RESNETD_TEST_DATA names no folder")
        sys.exit(0)
    PYTHON, FOLDER = sys.argv[3], pathlib.Path(sys.argv[4])
    unittest.main(argv=sys.argv[:1])
