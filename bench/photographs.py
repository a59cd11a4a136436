"""Photographs for the benchmarks of images: the same enlarged, and the network's inputs that image_bench makes of a folder."""

import math
import pathlib
import subprocess
import tempfile

LARGE_PIXELS = 4_000_000
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of the presets that inputs() knows


def enlarge(photos: pathlib.Path, folder: pathlib.Path) -> None:
    """To at least LARGE_PIXELS: bicubic, quality 90, 4:2:0."""
    from PIL import Image

    for path in photos.iterdir():
        with Image.open(path) as image:
            factor = max(math.sqrt(LARGE_PIXELS / (image.width * image.height)), 1)
            size = [math.ceil(factor * side) for side in image.size]
            large = image.convert("RGB").resize(size, Image.BICUBIC)
            large.save(folder / path.with_suffix(".jpg").name, "JPEG", quality=90, subsampling="4:2:0")


def inputs(command: list):
    """What `image_bench --folder ...` makes of photographs, by the files' names: float32 NCHW."""
    import numpy as np

    with tempfile.NamedTemporaryFile() as out:
        subprocess.run([*map(str, command), "--out", out.name], check=True)
        return np.fromfile(out.name, np.float32).reshape(-1, 3, 224, 224)
