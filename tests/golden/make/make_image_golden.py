#!/usr/bin/env python3
"""Makes what the tests of the image box are compared with, by Pillow and NumPy: small files and tables.

    $(scripts/venv.sh venv-pillow tests/golden/make/requirements.txt)/bin/python tests/golden/make/make_image_golden.py [--photos FOLDER]

    image/*.jpg, *.png, *.webp    one of each kind that a decoder must know
    image/decode.txt      file, width, height, CRC-32 of the pixels as "RGB" and as "L", and the length from which on
                          a file cut off there is still accepted
    image/on_black.txt    file, CRC-32 of the pixels composed on black as "RGB" and as "L"
    image/orientation.txt file, what its EXIF is made to say, width, height and CRC-32 of the upright image as "RGB"
    image/resize.txt      pixels (below), channels, width, height, filter, new width and height, CRC-32
    image/sizes.txt       pixels, channels, filter, shorter side (0: scaled to exactly the crop), side of the crop, width,
                          first and last height, CRC-32 of the crops of all heights
    image/squash.txt      pixels, channels, width, height, filter, scaled width and height, width and height of the crop, "even"
                          or "down" (which way an odd margin is halved), CRC-32
    image/recipe.txt      pixels, width, height, preset, its resize_size (0: the preset's own), CRC-32 of the network's
                          input, float32 NCHW
    image/photos.txt      with --photos only: photograph, CRC-32 of the file, and for each preset its name and the CRC-32 of
                          the network's input, float32 NCHW
    image/scaled.txt      JPEG file, what its EXIF is made to say (0: not looked at), filter, new width and height, CRC-32
                          of the pixels / 255, float32 NCHW: decoded by DCT scaling, as draft() has it, turned, resized

Pillow 13 resizes columns before rows where that is less work, which rounds differently; 12 and all before it, which
networks were trained and evaluated with, always begin with the rows. The tables are theirs.
"""

import argparse
import io
import math
import pathlib
import struct
import zlib

import numpy as np
import PIL
from image_files import EXIF_BIG, EXIF_LITTLE, TRANSPARENT, as_image, jpeg_files, pixels, png_files, webp_files
from PIL import Image, ImageOps

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "data" / "image"
FILTERS = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
PRESETS = {
    "torchvision-v1": ("RGB", 256, 224, Image.BILINEAR, *IMAGENET),
    "torchvision-v2": ("RGB", 232, 224, Image.BILINEAR, *IMAGENET),
    "mnist": ("L", 0, 28, Image.BILINEAR, [0.1307], [0.3081]),
    "cifar10": ("RGB", 0, 32, Image.BILINEAR, [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]),
    "timm": ("RGB", 256, 224, Image.BICUBIC, *IMAGENET),
}


def accepted(data: bytes) -> bool:
    try:
        Image.open(io.BytesIO(data)).load()
    except (OSError, SyntaxError, ValueError):
        return False
    return True


def accepted_from(name: str, data: bytes) -> int:
    """Pillow does without what follows the pixels: a JPEG file's end marker, a PNG file's last checksums."""
    lengths = [length for length in range(len(data) + 1) if accepted(data[:length])]
    assert lengths == list(range(lengths[0], len(data) + 1)), name
    return lengths[0]


def crc(image: Image.Image) -> str:
    return f"{zlib.crc32(image.tobytes()):08x}"


def decode_table() -> list[str]:
    lines = []
    for name, data in {**jpeg_files(), **png_files(), **webp_files()}.items():
        (FOLDER / name).write_bytes(data)
        image = Image.open(io.BytesIO(data))
        lines.append(f"{name} {image.width} {image.height} {crc(image.convert('RGB'))} {crc(image.convert('L'))} "
                     f"{accepted_from(name, data)}")
    return lines


def alpha(name: str, image: Image.Image) -> Image.Image:
    """As the PNG specification has it where one colour is transparent: Pillow compares it after losing its low bits."""
    if name not in TRANSPARENT:
        return image.convert("RGBA").getchannel("A")
    pixels = np.array(image).reshape(image.height, image.width, -1)
    return Image.fromarray((pixels != pixels[0, 0]).any(axis=2).astype(np.uint8) * 255)


def on_black_table() -> list[str]:
    lines = []
    for name, data in {**png_files(), **webp_files()}.items():
        image = Image.open(io.BytesIO(data))
        if not image.has_transparency_data:
            continue
        black = Image.new("RGB", image.size)
        black.paste(image.convert("RGB"), mask=alpha(name, image))
        lines.append(f"{name} {crc(black)} {crc(black.convert('L'))}")
    return lines


