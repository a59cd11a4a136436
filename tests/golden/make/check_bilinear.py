#!/usr/bin/env python3
"""Compares resizing without antialiasing with OpenCV, TensorFlow and Keras themselves, for every image of a folder.
scripts/check_images.sh runs it, with libraries of pinned versions.

    check_bilinear.py build/release/tests/image_dump [FOLDER]

Without a folder of photographs there are a few generated images. Each image is scaled by its shorter side and cropped,
scaled exactly, up, down, to exactly half, to a sliver and to one pixel, in colours and grey. It fails unless

  - each byte of BILINEAR_CV2 is that of cv2.resize() with INTER_LINEAR;
  - each level of BILINEAR_TF2 is within 1e-5 of 255 of tf.image.resize()'s;
  - each input of Keras' presets is load_img()'s and preprocess_input()'s, bit for bit.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

from make_bilinear_golden import KERAS_MODES, LIBRARIES, input_of_keras, levels  # first: it silences TensorFlow

import cv2
import keras
import numpy as np
import tensorflow as tf
from image_files import scene
from PIL import Image

LARGEST = {"bilinear_cv2": 0, "bilinear_tf2": 255e-5}


def ours(dump: str, recipe: str, files: list[pathlib.Path], channels: int, width: int, height: int) -> np.ndarray:
    out = subprocess.run([dump, recipe, *files], stdout=subprocess.PIPE, check=True).stdout
    return np.frombuffer(out, np.float32).reshape(len(files), channels, height, width)


def generated(folder: pathlib.Path) -> list[pathlib.Path]:
    print("NO FOLDER OF PHOTOGRAPHS GIVEN: a few generated images stand in for them")
    files = []
    for width, height in ((500, 375), (333, 500), (640, 428), (180, 240)):
        files.append(folder / f"{width}x{height}.jpg")
        Image.fromarray(scene(width, height, 3)).save(files[-1], quality=90)
    return files


class Check:
    def __init__(self, dump: str, files: list[pathlib.Path]) -> None:
        self.dump, self.files, self.failures = dump, files, 0

    def compare(self, what: str, all_ours: list[np.ndarray], all_theirs: list[np.ndarray], largest: float) -> None:
        same, furthest = 0, 0.0
        for file, one, other in zip(self.files, all_ours, all_theirs, strict=True):
            same += one.tobytes() == other.astype(np.float32).tobytes()
            apart = float(np.abs(one.astype(np.float64) - other).max())
            furthest = max(furthest, apart)
            if apart > largest:
                self.failures += 1
                print(f"FAILED: {file.name}, {what}: {apart} apart")
        print(f"{what}: {same} of {len(self.files)} bit for bit, at most {furthest:.2g} of 255 levels apart")

    def levels(self, name: str, mode: str, shorter: int, width: int, height: int) -> None:
        """Levels of 0 to 255, of a square crop if there is a shorter side."""
        arrays = [np.asarray(Image.open(file).convert(mode)) for file in self.files]
        arrays = [array.reshape(*array.shape[:2], -1) for array in arrays]
        if shorter:
            theirs = [levels(array, name, shorter, width) for array in arrays]
            resize = f"resize=shorter,sides={shorter}x{shorter}"
        else:
            theirs = [LIBRARIES[name](array, width, height).astype(np.float32).transpose(2, 0, 1) for array in arrays]
            resize = "resize=exact"
        recipe = f"none,interpolation={name},{resize},input={width}x{height}" + (",colour=grey" if mode == "L" else "")
        channels = 1 if mode == "L" else 3
        got = list(ours(self.dump, recipe, self.files, channels, width, height))
        self.compare(f"{name}, {mode}, {resize} to {width}x{height}", got, theirs, LARGEST[name])

    def half(self, name: str, scratch: pathlib.Path) -> None:
        """Exactly half of both sides, of each image by itself; OpenCV says that it takes its area mean there."""
        got, theirs = [], []
        for file in self.files:
            image = Image.open(file).convert("RGB")
            image = image.crop((0, 0, image.width // 2 * 2, image.height // 2 * 2))
            image.save(scratch / "even.png", compress_level=1)
            width, height = image.width // 2, image.height // 2
            recipe = f"none,interpolation={name},resize=exact,input={width}x{height}"
            got.append(ours(self.dump, recipe, [scratch / "even.png"], 3, width, height)[0])
            theirs.append(LIBRARIES[name](np.asarray(image), width, height).transpose(2, 0, 1))
            if name == "bilinear_cv2":
                area = cv2.resize(np.asarray(image), (width, height), interpolation=cv2.INTER_AREA)
                if area.transpose(2, 0, 1).tobytes() != theirs[-1].tobytes():
                    self.failures += 1
                    print(f"FAILED: {file.name}: half the size is not OpenCV's area mean")
        self.compare(f"{name}, RGB, exactly half", got, theirs, LARGEST[name])

    def keras(self, preset: str) -> None:
        got = list(ours(self.dump, preset, self.files, 3, 224, 224))
        self.compare(f"Keras, {preset}", got, [input_of_keras(file, preset) for file in self.files], 0)


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dump", help="the program image_dump")
    p.add_argument("folder", type=pathlib.Path, nargs="?", help="image files, and no others")
    args = p.parse_args()
    print(f"OpenCV {cv2.__version__}, TensorFlow {tf.__version__}, Keras {keras.__version__}")
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        files = sorted(f for f in args.folder.iterdir() if f.is_file()) if args.folder else generated(scratch)
        check = Check(args.dump, files)
        check.failures += not files
        for library in LIBRARIES:
            check.levels(library, "RGB", 256, 224, 224)
            check.levels(library, "RGB", 20, 32, 32)
            for mode, width, height in (("RGB", 224, 224), ("RGB", 333, 99), ("RGB", 1000, 801), ("L", 224, 224), ("L", 65, 31),
                                        ("RGB", 3000, 1), ("RGB", 1, 3000), ("RGB", 1, 1), ("L", 1, 1)):  # fmt: skip
                check.levels(library, mode, 0, width, height)
            check.half(library, scratch)
        for preset in KERAS_MODES:
            check.keras(preset)
    print("all as the libraries have it" if check.failures == 0 else f"{check.failures} failures")
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
