"""resnetctl inspect and check as they are shipped, on the default model and on a network of every family.

inspect_test.py RESNETD RESNETCTL FAMILIES
"""

import collections
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

import images

FAMILIES = pathlib.Path(sys.argv[3])

# Each family has so many units with this shortcut, and these places for the plus.
IN_PLACE = {"sum in place"}
ANY = {"sum in place", "binary post-op", "a step of its own"}
UNITS = {
    "cifar20-a-script17": ({"identity": 7, "padded": 2}, IN_PLACE),
    "cifar20-a-concat-dynamo21": ({"identity": 7, "padded": 2}, IN_PLACE),
    "cifar32-b-script15": ({"identity": 13, "projection": 2}, IN_PLACE),
    "cifar56-c-script18": ({"projection": 27}, IN_PLACE),
    "cifar20-v2-dynamo18": ({"identity": 7, "projection": 2}, IN_PLACE),
    "wrn16-4-script13-n1": ({"identity": 3, "projection": 3}, IN_PLACE),
    "resnet18-dynamo18-n1": ({"identity": 5, "projection": 3}, IN_PLACE),
    "resnet50-script13": ({"identity": 12, "projection": 4}, IN_PLACE),
    "resnet50-d-script11": ({"identity": 1, "projection": 1, "pooled": 3}, IN_PLACE),
    "resnet50-gn-script17": ({"identity": 1, "projection": 4}, ANY),
    "resnetblur50-script13": ({"identity": 1, "projection": 4}, IN_PLACE),
    "resnext50-32x4d-script9": ({"identity": 1, "projection": 4}, IN_PLACE),
    "seresnet50-script13": ({"identity": 1, "projection": 4}, ANY),
    "regnet-y-400mf-script13": ({"identity": 12, "projection": 4}, IN_PLACE),
    "mobilenet-v2-script7": ({"identity": 10, "none": 7}, IN_PLACE),
    "mobilenet-v3-small-script13": ({"identity": 6, "none": 5}, IN_PLACE),
    "mobilenet-v3-large-script17": ({"identity": 10, "none": 5}, IN_PLACE),
    "efficientnet-b0-script14": ({"identity": 9, "none": 7}, IN_PLACE),
    "nhwc-nhwc13": ({"identity": 1, "projection": 1}, IN_PLACE),
}


def ctl(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([sys.argv[2], *map(str, arguments)], capture_output=True, text=True, timeout=120)


class Inspect(unittest.TestCase):
    def json(self, *arguments):
        run = ctl("--json", *arguments)
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)

    def test_units_of_every_family(self):
        for name, (shortcuts, places) in UNITS.items():
            with self.subTest(name):
                units = self.json("inspect", "--residuals", FAMILIES / f"{name}.onnx")["units"]
                self.assertEqual(collections.Counter(unit["shortcut"] for unit in units), shortcuts)
                for unit in units:
                    self.assertIn(unit["plus"], {"-"} if unit["shortcut"] == "none" else places, unit)

    def test_arenas_are_near_their_bounds(self):
        for name in UNITS:
            for batch in (1, 8):
                with self.subTest(name, batch=batch):
                    found = self.json("inspect", "--residuals", "--batch", batch, FAMILIES / f"{name}.onnx")
                    self.assertLessEqual(found["arena_bytes"], 1.15 * found["arena_lower_bound"])

    def test_norms_of_an_image(self):
        with tempfile.TemporaryDirectory() as folder:
            image = pathlib.Path(folder) / "image.png"
            image.write_bytes(images.png(images.fashion()[0]))
            for model in ([], [images.MODEL]):  # the one in the program is the one in the folder
                units = self.json("inspect", "--residuals", "--image", image, *model)["units"]
                self.assertEqual(len(units), 9)
                for unit in units:
                    self.assertGreater(unit["norm_x"], 0)
                    self.assertAlmostEqual(unit["ratio"], unit["norm_f"] / unit["norm_x"])
            text = ctl("inspect", "--residuals", "--image", image)
            self.assertIn("|F(x)|/|x|", text.stdout)
            self.assertIn(f"{units[0]['ratio']:.3f}", text.stdout)

    def test_layers_and_totals(self):
        for model in (images.MODEL, FAMILIES / "resnext50-32x4d-script9.onnx", FAMILIES / "mobilenet-v2-script7.onnx"):
            with self.subTest(model):
                found = self.json("inspect", "--batch", "2", "--runs", "2", model)
                self.assertEqual(sum(layer["multiply_adds"] for layer in found["layers"]), 2 * found["multiply_adds"])
                self.assertGreater(found["peak_gflops"], 1)
                self.assertIn(found["disturbance"]["busy"], (True, False))
                self.assertGreaterEqual(found["arena_bytes"], found["arena_lower_bound"])
                for layer in found["layers"]:
                    self.assertGreater(layer["seconds"], 0)
                    self.assertAlmostEqual(layer["of_peak"], layer["gflops"] / found["peak_gflops"])
                    self.assertTrue(layer["implementation"])

    def test_the_picture_is_valid_xml_with_a_bar_a_layer(self):
        with tempfile.TemporaryDirectory() as folder:
            picture = pathlib.Path(folder) / "layers.svg"
            found = self.json("inspect", "--runs", "2", "--svg", picture, FAMILIES / "resnext50-32x4d-script9.onnx")
            root = xml.etree.ElementTree.parse(picture).getroot()
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("resnext50-32x4d-script9", texts)
        self.assertIn("grouped convolution", texts)
        bars = [text for text in texts if " ms" in text and text.split(" ms")[0].count(".") == 1]
        self.assertEqual(len(bars), len(found["layers"]) + 1)  # and the headline

    def test_check(self):
        for model in ([], [images.MODEL], [images.MODEL.parent], [FAMILIES / "efficientnet-b0-script14.onnx"]):
            with self.subTest(model):
                run = ctl("check", *model)
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                self.assertIn("a server would serve it", run.stdout)
        with tempfile.TemporaryDirectory() as folder:
            broken = pathlib.Path(folder) / "model.onnx"
            broken.write_bytes((images.MODEL / "model.onnx").read_bytes()[:-100])
            run = ctl("check", folder)
            self.assertEqual(run.returncode, 1)
            self.assertTrue(run.stderr)
            self.assertNotIn("INVALID_ARGUMENT", run.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
