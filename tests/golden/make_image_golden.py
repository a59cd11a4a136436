#!/usr/bin/env python3
"""Makes what the tests of the image box are compared with, by Pillow and NumPy: small files and tables.

    $(scripts/venv.sh venv-pillow tests/golden/requirements.txt)/bin/python tests/golden/make_image_golden.py

    image/*.jpg, *.png, *.webp    one of each kind that a decoder must know
    image/decode.txt      file, width, height, CRC-32 of the pixels as "RGB" and as "L", and the length from which on
                          a file cut off there is still accepted
    image/on_black.txt    file, CRC-32 of the pixels composed on black as "RGB" and as "L"
    image/orientation.txt file, what its EXIF is made to say, width, height and CRC-32 of the upright image as "RGB"
    image/resize.txt      pixels (below), channels, width, height, filter, new width and height, CRC-32
    image/sizes.txt       pixels, channels, filter, shorter side (0: scaled to exactly the crop), side of the crop, width,
                          first and last height, CRC-32 of the crops of all heights
    image/recipe.txt      pixels, width, height, preset, its resize_size (0: the preset's own), CRC-32 of the network's
                          input, float32 NCHW
    image/scaled.txt      JPEG file, what its EXIF is made to say (0: not looked at), filter, new width and height, CRC-32
                          of the pixels / 255, float32 NCHW: decoded by DCT scaling, as draft() has it, turned, resized

Pillow 13 resizes columns before rows where that is less work, which rounds differently; 12 and all before it, which
networks were trained and evaluated with, always begin with the rows. The tables are theirs.
"""

import io
import math
import pathlib
import random
import struct
import zlib

import numpy as np
import PIL
from PIL import Image, ImageOps

FOLDER = pathlib.Path(__file__).resolve().parent / "image"
FILTERS = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
PRESETS = {
    "torchvision-v1": ("RGB", 256, 224, Image.BILINEAR, *IMAGENET),
    "torchvision-v2": ("RGB", 232, 224, Image.BILINEAR, *IMAGENET),
    "mnist": ("L", 0, 28, Image.BILINEAR, [0.1307], [0.3081]),
    "cifar10": ("RGB", 0, 32, Image.BILINEAR, [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]),
    "timm": ("RGB", 256, 224, Image.BICUBIC, *IMAGENET),
}
# EXIF with nothing but an orientation, the highest byte first and the lowest.
EXIF_BIG = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
EXIF_LITTLE = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"


STREAMS = {"noise": b"", "extremes": b""}


def pixels(kind: str, width: int, height: int, channels: int) -> np.ndarray:
    """What tests/unit/image_golden.cc makes too: the top bits of a linear congruential generator."""
    count = width * height * channels
    if len(STREAMS[kind]) < count:
        state = 1
        out = bytearray()
        for _ in range(2 * count):
            state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
            out.append(state >> 24 if kind == "noise" else 255 * (state >> 31))
        STREAMS[kind] = bytes(out)
    return np.frombuffer(STREAMS[kind][:count], np.uint8).reshape(height, width, channels)


def as_image(array: np.ndarray) -> Image.Image:
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def scene(width: int, height: int, channels: int) -> np.ndarray:
    """Slopes, an edge and some noise: something of all that JPEG treats differently."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * (3 + c) + y * (5 - c)) % 256 for c in range(channels)]
    image = np.stack(planes, axis=2) + pixels("noise", width, height, channels).astype(int) // 8
    image[height // 3 : height // 2, width // 4 :, :] //= 3
    return np.clip(image, 0, 255).astype(np.uint8)


def jpeg(image: Image.Image, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80, **options)
    return out.getvalue()


def segments(data: bytes) -> list[tuple[int, bytes]]:
    """Marker and segment of a JPEG file up to its scan; with the first scan's comes all that follows but the end marker."""
    found, at = [], 2
    while not found or found[-1][0] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        found.append((data[at + 1], data[at : end if data[at + 1] != 0xDA else -2]))
        at = end
    return found


