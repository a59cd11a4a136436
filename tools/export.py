#!/usr/bin/env python3
"""From a checkpoint to a folder that resnetd serves: network, recipe, labels, and golden answers that prove them.

    venv=$(scripts/venv.sh models-venv tools/requirements-models.txt)
    $venv/bin/python tools/export.py timm/resnet50.a1_in1k --out models
    $venv/bin/python tools/export.py torchvision/resnet50.IMAGENET1K_V2 --out models
    $venv/bin/python tools/export.py my.pt --arch timm/resnet26d --preprocessor preprocessor_config.json --out models
    resnetd --models models

writes models/NAME/VERSION/ with model.onnx, config.textproto, labels.txt and golden.textproto (docs/models.md).

The recipe is what was published with the weights: timm's pretrained_cfg, the transforms of torchvision's weights. For a file
of one's own it is given: --preprocessor FILE, a Hugging Face preprocessor_config.json, or --recipe timm/... | torchvision/...,
whose recipe the network was trained with. It is never guessed, and what the server cannot do exactly is refused.

The golden set holds a few image files with PyTorch's logits and embeddings, preprocessed by the publisher's own code. The
server computes them whenever it loads the model: preprocessing and network are then checked together, on that machine.
"""

import argparse
import io
import pathlib
import re
import sys
import warnings

import numpy as np
import onnx
import PIL.Image
import timm
import torch
import torchvision
from torch import nn

import checkpoints
import golden_set
import make_resnet
import model_template
import pytorch_answers
import recipes
from checkpoints import CheckpointError, Published
from golden_set import Golden
from recipes import Recipe, RecipeError
from seeded_network import SeededNetwork

PROTOBUF_LIMIT = 2**31 - 1  # bytes of one message; weights beyond it lie beside the file
# Sizes and formats that exercise the recipe: a scaling down and one up, both orientations, odd margins.
GOLDEN_IMAGES = (("landscape.jpg", 501, 375), ("portrait.png", 203, 310), ("small.jpg", 97, 89))


def golden_images(channels: int, files: list[pathlib.Path]) -> dict[str, bytes]:
    """Image files by name: the user's, or made ones."""
    if files:
        return {file.name: file.read_bytes() for file in files}
    images = {}
    for seed, (name, width, height) in enumerate(GOLDEN_IMAGES):
        pixels = (make_resnet.make_input(seed, 1, channels, max(width, height))[0, :, :height, :width] + 2) * 63.75
        pixels = pixels.astype(np.uint8).transpose(1, 2, 0)
        image = PIL.Image.fromarray(pixels if channels == 3 else pixels[:, :, 0])
        file = io.BytesIO()
        image.save(file, "JPEG" if name.endswith(".jpg") else "PNG")
        images[name] = file.getvalue()
    return images


def goldens(module: nn.Module, recipe: Recipe, files: dict[str, bytes]) -> list[Golden]:
    rows = []
    for name, data in files.items():
        image = PIL.Image.open(io.BytesIO(data)).convert("RGB" if recipe.channels == 3 else "L")
        tensor = recipe.transform(image)
        if tuple(tensor.shape) != (recipe.channels, recipe.height, recipe.width):
            raise RecipeError(f"the publisher's transform makes {tuple(tensor.shape)} of {name}, not the recipe's size")
        logits, embedding = pytorch_answers.answers(module, tensor[None])
        rows.append(Golden(name, data, logits[0], embedding[0]))
    return rows


