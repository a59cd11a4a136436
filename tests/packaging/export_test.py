"""tools/export.py: what it writes is served, and the golden answers of PyTorch come out; what it must refuse, it refuses.

    export_test.py RESNETD RESNETCTL       with a Python that has tools/requirements-models.txt

No weights are downloaded: networks have random ones, recipes and labels are those that the libraries carry.
"""

import contextlib
import dataclasses
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import timm
import torch
import torchvision.models

from running_server import RunningServer

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import export  # noqa: E402
import recipes  # noqa: E402

RESNET = {"size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3, "do_resize": True, "do_normalize": True,
          "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}  # fmt: skip
SQUASH = RESNET | {"size": {"height": 101, "width": 68}, "do_center_crop": True, "crop_size": {"height": 96, "width": 64},
                   "resample": 2, "crop_pct": None}  # fmt: skip


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.models = self.folder / "models"

    def export(self, *arguments: str) -> tuple[int, str]:
        """Exit status and what was said on stderr."""
        said = io.StringIO()
        command = ["export.py", *map(str, arguments), "--out", str(self.models)]
        with mock.patch.object(sys, "argv", command), contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            status = export.main()
        return status, said.getvalue()

    def write(self, name: str, content) -> pathlib.Path:
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def weights(self, name: str, state) -> pathlib.Path:
        torch.save(state, self.folder / name)
        return self.folder / name


class Served(Case):
    def setUp(self):
        super().setUp()
        self.resnet = timm.create_model("resnet10t", num_classes=3)
        preprocessor = self.write("preprocessor_config.json", SQUASH)
        state = {"state_dict": {f"module.{name}": value for name, value in self.resnet.state_dict().items()}}
        labels = self.write("labels.txt", "one\ntwo\nthree\n")
        for arguments in (
            ("timm/resnet18.a1_in1k", "--random-weights", 3),
            ("torchvision/mobilenet_v3_small", "--random-weights", 3, "--exporter", "script", "--opset", 13),
            (self.weights("my.pt", state), "--arch", "timm/resnet10t", "--preprocessor", preprocessor, "--labels", labels,
             "--external-data"),
        ):  # fmt: skip
            status, said = self.export(*arguments)
            self.assertEqual(status, 0, said)

    def test_golden_answers_come_out(self):
        with RunningServer(*PROGRAMS, self.folder, "--models", str(self.models)) as server:
            listed = server.ctl("models").stdout
        for name, classes in (("timm-resnet18.a1_in1k", 1000), ("torchvision-mobilenet_v3_small", 1000), ("my", 3)):
            self.assertIn(name, listed)
            folder = self.models / name / "1"
            self.assertEqual(len((folder / "labels.txt").read_text().splitlines()), classes)
            self.assertEqual((folder / "golden.textproto").read_text().count("  embedding: ["), 3)
        self.assertTrue((self.models / "my/1/model.onnx.data").exists())
        self.assertIn("resize_height: 101\n  resize_width: 68", (self.models / "my/1/config.textproto").read_text())
        self.assertIn("RANDOM WEIGHTS", (self.models / "timm-resnet18.a1_in1k/1/config.textproto").read_text())

    def test_another_recipe_is_found_out(self):
        for change in (("BICUBIC", "BILINEAR"), ("0.485", "0.475"), ("resize_size: 235", "resize_size: 236")):
            config = self.models / "timm-resnet18.a1_in1k/1/config.textproto"
            text = config.read_text()
            self.assertEqual(text.count(change[0]), 1, change)
            config.write_text(text.replace(*change))
            with self.assertRaisesRegex(RuntimeError, "golden image '.*': expected the", msg=change):
                with RunningServer(*PROGRAMS, self.folder, "--model", str(config.parent / "model.onnx")):
                    pass
            config.write_text(text)


class Refused(Case):
    def test_with_what_is_missing_or_wrong(self):
        state = timm.create_model("resnet10t", num_classes=3).state_dict()
        mine, pre = self.weights("my.pt", state), self.write("pre.json", RESNET)
        whole = self.weights("whole.pt", timm.create_model("resnet10t"))
        two = self.write("two.txt", "one\ntwo\n")
        for arguments, error in (
            ((mine, "--arch", "timm/resnet10t"), "give --preprocessor FILE .*or --recipe"),
            ((mine,), "a file of weights needs --arch"),
            ((mine, "--arch", "timm/resnet18", "--preprocessor", pre), "my.pt does not fit timm/resnet18: .*conv1.weight"),
            ((mine, "--arch", "timm/resnet10t", "--preprocessor", pre, "--labels", two), "expected 3 labels.* got 2"),
            ((whole, "--arch", "timm/resnet10t", "--preprocessor", pre), "whole.pt: expected tensors alone"),
            (("resnet50",), "expected timm/NAME or torchvision/NAME, got 'resnet50'"),
            (("keras/resnet50",), "expected timm/NAME or torchvision/NAME"),
            (("timm/resnet5000",), "timm has no network 'resnet5000'"),
            (("timm/resnet50.mine",), "Invalid pretrained tag"),
            (("torchvision/resnet50.V9",), "no weights 'V9'; there are IMAGENET1K_V1"),
        ):
            with self.subTest(arguments=arguments):
                status, said = self.export(*arguments)
                self.assertEqual(status, 1)
                self.assertRegex(said, error)
                self.assertFalse(self.models.exists())


class Recipes(Case):
    def recipe(self, config: dict) -> recipes.Recipe:
        return recipes.from_preprocessor_config(self.write("preprocessor_config.json", config))

    def test_of_timm(self):
        cfg = timm.get_pretrained_cfg("resnet50.a1_in1k")
        for changes, test_size, expected in (
            ({}, False, ("SHORTER_SIDE", 235, 224, "BICUBIC")),
            ({}, True, ("SHORTER_SIDE", 288, 288, "BICUBIC")),
            ({"crop_pct": 0.875, "interpolation": "bilinear"}, False, ("SHORTER_SIDE", 256, 224, "BILINEAR")),
            ({"crop_pct": 1.0, "crop_mode": "squash"}, False, ("EXACT", None, 224, "BICUBIC")),
            ({"crop_mode": "squash"}, False, ("SQUASH", (235, 235), 224, "BICUBIC")),
            ({"crop_mode": "squash", "input_size": (3, 256, 128)}, False, ("SQUASH", (269, 134), 256, "BICUBIC")),
            ({"crop_mode": "border"}, False, "crop_mode 'border'"),
            ({"crop_pct": 1.1}, False, ("SHORTER_SIDE", 203, 224, "BICUBIC")),  # padded with black
            ({"interpolation": "lanczos"}, False, "interpolation is 'lanczos'"),
            ({"mean": None}, False, "mean not given"),
            ({"input_size": (3, 224, 192)}, False, "at 192x224"),
            ({"test_input_size": None}, True, "--test-size needs a test_input_size"),
        ):
            with self.subTest(changes=changes, test_size=test_size):
                self.compare(lambda: recipes.from_timm(dataclasses.replace(cfg, **changes), test_size), expected)

    def test_of_torchvision(self):
        for weights, expected in (
            (torchvision.models.ResNet50_Weights.IMAGENET1K_V1, ("SHORTER_SIDE", 256, 224, "BILINEAR")),
            (torchvision.models.ResNet50_Weights.IMAGENET1K_V2, ("SHORTER_SIDE", 232, 224, "BILINEAR")),
            (torchvision.models.EfficientNet_B0_Weights.IMAGENET1K_V1, ("SHORTER_SIDE", 256, 224, "BICUBIC")),
            (torchvision.models.quantization.ResNet50_QuantizedWeights.DEFAULT, ("SHORTER_SIDE", 232, 224, "BILINEAR")),
        ):
            with self.subTest(weights=weights):
                self.compare(lambda: recipes.from_torchvision(weights), expected)

    def test_of_hugging_face(self):
        for changes, expected in (
            ({}, ("SHORTER_SIDE", 256, 224, "BICUBIC")),
            ({"crop_pct": 0.9}, ("SHORTER_SIDE", 248, 224, "BICUBIC")),
            ({"size": {"shortest_edge": 384}}, ("EXACT", None, 384, "BICUBIC")),
            ({"size": 224, "crop_pct": None}, ("EXACT", None, 224, "BICUBIC")),
            ({"size": {"shortest_edge": 232}, "crop_pct": None, "do_center_crop": True, "crop_size": 224, "resample": 2},
             ("SHORTER_SIDE", 232, 224, "BILINEAR")),
            ({"crop_pct": None}, "does not crop"),
            ({"image_processor_type": "BitImageProcessorFast", "crop_pct": None}, "does not crop"),
            ({"image_processor_type": "EfficientNetImageProcessor"}, "EfficientNetImageProcessor: the server does what"),
            ({"resample": 1}, "interpolation is 'lanczos'"),
            ({"do_normalize": False}, "expected do_normalize, got False"),
            ({"rescale_factor": 1 / 127.5}, "the server divides by 255"),
            ({"size": {"height": 256, "width": 256}, "do_center_crop": True, "crop_size": 224},
             ("SQUASH", (256, 256), 224, "BICUBIC")),
            ({"size": {"height": 224, "width": 224}, "do_center_crop": True, "crop_size": 224}, ("EXACT", None, 224, "BICUBIC")),
            ({"size": {"height": 256, "width": 256}, "do_center_crop": True}, "expected crop_size too"),
            ({"size": {"longest_edge": 256}}, "expected height and width, or shortest_edge"),
            ({"image_std": [0.5]}, "with a mean and a std each"),
        ):  # fmt: skip
            with self.subTest(changes=changes):
                self.compare(lambda: self.recipe(RESNET | changes), expected)
        convnext = {"feature_extractor_type": "ConvNextFeatureExtractor"}
        without = {name: value for name, value in RESNET.items() if name != "crop_pct"}
        self.compare(lambda: self.recipe(without | convnext), ("SHORTER_SIDE", 256, 224, "BICUBIC"))
        without = {name: value for name, value in RESNET.items() if name != "image_mean"}
        self.compare(lambda: self.recipe(without), "image_mean not given")

    def compare(self, make, expected):
        if isinstance(expected, str):
            with self.assertRaisesRegex(recipes.RecipeError, expected):
                make()
        else:
            recipe = make()
            self.assertEqual((recipe.resize, recipe.resize_size, recipe.height, recipe.interpolation), expected)


class Predictions(Case):
    def test_pytorch_and_resnetd_take_images_for_the_same(self):
        """tools/pytorch_predictions.py, for `resnetctl evaluate --predictions`."""
        images, predictions = self.folder / "images", self.folder / "pytorch.tsv"
        for command in (
            [ROOT / "tools/fashion_mnist_png.py", "--out", images, "--per-class", "30"],
            [ROOT / "tools/pytorch_predictions.py", "--list", images / "truth.tsv", "--out", predictions],
        ):
            subprocess.run([sys.executable, *command], check=True)

        def differ() -> tuple[int, int]:
            data = ["--data", images / "truth.tsv", "--predictions", predictions]
            run = subprocess.run([PROGRAMS[1], "--json", "evaluate", "--local", *data], check=True, capture_output=True)
            compared = json.loads(run.stdout)["predictions"]
            return compared["compared"], compared["differ"]

        self.assertEqual(differ(), (300, 0))
        first, *others = predictions.read_text().splitlines(keepends=True)
        name, index = first.split("\t")
        predictions.write_text(f"{name}\t{(int(index) + 1) % 10}\n{''.join(others)}")
        self.assertEqual(differ(), (300, 1))


if __name__ == "__main__":
    PROGRAMS = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
