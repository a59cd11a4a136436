#!/usr/bin/env python3
"""Compares the network's input with what Pillow and torchvision make of the same image, for every image of a folder and
every preset, and for every size. scripts/check_images.sh runs it, with Pillow of a pinned version and torchvision itself.

    check_images.py build/release/tests/image_dump [FOLDER]

Without a folder of photographs there are a few generated images. It fails unless

  - of equal decoded pixels (each image decoded by Pillow and saved as PNG) the input is torchvision's bit for bit;
  - of the files themselves, and of the same images saved as WebP and as progressive JPEG, each pixel is within 1 level of
    torchvision's, and the differences' absolute values are 0.01 in the mean at most;
  - each value is within 1e-6 of (pixel/255 - mean)/std of its pixel, a whole number;
  - torchvision crops every size from 1x1 to 64x64 and odd ones up as make_image_golden.py does, whose results the tests
    compare with.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import PIL
import torchvision
from image_files import as_image, pixels, scene
from make_image_golden import FILTERS, KINDS_OF_CROP, PRESETS, cropped, network_input
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import InterpolationMode

ODD_SIZES = [(65, 97), (67, 1), (1, 257), (129, 255), (331, 77), (641, 479), (1023, 767), (3, 1025), (1999, 33)]


def crop_of_torchvision(shorter: int, crop: int, method: Image.Resampling) -> v2.Compose:
    mode = {Image.NEAREST: InterpolationMode.NEAREST, Image.BILINEAR: InterpolationMode.BILINEAR,
            Image.BICUBIC: InterpolationMode.BICUBIC}[method]  # fmt: skip
    return v2.Compose([v2.Resize(shorter or (crop, crop), mode), v2.CenterCrop(crop)])


def input_of_torchvision(image: Image.Image, preset: str) -> np.ndarray:
    mode, shorter, crop, method, mean, std = PRESETS[preset]
    image = crop_of_torchvision(shorter, crop, method)(image.convert(mode))
    with_values = torchvision.transforms.Compose(
        [torchvision.transforms.ToTensor(), torchvision.transforms.Normalize(mean, std)])
    return with_values(image).numpy()


def inputs_of_ours(dump: str, preset: str, files: list[pathlib.Path]) -> np.ndarray:
    out = subprocess.run([dump, preset, *files], stdout=subprocess.PIPE, check=True).stdout
    mode, _, crop, *_ = PRESETS[preset]
    return np.frombuffer(out, np.float32).reshape(len(files), 1 if mode == "L" else 3, crop, crop)


class Failures:
    count = 0

    def unless(self, holds: bool, what: str) -> None:
        if not holds:
            self.count += 1
            print(f"FAILED: {what}")


def check_values(ours: np.ndarray, preset: str, what: str, failures: Failures) -> np.ndarray:
    """Returns the pixels that the values are of."""
    mean, std = (np.array(values).reshape(-1, 1, 1) for values in PRESETS[preset][-2:])
    levels = np.rint((ours.astype(np.float64) * std + mean) * 255)
    apart = np.abs(ours - (levels / 255 - mean) / std).max()
    failures.unless(apart <= 1e-6, f"{what}: a value is {apart:.2e} from that of its pixel")
    return levels


def check_folder(dump: str, preset: str, files: list[pathlib.Path], exact: bool, failures: Failures) -> str:
    same, furthest, furthest_mean = 0, 0, 0.0
    for file, ours in zip(files, inputs_of_ours(dump, preset, files)):
        what = f"{file.name}, {preset}"
        theirs = input_of_torchvision(Image.open(file), preset)
        same += ours.tobytes() == theirs.tobytes()
        failures.unless(not exact or ours.tobytes() == theirs.tobytes(), f"{what}: not bit for bit the same")
        levels = np.abs(check_values(ours, preset, what, failures) - check_values(theirs, preset, what, failures))
        furthest, furthest_mean = max(furthest, int(levels.max())), max(furthest_mean, float(levels.mean()))
        failures.unless(levels.max() <= 1, f"{what}: a pixel is {levels.max():.0f} levels apart")
        failures.unless(levels.mean() <= 0.01, f"{what}: the pixels are {levels.mean():.4f} levels apart in the mean")
    return f"{same} of {len(files)} bit for bit, pixels at most {furthest} apart, {furthest_mean:.4f} in an image's mean"


def check_sizes(failures: Failures) -> int:
    sizes = [(width, height) for width in range(1, 65) for height in range(1, 65)] + ODD_SIZES
    for channels, name, shorter, crop in KINDS_OF_CROP:
        theirs = crop_of_torchvision(shorter, crop, FILTERS[name])
        for width, height in sizes:
            image = as_image(pixels("noise", width, height, channels))
            same = cropped(image, shorter, crop, FILTERS[name]).tobytes() == theirs(image).tobytes()
            failures.unless(same, f"{width}x{height}, {name} to {shorter}, crop {crop}: torchvision differs")
    for preset in PRESETS:
        for width, height in [(61, 47), *ODD_SIZES]:
            image = as_image(pixels("noise", width, height, 3))
            same = network_input(image, preset).tobytes() == input_of_torchvision(image, preset).tobytes()
            failures.unless(same, f"{width}x{height}, {preset}: torchvision's input differs")
    return len(sizes)


def generated(folder: pathlib.Path) -> list[pathlib.Path]:
    print("NO FOLDER OF PHOTOGRAPHS GIVEN: a few generated images stand in for them")
    files = []
    for width, height in ((500, 375), (333, 500), (640, 427), (180, 240)):
        files.append(folder / f"{width}x{height}.jpg")
        Image.fromarray(scene(width, height, 3)).save(files[-1], quality=90)
    return files


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dump", help="the program image_dump")
    p.add_argument("folder", type=pathlib.Path, nargs="?", help="image files, and no others")
    args = p.parse_args()
    print(f"Pillow {PIL.__version__}, torchvision {torchvision.__version__}")
    failures = Failures()
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        files = sorted(f for f in args.folder.iterdir() if f.is_file()) if args.folder else generated(scratch)
        kinds = {"the files": files}
        saved = {"equal pixels": ("png", {"compress_level": 1}), "as WebP": ("webp", {"quality": 80}),
                 "as progressive JPEG": ("jpg", {"quality": 85, "progressive": True})}  # fmt: skip
        for kind, (extension, options) in saved.items():
            (scratch / extension).mkdir()
            kinds[kind] = [scratch / extension / f"{file.stem}.{extension}" for file in files]
            for file, to in zip(files, kinds[kind]):
                Image.open(file).convert("RGB").save(to, **options)
        for kind, images in kinds.items():
            for preset in PRESETS:
                print(f"{kind}, {preset}: {check_folder(args.dump, preset, images, kind == 'equal pixels', failures)}")
        failures.unless(len(files) > 0, "the folder holds no image")
    print(f"{check_sizes(failures)} sizes cropped by torchvision as by make_image_golden.py, {len(KINDS_OF_CROP)} ways each")
    print("all as Pillow and torchvision have it" if failures.count == 0 else f"{failures.count} failures")
    return 1 if failures.count else 0


if __name__ == "__main__":
    sys.exit(main())
