#!/usr/bin/env python3
"""Compares the network's input for every image of a folder with Pillow's and torchvision's arithmetic, bit for bit.

    VENV/bin/python tests/golden/check_photos.py build/release/tests/image_dump FOLDER

VENV as make_image_golden.py says; its table in the repository covers small images, this is for photographs one has. Exit
status 1 if any input differs.
"""

import pathlib
import subprocess
import sys

import numpy as np
from make_image_golden import PRESETS, network_input
from PIL import Image


def main() -> int:
    dump, folder = sys.argv[1:]
    files = sorted(path for path in pathlib.Path(folder).iterdir() if path.is_file())
    different = 0
    for preset in PRESETS:
        same = 0
        for path in files:
            ours = subprocess.run([dump, preset, path], stdout=subprocess.PIPE, check=True).stdout
            theirs = network_input(Image.open(path), preset)
            if ours == theirs.tobytes():
                same += 1
                continue
            difference = np.abs(np.frombuffer(ours, np.float32) - theirs.reshape(-1))
            print(f"{path.name}, {preset}: {np.count_nonzero(difference)} values differ, by {difference.max()} at most")
        print(f"{preset}: {same} of {len(files)} images identical")
        different += len(files) - same
    return 1 if different or not files else 0


if __name__ == "__main__":
    sys.exit(main())