def orientation_table() -> list[str]:
    lines = []
    for name, data in (("exif.jpg", jpeg_files()), ("exif.png", png_files()), ("exif.webp", webp_files())):
        for value in range(10):
            changed = data[name]
            for exif in (EXIF_BIG, EXIF_LITTLE):
                changed = changed.replace(exif, exif.replace(b"\x06", bytes([value])))
            if name == "exif.png":
                start = changed.index(b"eXIf")
                end = start + 4 + len(EXIF_LITTLE)
                changed = changed[:end] + struct.pack(">I", zlib.crc32(changed[start:end])) + changed[end + 4 :]
            upright = ImageOps.exif_transpose(Image.open(io.BytesIO(changed)))
            lines.append(f"{name} {value} {upright.width} {upright.height} {crc(upright.convert('RGB'))}")
    return lines


def resize_table() -> list[str]:
    sizes = [((500, 375), (341, 256)), ((97, 61), (28, 28)), ((20, 31), (83, 57)), ((64, 64), (64, 64)),
             ((1, 1), (7, 5)), ((1, 300), (3, 3)), ((300, 1), (64, 2)), ((256, 255), (255, 256)), ((999, 7), (4, 3))]
    lines = []
    for kind in ("noise", "extremes"):
        for channels in (1, 3):
            for (width, height), size in sizes:
                image = as_image(pixels(kind, width, height, channels))
                for name, method in FILTERS.items():
                    lines.append(f"{kind} {channels} {width} {height} {name} {size[0]} {size[1]} "
                                 f"{crc(image.resize(size, method))}")
    return lines


