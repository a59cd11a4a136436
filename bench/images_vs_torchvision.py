#!/usr/bin/env python3
"""From a JPEG's bytes to the network's input: ours against torchvision's transforms on Pillow, side by side in one run.

    bench/images_vs_torchvision.py --photos FOLDER               photographs, JPEG files
    bench/images_vs_torchvision.py --photos FOLDER --rounds 21

Both stay loaded, on one and the same core, one thread each, and take all photographs in turn: ours, theirs, theirs, ours,
.... Torchvision's side is what its published weights are evaluated with: Image.open().convert("RGB"), Resize(256),
CenterCrop(224), ToTensor(), Normalize(). Then the same photographs enlarged to at least 4 million pixels, without and with
DCT scaling, which is off by default. Then the resize step alone, on equal pixels: the whole scaled image, as Pillow's
Image.resize() makes it, and what the crop keeps of it.

The inputs are compared first, and must be the same bit for bit, but for DCT scaling, of which the difference is the price
(bench/dct_scaling.py).
"""

import argparse
import io
import json
import pathlib
import sys
import tempfile
import time

import common
import photographs


def torchvision_recipe():
    from torchvision import transforms

    return transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(),
                               transforms.Normalize(photographs.MEAN, photographs.STD)])  # fmt: skip


def peer(folder: pathlib.Path) -> None:
    """torchvision and Pillow as a driven program, the twin of image_bench."""
    import PIL
    import torch
    import torchvision
    from PIL import Image

    torch.set_num_threads(1)
    transform = torchvision_recipe()
    files = [path.read_bytes() for path in sorted(folder.iterdir())]
    images = [Image.open(io.BytesIO(data)).convert("RGB") for data in files]
    sizes = [(256, int(256 * h / w)) if w <= h else (int(256 * w / h), 256) for w, h in (image.size for image in images)]
    steps = {
        "files": lambda i: transform(Image.open(io.BytesIO(files[i])).convert("RGB")),
        "resize": lambda i: images[i].resize(sizes[i], Image.BILINEAR),
    }
    print(json.dumps({"pillow": PIL.__version__, "torchvision": torchvision.__version__, "photos": len(files)}), flush=True)
    for line in sys.stdin:
        step = steps[line.strip()]
        began = time.perf_counter()
        for i in range(len(files)):
            step(i)
        print(json.dumps({"images_per_second": len(files) / (time.perf_counter() - began)}), flush=True)


def check_inputs(command: list, folder: pathlib.Path) -> None:
    """Ends the comparison unless both sides make the same of every photograph, bit for bit."""
    from PIL import Image

    transform = torchvision_recipe()
    for path, ours in zip(sorted(folder.iterdir()), photographs.inputs(command), strict=True):
        if ours.tobytes() != transform(Image.open(path).convert("RGB")).numpy().tobytes():
            sys.exit(f"{path.name}: the input is not torchvision's")


class Pair:
    """A line of the table: ours and theirs on the same photographs."""

    def __init__(self, name: str, ours: common.Driven, theirs: common.Driven, steps: tuple[str, str], bar: float | None):
        self.name, self.sides, self.bar = name, {"ours": (ours, steps[0]), "theirs": (theirs, steps[1])}, bar
        self.rates = {"ours": [], "theirs": []}

    def measure(self, first: str, second: str) -> None:
        for side in (first, second):
            program, step = self.sides[side]
            self.rates[side].append(program.round(step)["images_per_second"])

    def ratio(self) -> float:
        return common.quartiles(self.rates["ours"])[1] / common.quartiles(self.rates["theirs"])[1]

    def row(self) -> list:
        by_round = [a / b for a, b in zip(self.rates["ours"], self.rates["theirs"])]
        return [self.name, common.spread(self.rates["ours"], 0), common.spread(self.rates["theirs"], 0), f"{self.ratio():.2f}",
                common.spread(by_round), self.bar or ""]  # fmt: skip


def measure(args, large: pathlib.Path) -> bool:
    """Prints the figures; whether they are within the bars."""
    ours = [common.program(args.build, "bench/image/image_bench"), "--folder"]
    theirs = [sys.executable, __file__, "--peer", "--photos"]
    scaled = [*ours, large, "--dct-scaling"]
    check_inputs([*ours, args.photos], args.photos)
    check_inputs([*ours, large], large)

    disturbance, progress = common.Disturbance(), common.Progress(args.rounds)
    with (
        common.Driven([*ours, args.photos], 1) as ours_small, common.Driven([*theirs, args.photos], 1) as theirs_small,
        common.Driven([*ours, large], 1) as ours_large, common.Driven(scaled, 1) as ours_scaled,
        common.Driven([*theirs, large], 1) as theirs_large,
    ):  # fmt: skip
        pairs = [
            Pair("as they are", ours_small, theirs_small, ("files", "files"), 1.6),
            Pair("enlarged", ours_large, theirs_large, ("files", "files"), None),
            Pair("enlarged, DCT scaling", ours_scaled, theirs_large, ("files", "files"), 3),
            Pair("resize alone, whole", ours_small, theirs_small, ("resize", "resize"), 3),
            Pair("resize alone, of the crop", ours_small, theirs_small, ("crop", "resize"), None),
            Pair("resize alone, whole, enlarged", ours_large, theirs_large, ("resize", "resize"), 3),
        ]
        for pair in pairs:  # warm
            pair.measure("ours", "theirs")
            pair.rates = {"ours": [], "theirs": []}
        for number in range(args.rounds):
            for pair in pairs:
                pair.measure(*(("ours", "theirs") if number % 2 == 0 else ("theirs", "ours")))
            progress.step("")
        photos = ours_small.description
        peers = theirs_small.description
        large_pixels = ours_large.description["pixels"] / photos["photos"]
    print(f"{photos['photos']} photographs of {photos['pixels'] / photos['photos'] / 1e6:.2f} megapixels in the mean, enlarged"
          f" {large_pixels / 1e6:.2f}; {photos['recipe']}; {common.machine(args.build)}, one used; torchvision {peers['torchvision']},"
          f" Pillow {peers['pillow']}; {args.rounds} rounds; median [quartiles]")  # fmt: skip
    header = ["", "ours, images/s", "torchvision and Pillow, images/s", "ratio of medians", "ratio by round", "bar"]
    common.print_table(header, [pair.row() for pair in pairs])
    print(f"({disturbance})")
    return all(pair.bar is None or pair.ratio() >= pair.bar for pair in pairs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=pathlib.Path, required=True, help="folder of JPEG files, and no others")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--build", type=pathlib.Path, default=common.ROOT / "build/release")
    parser.add_argument("--report-only", action="store_true", help="exit status 0 whatever the figures")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        peer(args.photos)
        return 0
    common.use_venv("models-venv", "tools/requirements-models.txt")

    with tempfile.TemporaryDirectory() as folder:
        large = pathlib.Path(folder)
        photographs.enlarge(args.photos, large)
        within = measure(args, large)
    return 0 if within or args.report_only else 1


if __name__ == "__main__":
    sys.exit(main())
