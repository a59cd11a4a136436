#!/usr/bin/env python3
"""Draws the sample images of clients/samples/, which the embedded model knows: trousers and an ankle boot, 28x28 and grey as its
training images are, with a weave of seeded noise.

    tools/draw_samples.py --out clients/samples

Nothing beyond Python's own library is needed.
"""

import argparse
import pathlib
import random

from fashion_mnist_png import grey_png

SIDE = 28
# Each piece of clothing as spans of columns, first and last, by row: None where the row is empty.
Shape = dict[int, list[tuple[int, int]]]


def trousers() -> Shape:
    """A waist, and two legs that part below it."""
    rows: Shape = {row: [(9, 18)] for row in range(1, 8)}
    for row in range(8, 27):
        spread = (row - 8) // 7
        rows[row] = [(9 - spread, 13 - (row > 9)), (14 + (row > 9), 18 + spread)]
    return rows


def ankle_boot() -> Shape:
    """A shaft, a foot that grows to the left, a sole with a heel."""
    rows: Shape = {row: [(15, 25)] for row in range(4, 12)}
    for row in range(12, 20):
        rows[row] = [(max(15 - 2 * (row - 11), 2), 26)]
    rows[20] = rows[21] = [(2, 26)]
    rows[22] = [(2, 13), (20, 26)]
    rows[23] = [(20, 26)]
    return rows


SAMPLES = {"trousers": (trousers, 205), "ankle-boot": (ankle_boot, 170)}


def draw(shape: Shape, brightness: int, seed: int) -> bytes:
    """Its pixels, row by row: darker at the edges of a span, as cloth that turns away from the light."""
    noise = random.Random(seed)
    pixels = bytearray(SIDE * SIDE)
    for row, spans in shape.items():
        for first, last in spans:
            for column in range(first, last + 1):
                edge = min(column - first, last - column)
                shade = 0.72 if edge == 0 else 0.9 if edge == 1 else 1
                pixels[row * SIDE + column] = min(round(brightness * shade) + noise.randint(-14, 14), 255)
    return bytes(pixels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to; made if missing")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, (shape, brightness)) in enumerate(SAMPLES.items()):
        (folder / f"{name}.png").write_bytes(grey_png(SIDE, SIDE, draw(shape(), brightness, seed)))


if __name__ == "__main__":
    main()