def cropped(image: Image.Image, shorter: int, crop: int, method: Image.Resampling) -> Image.Image:
    """What torchvision's Resize and CenterCrop make of a PIL image; scaled to exactly the crop if `shorter` is 0."""
    if shorter == 0:
        return image.resize((crop, crop), method)
    width, height = image.size
    longer = int(shorter * max(width, height) / min(width, height))
    image = image.resize((shorter, longer) if width <= height else (longer, shorter), method)
    if min(image.size) < crop:
        black = Image.new(image.mode, [max(side, crop) for side in image.size])
        black.paste(image, tuple((after - side) // 2 for after, side in zip(black.size, image.size)))
        image = black
    left, top = (int(round((side - crop) / 2.0)) for side in image.size)
    return image.crop((left, top, left + crop, top + crop))


# Channels, filter, shorter side, side of the crop.
KINDS_OF_CROP = [(3, "bilinear", 40, 32), (3, "bicubic", 40, 32), (3, "nearest", 40, 32), (1, "bilinear", 0, 28),
                 (3, "bicubic", 20, 32)]  # fmt: skip


def sizes_table() -> list[str]:
    """Every size from 1x1 to 64x64, and odd ones up."""
    ranges = [(width, 1, 64) for width in range(1, 65)]
    ranges += [(width, height, height) for width, height in ((65, 97), (67, 1), (1, 257), (129, 255), (331, 77), (641, 479),
                                                             (1023, 767), (3, 4099), (4099, 3), (2047, 31))]  # fmt: skip
    lines = []
    for channels, name, shorter, crop in KINDS_OF_CROP + [(3, "bilinear", 256, 224)]:
        for width, first, last in ranges:
            if crop == 224 and last == 64 and width % 9 != 1:
                continue
            checksum = 0
            for height in range(first, last + 1):
                image = as_image(pixels("noise", width, height, channels))
                checksum = zlib.crc32(cropped(image, shorter, crop, FILTERS[name]).tobytes(), checksum)
            lines.append(f"noise {channels} {name} {shorter} {crop} {width} {first} {last} {checksum:08x}")
    return lines


def squash_table() -> list[str]:
    """torchvision's Resize((height, width)) and CenterCrop; Hugging Face's processors halve odd margins downwards."""
    lines = []
    for width, height in ((500, 375), (61, 180), (1, 300), (37, 37)):
        for scaled, crop in (((256, 256), (224, 224)), ((227, 233), (224, 224)), ((74, 147), (64, 128)), ((35, 20), (32, 15))):
            for channels, name in ((3, "bilinear"), (1, "bicubic"), (3, "nearest")):
                image = as_image(pixels("noise", width, height, channels)).resize(scaled, FILTERS[name])
                for offset, halve in (("even", lambda margin: int(round(margin / 2.0))), ("down", lambda margin: margin // 2)):
                    left, top = (halve(a - b) for a, b in zip(scaled, crop))
                    cut = image.crop((left, top, left + crop[0], top + crop[1]))
                    lines.append(f"noise {channels} {width} {height} {name} {scaled[0]} {scaled[1]} {crop[0]} {crop[1]} "
                                 f"{offset} {crc(cut)}")  # fmt: skip
    return lines


def network_input(image: Image.Image, preset: str, resize_size: int = 0) -> np.ndarray:
    """What torchvision's ToTensor and Normalize compute of that, in their float32."""
    mode, shorter, crop, method, mean, std = PRESETS[preset]
    image = cropped(image.convert(mode), resize_size or shorter, crop, method)
    planes = np.asarray(image).reshape(crop, crop, -1).transpose(2, 0, 1).astype(np.float32)
    mean, std = (np.array(values, np.float32).reshape(-1, 1, 1) for values in (mean, std))
    return (planes / np.float32(255) - mean) / std


def recipe_table() -> list[str]:
    sizes = [(500, 375), (333, 500), (224, 224), (257, 256), (90, 61), (3, 400), (28, 28), (32, 32)]
    lines = []
    for preset in PRESETS:
        for width, height in sizes:
            values = network_input(as_image(pixels("noise", width, height, 3)), preset)
            lines.append(f"noise {width} {height} {preset} 0 {zlib.crc32(values.tobytes()):08x}")
    for resize_size in (1, 100, 199, 223, 224, 225):
        for width, height in ((97, 61), (61, 180)):
            values = network_input(as_image(pixels("noise", width, height, 3)), "torchvision-v1", resize_size)
            lines.append(f"noise {width} {height} torchvision-v1 {resize_size} {zlib.crc32(values.tobytes()):08x}")
    return lines


def photos_table(folder: pathlib.Path) -> list[str]:
    lines = []
    for file in sorted(folder.iterdir()):
        image = Image.open(file)
        inputs = [f"{preset} {zlib.crc32(network_input(image, preset).tobytes()):08x}" for preset in PRESETS]
        lines.append(f"{file.name} {zlib.crc32(file.read_bytes()):08x} {' '.join(inputs)}")
    return lines


def scaled_input(file: pathlib.Path, orientation: int, size: tuple[int, int], method: int) -> np.ndarray:
    image = Image.open(file)
    whole = np.array(image.size)
    image.draft(None, size[::-1] if orientation >= 5 else size)
    shrink = math.ceil(whole[0] / image.width)
    # The image that draft() decodes ends with parts of pixels. Turning moves them to the front of an axis.
    box = [0, 0, *(whole / shrink)]
    x_reversed, y_reversed = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    image = image.convert("RGB")
    if orientation > 1:
        image = image.transpose({2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM, 5: Image.TRANSPOSE,
                                 6: Image.ROTATE_270, 7: Image.TRANSVERSE, 8: Image.ROTATE_90}[orientation])  # fmt: skip
        right, bottom = box[:1:-1] if orientation >= 5 else box[2:]
        box = [image.width - right if x_reversed else 0, image.height - bottom if y_reversed else 0,
               image.width if x_reversed else right, image.height if y_reversed else bottom]  # fmt: skip
    image = image.resize(size, method, box)
    return np.asarray(image).transpose(2, 0, 1).astype(np.float32) / np.float32(255)


def scaled_table() -> list[str]:
    lines = []
    for file in sorted(FOLDER.glob("*.jpg")):
        if min(Image.open(file).size) < 9:
            continue
        for orientation in range(9 if file.name == "exif.jpg" else 1):
            for size in ((40, 30), (23, 18), (22, 19), (22, 18), (11, 9), (9, 11), (6, 4), (5, 4), (5, 3), (1, 1)):
                for name, method in FILTERS.items():
                    values = scaled_input(file, orientation, size, method)
                    lines.append(f"{file.name} {orientation} {name} {size[0]} {size[1]} {zlib.crc32(values.tobytes()):08x}")
    return lines


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--photos", type=pathlib.Path, help="folder of photographs, which are not in the repository")
    photos = p.parse_args().photos
    FOLDER.mkdir(exist_ok=True)
    tables = {"decode": decode_table, "on_black": on_black_table, "orientation": orientation_table,
              "resize": resize_table, "sizes": sizes_table, "squash": squash_table, "recipe": recipe_table, "scaled": scaled_table}  # fmt: skip
    if photos:
        tables["photos"] = lambda: photos_table(photos)
    for name, table in tables.items():
        heading = f"# tests/golden/make/make_image_golden.py, Pillow {PIL.__version__}\n"
        (FOLDER / f"{name}.txt").write_text(heading + "\n".join(table()) + "\n")


if __name__ == "__main__":
    main()
