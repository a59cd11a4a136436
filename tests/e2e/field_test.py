"""What is made of small networks as the field has them: which are served, as what, and which are refused, and why.

    field_test.py RESNETD RESNETCTL FOLDER

The networks are not in the repository; tests/e2e/outputs_test.py has the kinds with networks of its own.
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
from client import Error, pb
from server_case import ServerTest

# file -> heads as (name, alias, classes, activation), values of the embedding, its alias
SERVED = {
    "binary-logit": ([("logits", "output", 1, pb.Head.NONE)], 32, None),
    "embedding-gemm": ([], 128, "embedding"),
    "in-reid256x128": ([("logits", None, 10, pb.Head.SOFTMAX)], 32, None),
    "logsoftmax": ([("logits", "output", 10, pb.Head.SOFTMAX)], 32, None),
}
# file -> what is said of it
REFUSED = {
    "argmax2": "ArgMax",
    "convnext": "LayerNormalization",
    "fnormalize": "Expand",
    "fnormalize-dynamo": "Expand",
    "fp16": "FLOAT16",
    "mish": "Softplus",
    "opset23": "expected opset 7 to 22, got 23",
    "optimum-dynhw": "axis 1 that is not fixed",
    "qdq": "QuantizeLinear",
    "sum": "Sum",
    "uint8-preproc": "expected float32 images",
}


class Field(ServerTest):
    @classmethod
    def prepare(cls):
        cls.models = cls.folder / "models"
        for name in SERVED:
            version = cls.models / name / "1"
            version.mkdir(parents=True)
            shutil.copy(FOLDER / f"{name}.onnx", version / "model.onnx")
        labelled = cls.models / "binary-labels" / "1"
        labelled.mkdir(parents=True)
        shutil.copy(FOLDER / "binary-logit.onnx", labelled / "model.onnx")
        (labelled / "labels.txt").write_text("cat\ndog\n")
        cls.OPTIONS = ["--models", str(cls.models), "--batch-sizes", "1"]

    def picture(self, name: str) -> pb.Image:
        shape = onnx.load(FOLDER / f"{name}.onnx").graph.input[0].type.tensor_type.shape
        height, width = (d.dim_value for d in shape.dim[2:])
        return images.u8(np.random.RandomState(1).randint(0, 256, (height, width, 3), np.uint8))

    def test_the_table_names_every_file(self):
        self.assertEqual({path.stem for path in FOLDER.glob("*.onnx")}, SERVED.keys() | REFUSED.keys())

    def test_served_as(self):
        for name, (heads, features, alias) in SERVED.items():
            with self.subTest(name):
                model = self.ok("GetModel", pb.GetModelRequest(model=name))
                outputs = [o.name for o in onnx.load(FOLDER / f"{name}.onnx").graph.output]
                self.assertEqual([(h.name, h.classes, h.activation) for h in model.heads],
                                 [(n, classes, activation) for n, _, classes, activation in heads])
                for head in model.heads:
                    self.assertEqual(list(head.aliases), [o for o in outputs if o != "logits"])
                    self.assertTrue(head.evidence)
                self.assertEqual(model.embedding_size, features)
                (pool,) = [layer for layer in model.layers if layer.name == "pool"]
                self.assertEqual(list(pool.aliases), [alias] if alias else [])
                image = self.picture(name)
                (embedded,) = self.ok("Embed", pb.EmbedRequest(model=name, images=[image])).results
                self.assertEqual(len(embedded.embedding), features)
                classified = self.client.call("Classify", pb.ClassifyRequest(model=name, images=[image]))
                if heads and heads[0][3] != pb.Head.NONE:
                    self.assertEqual(len(classified.results[0].classes), 5)
                else:
                    self.assertIsInstance(classified, Error)
                    self.assertEqual(classified.code, "FAILED_PRECONDITION")

    def test_a_logit_is_a_value_or_with_labels_a_sigmoid(self):
        image = self.picture("binary-logit")
        request = pb.ClassifyRequest(model="binary-logit", images=[image])
        request.options.scores = pb.ClassifyOptions.LOGITS
        (value,) = self.ok("Classify", request).results[0].classes
        result = self.ok("Classify", pb.ClassifyRequest(model="binary-labels", images=[image])).results[0]
        scores = {c.label: c.score for c in result.classes}
        self.assertAlmostEqual(scores["dog"], 1 / (1 + np.exp(-value.score)), places=6)
        self.assertAlmostEqual(scores["cat"] + scores["dog"], 1, places=6)

    def test_refused_by_name(self):
        for name, said in REFUSED.items():
            with self.subTest(name):
                run = subprocess.run([sys.argv[2], "--json", "check", str(FOLDER / f"{name}.onnx")],
                                     capture_output=True, text=True, timeout=60)
                self.assertEqual(run.returncode, 1, run.stderr)
                self.assertFalse(json.loads(run.stdout)["ok"])
                self.assertIn(said, run.stdout)


if __name__ == "__main__":
    if len(sys.argv) < 4 or not sys.argv[3]:
        print("NO FIELD NETWORKS: RESNETD_TEST_DATA names no folder")
        sys.exit(0)
    FOLDER = pathlib.Path(sys.argv[3])
    unittest.main(argv=sys.argv[:1])
