"""The images that make_image_golden.py has Pillow judge: pixels, and one file of each kind that a decoder must know."""

import io
import random
import struct
import zlib

import numpy as np
from PIL import Image

# EXIF with nothing but an orientation, the highest byte first and the lowest.
EXIF_BIG = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
EXIF_LITTLE = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"

STREAMS = {"noise": b"", "extremes": b""}


def pixels(kind: str, width: int, height: int, channels: int) -> np.ndarray:
    """What tests/support/image_golden.cc makes too: the top bits of a linear congruential generator."""
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
