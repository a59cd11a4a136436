#!/usr/bin/env python3
"""Makes what resizing without antialiasing is compared with, by OpenCV, TensorFlow and Keras themselves.

    $(scripts/venv.sh venv-bilinear tests/golden/make/requirements-bilinear.txt)/bin/python \\
        tests/golden/make/make_bilinear_golden.py [--photos FOLDER]

    image/bilinear.txt         pixels (image_files.py), channels, width, height, interpolation, new width and height, CRC-32:
                               of bytes for bilinear_cv2, of float32 for bilinear_tf2
    image/bilinear_sizes.txt   pixels, channels, interpolation, shorter side (0: scaled to exactly the crop), side of the
                               crop, width, first and last height, CRC-32 of the crops of all heights
    image/keras.txt            pixels, width, height, preset, CRC-32 of the network's input, float32 NCHW
    image/bilinear_photos.txt  with --photos only: photograph, CRC-32 of the file, and for each way its interpolation,
                               shorter side, side of the crop and the CRC-32 of the levels, float32 NCHW; then for each of
                               Keras' presets its name and the CRC-32 of the network's input

Sizes and crops are torchvision's (make_image_golden.py).
"""

import argparse
import io
import os
import pathlib
import zlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import cv2
import keras
import numpy as np
import tensorflow as tf
from image_files import as_image, pixels
from PIL import Image

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "data" / "image"
KERAS_MODES = {"keras-caffe": "caffe", "keras-tf": "tf", "keras-torch": "torch"}
# Up, down, by odd factors and by one, to exactly half in both axes and in one, one pixel, one row, one column, slivers.
SIZES = [((500, 375), (341, 256)), ((97, 61), (28, 28)), ((20, 31), (83, 57)), ((64, 64), (64, 64)), ((1, 1), (7, 5)),
         ((1, 300), (3, 3)), ((300, 1), (64, 2)), ((256, 255), (255, 256)), ((999, 7), (4, 3)), ((448, 512), (224, 256)),
         ((448, 512), (224, 512)), ((447, 512), (224, 256)), ((2, 2), (1, 1)), ((6, 4), (3, 2)), ((14, 10), (7, 5)),
         ((126, 2), (63, 1)), ((300, 201), (100, 67)), ((7, 5), (1, 1)), ((2, 9000), (224, 40)), ((9000, 2), (40, 224)),
         ((3, 3), (2000, 2)), ((640, 480), (224, 224)), ((31, 33), (224, 224))]  # fmt: skip
# Channels, shorter side, side of the crop.
KINDS_OF_CROP = [(3, 40, 32), (1, 0, 28), (3, 20, 32), (3, 0, 32)]
WAYS_OF_PHOTOS = [(256, 224), (0, 224), (0, 640)]


def of_cv2(array: np.ndarray, width: int, height: int) -> np.ndarray:
    return cv2.resize(array, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, -1)


def of_tensorflow(array: np.ndarray, width: int, height: int) -> np.ndarray:
    return tf.image.resize(array, (height, width), method="bilinear", antialias=False).numpy()


LIBRARIES = {"bilinear_cv2": of_cv2, "bilinear_tf2": of_tensorflow}


def crc(array: np.ndarray, before: int = 0) -> int:
    return zlib.crc32(np.ascontiguousarray(array).tobytes(), before)


def scaled_size(width: int, height: int, shorter: int, crop: int) -> tuple[int, int]:
    if shorter == 0:
        return crop, crop
    longer = int(shorter * max(width, height) / min(width, height))
    return (shorter, longer) if width <= height else (longer, shorter)


