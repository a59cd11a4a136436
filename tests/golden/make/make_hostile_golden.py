#!/usr/bin/env python3
"""Makes tests/golden/data/image/hostile.txt: what Pillow says to the files of tests/support/image_hostile.h.

    python3 -m venv VENV && VENV/bin/pip install pillow==12.0.0
    VENV/bin/python tests/golden/make/make_hostile_golden.py build/release/tests/hostile_dump

    case NAME CRC VERDICT        CRC-32 of the file; "accepted" or "refused"
    flips NAME CRC VERDICTS      CRC-32 of all files that WithFlippedBits() makes of NAME, one after the other; a digit
                                 for each seed, 1 if it is accepted

Accepted is what Image.open() identifies and load() decodes without an exception, of the formats that the image box
reads. Pillow's own limit of pixels is switched off; what is larger than the box's limits (image::Limits) counts as
refused.
"""

import io
import pathlib
import subprocess
import sys
import warnings
import zlib

import PIL
from PIL import Image

TABLE = pathlib.Path(__file__).resolve().parents[1] / "data" / "image" / "hostile.txt"
FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS, MAX_SIDE = 50_000_000, 65_500


def accepted(data: bytes) -> bool:
    # Pillow's parsers of metadata let through whatever Python's library raises.
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE:
                return False
            image.load()
    except Exception:
        return False
    return True


def records(dump: str) -> list[tuple[str, bytes]]:
    """Of hostile_dump's output."""
    stream = io.BytesIO(subprocess.run([dump], stdout=subprocess.PIPE, check=True).stdout)
    found = []
    while line := stream.readline().decode():
        name, size = line.split()
        found.append((name, stream.read(int(size))))
    return found


def main() -> None:
    Image.MAX_IMAGE_PIXELS = None
    warnings.simplefilter("ignore")
    lines, flips = [], {}
    for name, data in records(sys.argv[1]):
        if "." in name:
            crc, verdicts = flips.get(name, (0, ""))
            flips[name] = (zlib.crc32(data, crc), verdicts + str(int(accepted(data))))
        else:
            lines.append(f"case {name} {zlib.crc32(data):08x} {'accepted' if accepted(data) else 'refused'}")
    lines += [f"flips {name} {crc:08x} {verdicts}" for name, (crc, verdicts) in flips.items()]
    heading = f"# tests/golden/make/make_hostile_golden.py, Pillow {PIL.__version__}\n"
    TABLE.write_text(heading + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