def write_onnx(module: nn.Module, recipe: Recipe, path: pathlib.Path, exporter: str, opset: int, external: bool) -> None:
    """One file; or with `external`, and where one would be too large, the weights in model.onnx.data beside it."""
    images = torch.zeros(2, recipe.channels, recipe.height, recipe.width)
    options = {"input_names": ["input"], "output_names": ["logits"], "opset_version": opset}
    size = sum(p.numel() * p.element_size() for p in module.parameters())
    if exporter == "dynamo":
        options |= {"dynamo": True, "verbose": False, "external_data": external or size > PROTOBUF_LIMIT,
                    "dynamic_shapes": ({0: torch.export.Dim("batch")},)}  # fmt: skip
    else:
        options |= {"dynamo": False, "dynamic_axes": {"input": {0: "batch"}, "logits": {0: "batch"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the one exporter calls the other old
        torch.onnx.export(module, (images,), str(path), **options)
    model = onnx.load(path, load_external_data=False)
    model_template.drop_notes(model)
    path.write_bytes(model.SerializeToString())


def read(a: argparse.Namespace) -> tuple[nn.Module, Published, str]:
    """Network, what is published with it, and a sentence on where it comes from."""
    file = pathlib.Path(a.source)
    if a.arch is None:
        if file.suffix in (".pt", ".pth", ".safetensors"):
            raise CheckpointError("a file of weights needs --arch timm/NAME or torchvision/NAME")
        known = checkpoints.published(a.source, a.test_size)
        if a.random_weights is None:
            return checkpoints.build(a.source, pretrained=True), known, a.source
        module = checkpoints.build(a.source, pretrained=False)
        seeded = SeededNetwork(module, known.recipe.channels, known.recipe.height, a.random_weights)
        return seeded.module, known, f"RANDOM WEIGHTS (seed {a.random_weights}), for tests: the architecture of {a.source}"
    if not (a.preprocessor or a.recipe):
        raise RecipeError(f"{a.source} says nothing of how images become its input: give --preprocessor FILE (a Hugging Face "
                          "preprocessor_config.json), or --recipe timm/NAME.TAG | torchvision/NAME.WEIGHTS whose recipe it "
                          "was trained with")  # fmt: skip
    recipe = recipes.from_preprocessor_config(a.preprocessor) if a.preprocessor else checkpoints.published(a.recipe, a.test_size).recipe
    return checkpoints.load(file, a.arch), Published(recipe, None), f"{file.name}, architecture {a.arch}"


def labels_of(a: argparse.Namespace, known: Published, classes: int) -> list[str] | None:
    labels = known.labels
    if a.labels:
        labels = a.labels.read_text().splitlines()
    if labels is not None and len(labels) != classes:
        raise CheckpointError(f"expected {classes} labels, one a class, got {len(labels)}")
    return labels


def export(a: argparse.Namespace) -> pathlib.Path:
    module, known, origin = read(a)
    module.eval()
    recipe = known.recipe
    rows = goldens(module, recipe, golden_images(recipe.channels, a.image))
    labels = labels_of(a, known, len(rows[0].logits))

    name = a.name or re.sub(r"[^A-Za-z0-9._-]", "-", pathlib.Path(a.source).stem if a.arch else a.source)
    folder = a.out / name / str(a.version)
    folder.mkdir(parents=True, exist_ok=True)
    write_onnx(module, recipe, folder / "model.onnx", a.exporter, a.opset, a.external_data)
    tools = f"PyTorch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}"
    description = golden_set.escape(origin.encode())
    (folder / "config.textproto").write_text(
        f'# Written by tools/export.py with {tools}.\ndescription: "{description}"\n{recipe.textproto()}')  # fmt: skip
    (folder / "golden.textproto").write_text(golden_set.textproto(rows, f"tools/export.py with {tools}"))
    if labels:
        (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    else:
        print("export.py: no labels are known for these weights; give --labels FILE to have them served", file=sys.stderr)
    return folder


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("source", help="timm/NAME[.TAG], torchvision/NAME[.WEIGHTS], or a file of weights (.pt, .pth, .safetensors)")
    p.add_argument("--out", type=pathlib.Path, required=True, help="the folder of all models")
    p.add_argument("--name", help="of the served model; default: after the source")
    p.add_argument("--version", type=int, default=1)
    p.add_argument("--arch", help="of a file of weights: timm/NAME or torchvision/NAME")
    p.add_argument("--preprocessor", type=pathlib.Path, help="preprocessor_config.json of a file of weights")
    p.add_argument("--recipe", help="timm/... or torchvision/..., whose recipe a file of weights was trained with")
    p.add_argument("--test-size", action="store_true", help="timm's larger input for testing, where it has one")
    p.add_argument("--labels", type=pathlib.Path, help="one label a line, by class index")
    p.add_argument("--image", type=pathlib.Path, action="append", default=[], help="JPEG, PNG or WebP file of the golden set; again "
                   "for more; default: three made ones")  # fmt: skip
    p.add_argument("--exporter", choices=("dynamo", "script"), default="dynamo", help="which of PyTorch's two")
    p.add_argument("--opset", type=int, default=18)
    p.add_argument("--external-data", action="store_true", help="weights in model.onnx.data beside the file")
    p.add_argument("--random-weights", type=int, metavar="SEED", help="for tests: a network that has learnt nothing")
    return p.parse_args()


def main() -> int:
    a = arguments()
    if a.random_weights is not None:
        print(f"export.py: RANDOM WEIGHTS: what this writes has learnt nothing (seed {a.random_weights})", file=sys.stderr)
    try:
        print(export(a))
    except (CheckpointError, RecipeError, OSError) as error:
        print(f"export.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