def cropped(array: np.ndarray, crop: int) -> np.ndarray:
    """The centre; black around what is smaller."""
    height, width = array.shape[:2]
    spare = [max(crop - side, 0) for side in (height, width)]
    array = np.pad(array, [(side // 2, side - side // 2) for side in spare] + [(0, 0)])
    top, left = (int(round((side - crop) / 2.0)) for side in array.shape[:2])
    return array[top : top + crop, left : left + crop]


def resize_table() -> list[str]:
    lines = []
    for kind in ("noise", "extremes"):
        for channels in (1, 3):
            for (width, height), size in SIZES:
                for name, library in LIBRARIES.items():
                    resized = library(pixels(kind, width, height, channels), *size)
                    lines.append(f"{kind} {channels} {width} {height} {name} {size[0]} {size[1]} {crc(resized):08x}")
    return lines


def sizes_table() -> list[str]:
    """Every size from 1x1 to 64x64, and odd ones up."""
    ranges = [(width, 1, 64) for width in range(1, 65)]
    ranges += [(width, height, height) for width, height in ((65, 97), (67, 1), (1, 257), (129, 255), (331, 77), (641, 479),
                                                             (1023, 767), (3, 4099), (4099, 3), (2047, 31))]  # fmt: skip
    lines = []
    for name, library in LIBRARIES.items():
        for channels, shorter, crop in KINDS_OF_CROP:
            for width, first, last in ranges:
                checksum = 0
                for height in range(first, last + 1):
                    resized = library(pixels("noise", width, height, channels), *scaled_size(width, height, shorter, crop))
                    checksum = crc(cropped(resized, crop), checksum)
                lines.append(f"noise {channels} {name} {shorter} {crop} {width} {first} {last} {checksum:08x}")
    return lines


def input_of_keras(file: io.BytesIO | pathlib.Path, preset: str) -> np.ndarray:
    image = keras.utils.load_img(file, target_size=(224, 224))
    batch = keras.utils.img_to_array(image)[None]
    values = keras.applications.imagenet_utils.preprocess_input(batch, data_format="channels_last", mode=KERAS_MODES[preset])
    return values[0].transpose(2, 0, 1)


def keras_table() -> list[str]:
    lines = []
    for preset in KERAS_MODES:
        for width, height in ((500, 375), (333, 500), (224, 224), (448, 448), (90, 61), (3, 400), (1, 1)):
            file = io.BytesIO()
            as_image(pixels("noise", width, height, 3)).save(file, "png")
            lines.append(f"noise {width} {height} {preset} {crc(input_of_keras(file, preset)):08x}")
    return lines


def levels(array: np.ndarray, name: str, shorter: int, crop: int) -> np.ndarray:
    height, width = array.shape[:2]
    resized = LIBRARIES[name](array, *scaled_size(width, height, shorter, crop))
    return cropped(resized, crop).astype(np.float32).transpose(2, 0, 1)


def photos_table(folder: pathlib.Path) -> list[str]:
    lines = []
    for file in sorted(folder.iterdir()):
        array = np.asarray(Image.open(file).convert("RGB"))
        inputs = [f"{name} {shorter} {crop} {crc(levels(array, name, shorter, crop)):08x}" for name in LIBRARIES
                  for shorter, crop in WAYS_OF_PHOTOS]  # fmt: skip
        inputs += [f"{preset} {crc(input_of_keras(file, preset)):08x}" for preset in KERAS_MODES]
        lines.append(f"{file.name} {crc(np.frombuffer(file.read_bytes(), np.uint8)):08x} {' '.join(inputs)}")
    return lines


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--photos", type=pathlib.Path, help="folder of photographs, which are not in the repository")
    photos = p.parse_args().photos
    tables = {"bilinear": resize_table, "bilinear_sizes": sizes_table, "keras": keras_table}
    if photos:
        tables["bilinear_photos"] = lambda: photos_table(photos)
    versions = f"OpenCV {cv2.__version__}, TensorFlow {tf.__version__}, Keras {keras.__version__}"
    for name, table in tables.items():
        heading = f"# tests/golden/make/make_bilinear_golden.py, {versions}\n"
        (FOLDER / f"{name}.txt").write_text(heading + "\n".join(table()) + "\n")


if __name__ == "__main__":
    main()
