#!/usr/bin/env python3
"""Compares the network's input with what Pillow and torchvision make of the same image, for every image of a folder and
every preset, and for every size. scripts/check_images.sh runs it, with Pillow of a pinned version and torchvision itself.

    check_images.py build/release/tests/image_dump [FOLDER]

Without a folder of photographs there are a few generated images. It fails unless

  - of equal decoded pixels (each image decoded by Pillow and saved as PNG) the input is torchvision's bit for bit;
  - of the files themselves, and of the same images saved as WebP and as progressive JPEG, each pixel is within 1 level of
    torchvision's, and the differences' absolute values are 0.01 in the mean at most;
  - each value is within 1e-6 of (pixel/255 - mean)/std of its pixel, a whole number;
  - torchvision's resize of tensors without antialiasing is BILINEAR_TF2 within 1e-5 of 255 levels;
  - SQUASH is timm's, and torchvision's Resize((256, 256)) with CenterCrop(224), bit for bit;
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
import timm.data
import torch
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


def inputs_of_ours(dump: str, preset: str, files: list[pathlib.Path], changes: str = "") -> np.ndarray:
    """`changes`: what image_dump takes behind a preset's name."""
    out = subprocess.run([dump, preset + changes, *files], stdout=subprocess.PIPE, check=True).stdout
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


def without_antialiasing(image: Image.Image, size: int | tuple[int, int]) -> np.ndarray:
    """Of a tensor: a Pillow image is always antialiased."""
    mean, std = PRESETS["torchvision-v1"][-2:]
    steps = [v2.Resize(size, InterpolationMode.BILINEAR, antialias=False), v2.CenterCrop(224), v2.Normalize(mean, std)]
    tensor = torch.from_numpy(np.asarray(image.convert("RGB")).transpose(2, 0, 1).astype(np.float32) / np.float32(255))
    return v2.Compose(steps)(tensor).numpy()


def check_without_antialiasing(dump: str, files: list[pathlib.Path], failures: Failures) -> str:
    """Levels in 1e-5 of 255 are 1e-5 / std of the input."""
    preset, furthest = "torchvision-v1", 0.0
    std = np.array(PRESETS[preset][-1]).reshape(-1, 1, 1)
    for size, changes in ((256, ""), ((224, 224), ",resize=exact"), ((300, 260), ",resize=squash,sides=260x300")):
        changes += ",interpolation=bilinear_tf2"
        for file, ours in zip(files, inputs_of_ours(dump, preset, files, changes)):
            theirs = without_antialiasing(Image.open(file), size)
            apart = float((np.abs(ours.astype(np.float64) - theirs) * std).max())
            furthest = max(furthest, apart)
            failures.unless(apart <= 1e-5, f"{file.name}{changes}: {apart:.2e} of the range from torchvision's")
    return f"at most {furthest:.2g} of the range from torchvision's resize with antialias=False"


def check_squash(dump: str, files: list[pathlib.Path], failures: Failures) -> str:
    squash = {"timm": ("bicubic", 0.95, "235x235"), "torchvision-v1": ("bilinear", 0.875, "256x256")}
    for preset, (interpolation, crop_pct, sides) in squash.items():
        mean, std = PRESETS[preset][-2:]
        timms = timm.data.create_transform((3, 224, 224), interpolation=interpolation, mean=mean, std=std, crop_pct=crop_pct,
                                           crop_mode="squash")  # fmt: skip
        for file, ours in zip(files, inputs_of_ours(dump, preset, files, f",resize=squash,sides={sides}")):
            same = ours.tobytes() == timms(Image.open(file).convert("RGB")).numpy().tobytes()
            failures.unless(same, f"{file.name}, {preset}, squashed to {sides}: not timm's bit for bit")
    mean, std = PRESETS["torchvision-v1"][-2:]
    resize = torchvision.transforms.Compose([torchvision.transforms.Resize((256, 256)), torchvision.transforms.CenterCrop(224),
                                             torchvision.transforms.ToTensor(), torchvision.transforms.Normalize(mean, std)])  # fmt: skip
    for file, ours in zip(files, inputs_of_ours(dump, "torchvision-v1", files, ",resize=squash,sides=256x256")):
        same = ours.tobytes() == resize(Image.open(file).convert("RGB")).numpy().tobytes()
        failures.unless(same, f"{file.name}, squashed to 256x256: not torchvision's bit for bit")
    return f"{len(files)} squashed as timm and torchvision do it"


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
        print(f"without antialiasing: {check_without_antialiasing(args.dump, kinds['equal pixels'], failures)}")
        print(f"squash: {check_squash(args.dump, kinds['equal pixels'], failures)}")
        failures.unless(len(files) > 0, "the folder holds no image")
    print(f"{check_sizes(failures)} sizes cropped by torchvision as by make_image_golden.py, {len(KINDS_OF_CROP)} ways each")
    print("all as Pillow and torchvision have it" if failures.count == 0 else f"{failures.count} failures")
    return 1 if failures.count else 0


if __name__ == "__main__":
    sys.exit(main())