def scan_by_scan(size: tuple[int, int], sampling: list[tuple[int, int]], ids: bytes = b"\1\2\3") -> bytes:
    """A baseline file of a scan for each component, each coded as a grey image of its own: any sampling can be had so,
    4:1:1 too, which Pillow does not write."""
    across, down = (max(values) for values in zip(*sampling))
    width, height = size
    planes = scene(width, height, len(sampling))
    scans, tables = b"", b""
    for i, (h, v) in enumerate(sampling):
        plane = Image.fromarray(planes[:, :, i]).resize((-(-width * h // across), -(-height * v // down)), Image.BOX)
        for marker, segment in segments(jpeg(plane)):
            if marker in (0xDB, 0xC4) and i == 0:
                tables += segment
            elif marker == 0xDA:
                scans += segment[:5] + ids[i : i + 1] + segment[6:]
    parts = b"".join(bytes([ids[i], h << 4 | v, 0]) for i, (h, v) in enumerate(sampling))
    frame = struct.pack(">BBHBHHB", 0xFF, 0xC0, 8 + len(parts), 8, height, width, len(sampling)) + parts
    return b"\xff\xd8" + tables + frame + scans + b"\xff\xd9"


def without(data: bytes, marker: int) -> bytes:
    return b"\xff\xd8" + b"".join(segment for kind, segment in segments(data) if kind != marker) + b"\xff\xd9"


def jpeg_files() -> dict[str, bytes]:
    colour, grey = Image.fromarray(scene(45, 37, 3)), as_image(scene(45, 37, 1))
    cmyk = Image.fromarray(scene(45, 37, 4), "CMYK")
    files = {
        "444.jpg": jpeg(colour, subsampling="4:4:4"),
        "422.jpg": jpeg(colour, subsampling="4:2:2"),
        "420.jpg": jpeg(colour, subsampling="4:2:0"),
        "progressive.jpg": jpeg(colour, progressive=True),
        "restarts.jpg": jpeg(colour, restart_marker_blocks=2),
        "rgb.jpg": jpeg(colour, keep_rgb=True),
        "411.jpg": scan_by_scan((45, 37), [(4, 1), (1, 1), (1, 1)]),
        "411_even.jpg": scan_by_scan((64, 16), [(4, 1), (1, 1), (1, 1)]),
        "410.jpg": scan_by_scan((45, 37), [(4, 2), (1, 1), (1, 1)]),
        "440.jpg": scan_by_scan((45, 37), [(1, 2), (1, 1), (1, 1)]),
        "cb_only_halved.jpg": scan_by_scan((45, 37), [(2, 2), (1, 1), (2, 2)]),
        "sampled_grey.jpg": scan_by_scan((45, 37), [(2, 2)]),
        "rgb_by_its_names.jpg": scan_by_scan((45, 37), [(1, 1)] * 3, b"RGB"),
        "other_names.jpg": scan_by_scan((45, 37), [(1, 1)] * 3, b"\x11\x12\x13"),
        "cmyk_scan_by_scan.jpg": scan_by_scan((45, 37), [(2, 1), (1, 1), (1, 1), (2, 1)], b"\1\2\3\4"),
        "cmyk_420.jpg": jpeg(cmyk, subsampling="4:2:0"),
        "cmyk_progressive.jpg": jpeg(cmyk, progressive=True),
        "cmyk_unmarked.jpg": without(jpeg(cmyk), 0xEE),
        "progressive_restarts.jpg": jpeg(colour, progressive=True, restart_marker_rows=1),
        "grey_restarts.jpg": jpeg(grey, restart_marker_blocks=1),
        "profile.jpg": jpeg(colour, icc_profile=bytes(range(256)), comment=b"a comment"),
        "two_pictures.jpg": mpo(colour, colour.rotate(180)),
        "grey.jpg": jpeg(grey),
        "grey_progressive.jpg": jpeg(grey, progressive=True),
        "cmyk.jpg": jpeg(cmyk),
        "1x1.jpg": jpeg(colour.crop((0, 0, 1, 1))),
        "exif.jpg": jpeg(colour, exif=b"Exif\0\0" + EXIF_BIG),
    }
    # The same components, declared as YCCK by the last byte of Adobe's segment.
    adobe = files["cmyk.jpg"].index(b"Adobe") + 11
    assert files["cmyk.jpg"][adobe] == 0
    for kind in ("", "_420", "_progressive"):
        files[f"ycck{kind}.jpg"] = files[f"cmyk{kind}.jpg"][:adobe] + b"\x02" + files[f"cmyk{kind}.jpg"][adobe + 1 :]
    files["junk_before_segment.jpg"] = files["420.jpg"].replace(b"\xff\xc0", b"junk\xff\xff\xff\xc0", 1)
    height = files["420.jpg"].index(b"\xff\xc0") + 5
    files["rows_missing.jpg"] = files["420.jpg"][:height] + b"\0\x50" + files["420.jpg"][height + 2 :]
    files["junk_after_end.jpg"] = files["420.jpg"] + b"junk"
    return files


def mpo(*pictures: Image.Image) -> bytes:
    """As cameras write it: one JPEG file behind the other."""
    out = io.BytesIO()
    pictures[0].save(out, "MPO", save_all=True, append_images=pictures[1:])
    return out.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def samples(width: int, height: int, bits: int, colour_type: int) -> tuple[list, random.Random]:
    count = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    chance = random.Random(f"{bits} {colour_type}")
    return [[[chance.getrandbits(bits) for _ in range(count)] for _ in range(width)] for _ in range(height)], chance


def png(width: int, height: int, bits: int, colour_type: int, interlaced: bool = False, before: bytes = b"") -> bytes:
    """Random samples, all filters applied to them. `before`: chunks between header and pixels."""
    image, chance = samples(width, height, bits, colour_type)
    adam7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b""
    for left, top, dx, dy in adam7 if interlaced else [(0, 0, 1, 1)]:
        for row in image[top::dy]:
            values = [sample for pixel in row[left::dx] for sample in pixel]
            if not values:
                continue
            text = "".join(f"{value:0{bits}b}" for value in values)
            text += "0" * (-len(text) % 8)
            raw += bytes([chance.randrange(5)]) + int(text, 2).to_bytes(len(text) // 8, "big")
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + before + png_chunk(b"IDAT", zlib.compress(raw, 9)) +
            png_chunk(b"IEND", b""))


# PNG files of which one colour, the first pixel's, is transparent: bits, colour type.
TRANSPARENT = {"grey2_transparent.png": (2, 0), "grey16_transparent.png": (16, 0), "rgb16_transparent.png": (16, 2)}


def png_files() -> dict[str, bytes]:
    chance = random.Random(7)
    palette = bytes(chance.getrandbits(8) for _ in range(3 * 256))
    files = {}
    for bits in (1, 2, 4, 8, 16):
        files[f"grey{bits}.png"] = png(13, 9, bits, 0)
    for bits in (1, 2, 4, 8):
        files[f"palette{bits}.png"] = png(13, 9, bits, 3, before=png_chunk(b"PLTE", palette[: 3 << bits]))
    for bits in (8, 16):
        files[f"rgb{bits}.png"] = png(13, 9, bits, 2)
        files[f"grey_alpha{bits}.png"] = png(13, 9, bits, 4)
        files[f"rgb_alpha{bits}.png"] = png(13, 9, bits, 6)
    files["grey_transparent.png"] = png(13, 9, 8, 0, before=png_chunk(b"tRNS", b"\0\x55"))
    files["rgb_transparent.png"] = png(13, 9, 8, 2, before=png_chunk(b"tRNS", bytes(6)))
    files["palette_transparent.png"] = png(
        13, 9, 8, 3, before=png_chunk(b"PLTE", palette) + png_chunk(b"tRNS", bytes(range(100))))
    for name, (bits, colour_type) in TRANSPARENT.items():
        first = samples(13, 9, bits, colour_type)[0][0][0]
        files[name] = png(13, 9, bits, colour_type, before=png_chunk(b"tRNS", struct.pack(f">{len(first)}H", *first)))
    files["exif.png"] = png(13, 9, 8, 2, before=png_chunk(b"eXIf", EXIF_LITTLE))
    files["palette_short.png"] = png(13, 9, 8, 3, before=png_chunk(b"PLTE", palette[:30]))
    for name, bits, colour_type in (("rgb", 8, 2), ("rgb_alpha", 16, 6), ("grey1", 1, 0), ("grey16", 16, 0)):
        files[f"{name}_interlaced.png"] = png(13, 9, bits, colour_type, interlaced=True)
    for name, bits, colour_type in (("grey2", 2, 0), ("grey4", 4, 0), ("grey8", 8, 0), ("rgb16", 16, 2),
                                    ("grey_alpha8", 8, 4), ("grey_alpha16", 16, 4), ("rgb_alpha8", 8, 6)):
        files[f"{name}_interlaced.png"] = png(13, 9, bits, colour_type, interlaced=True)
    for bits in (1, 2, 8):
        chunk = png_chunk(b"PLTE", palette[: 3 << bits])
        files[f"palette{bits}_interlaced.png"] = png(13, 9, bits, 3, interlaced=True, before=chunk)
    files["colour_spaces.png"] = png(13, 9, 8, 2, before=png_chunk(b"gAMA", struct.pack(">I", 20000)) +
                                     png_chunk(b"sRGB", b"\0") + png_chunk(b"sBIT", b"\5\6\5") + png_chunk(b"bKGD", bytes(6)))
    animation = io.BytesIO()
    first = Image.fromarray(scene(13, 9, 3))
    first.save(animation, "PNG", save_all=True, append_images=[first.rotate(180)])
    files["animated.png"] = animation.getvalue()
    files["palette_interlaced.png"] = png(13, 9, 4, 3, interlaced=True, before=png_chunk(b"PLTE", palette[:48]))
    files["1x1_interlaced.png"] = png(1, 1, 8, 2, interlaced=True)
    return files


def webp(image: Image.Image, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", **options)
    return out.getvalue()


def riff_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def riff(*chunks: bytes) -> bytes:
    return riff_chunk(b"RIFF", b"WEBP" + b"".join(chunks))


def canvas(flags: int, width: int, height: int) -> bytes:
    return riff_chunk(b"VP8X", struct.pack("<I", flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"))


def animation(width: int, height: int, frames: list[tuple[int, int, Image.Image]]) -> bytes:
    """Frames at places of their own, which Pillow's writer has no words for."""
    chunks = [canvas(0x12, width, height), riff_chunk(b"ANIM", bytes([9, 8, 7, 255, 0, 0]))]
    for left, top, image in frames:
        place = b"".join(value.to_bytes(3, "little") for value in (left // 2, top // 2, image.width - 1, image.height - 1, 40))
        chunks.append(riff_chunk(b"ANMF", place + b"\0" + webp(image, lossless=True)[12:]))
    return riff(*chunks)


def webp_files() -> dict[str, bytes]:
    colour, alpha = Image.fromarray(scene(45, 37, 3)), Image.fromarray(scene(45, 37, 4), "RGBA")
    small = [image.crop((3, 5, 20, 16)) for image in (colour, alpha)]
    files = {
        "lossy.webp": webp(colour, quality=70),
        "lossy_rough.webp": webp(colour, quality=5, method=6),
        "lossy_alpha.webp": webp(alpha, quality=70),
        "lossless.webp": webp(colour, lossless=True),
        "lossless_alpha.webp": webp(alpha, lossless=True, exact=True),
        "lossless_few_colours.webp": webp(colour.quantize(7).convert("RGB"), lossless=True),
        "lossy_1x1.webp": webp(colour.crop((0, 0, 1, 1)), quality=70),
        "lossless_1x1.webp": webp(colour.crop((0, 0, 1, 1)), lossless=True),
        "exif.webp": webp(small[0], quality=70, exif=b"Exif\0\0" + EXIF_BIG, xmp=b"<x/>"),
        "animated.webp": webp(small[0], save_all=True, append_images=[small[0].rotate(180)], lossless=True),
        "animated_inside.webp": animation(45, 37, [(4, 6, small[1]), (0, 0, small[0])]),
    }
    files["junk_after_end.webp"] = files["lossless_few_colours.webp"] + b"junk"
    return files


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


def scaled_input(file: pathlib.Path, orientation: int, size: tuple[int, int], method: int) -> np.ndarray:
    image = Image.open(file)
    whole = np.array(image.size)
    image.draft(None, size[::-1] if orientation >= 5 else size)
    shrink = math.ceil(whole[0] / image.width)
    # What draft() decodes of the image ends with parts of pixels. Turning moves them to the front of an axis.
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
    FOLDER.mkdir(exist_ok=True)
    tables = {"decode": decode_table, "on_black": on_black_table, "orientation": orientation_table,
              "resize": resize_table, "sizes": sizes_table, "recipe": recipe_table, "scaled": scaled_table}  # fmt: skip
    for name, table in tables.items():
        heading = f"# tests/golden/make_image_golden.py, Pillow {PIL.__version__}\n"
        (FOLDER / f"{name}.txt").write_text(heading + "\n".join(table()) + "\n")


if __name__ == "__main__":
    main()
