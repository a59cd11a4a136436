"""How images become a network's input, read from what was published with its weights.

Sources: timm's pretrained_cfg, the transforms of torchvision's weights, a Hugging Face preprocessor_config.json. What the
server's recipe cannot express exactly is refused (RecipeError), never approximated: accuracy would be lost silently.

A recipe is resnetd.v1.Preprocessing (proto/resnetd/v1/model_config.proto). Beside it stands `transform`, the publisher's own
code, by which golden images become tensors: the server's is checked against it, not against a copy of itself.
"""

import dataclasses
import json
import math
import pathlib
import re
from collections.abc import Callable

import numpy as np
import PIL.Image
import timm.data
import torch
import torchvision.models
from torchvision.transforms._presets import ImageClassification  # what torchvision's classification weights carry

INTERPOLATIONS = {"nearest": "NEAREST", "bilinear": "BILINEAR", "bicubic": "BICUBIC"}
# Hugging Face's image processors that only scale, crop, rescale and normalise, each once.
PROCESSORS = ("Bit", "CLIP", "ConvNext", "MobileNetV1", "MobileNetV2", "ViT")
PILLOW_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}


class RecipeError(ValueError):
    """A recipe that is missing, incomplete, or beyond what the server does."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    resize: str  # NONE, SHORTER_SIDE, EXACT or SQUASH
    resize_size: int | tuple[int, int] | None  # the shorter side with SHORTER_SIDE, height and width with SQUASH
    height: int
    width: int
    interpolation: str
    mean: tuple[float, ...]  # one a channel
    std: tuple[float, ...]
    transform: Callable[[PIL.Image.Image], torch.Tensor]  # one image to [C, H, W]
    crop_offset: str | None = None  # DOWN: odd margins are rounded down, as Hugging Face has it

    @property
    def channels(self) -> int:
        return len(self.mean)

    def textproto(self) -> str:
        lines = [f"resize: {self.resize}"]
        if isinstance(self.resize_size, tuple):
            lines += [f"resize_height: {self.resize_size[0]}", f"resize_width: {self.resize_size[1]}"]
        elif self.resize_size:
            lines += [f"resize_size: {self.resize_size}"]
        lines += [f"interpolation: {self.interpolation}"]
        lines += [f"crop_offset: {self.crop_offset}"] if self.crop_offset else []
        lines += ["colour: RGB"] if self.channels == 3 else []
        lines += [f"{name}: [{', '.join(f'{v:.9g}' for v in values)}]" for name, values in (("mean", self.mean), ("std", self.std))]
        return "preprocessing {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def checked(source: str, recipe: Recipe) -> Recipe:
    """What every source must keep to."""
    if recipe.channels not in (1, 3) or len(recipe.std) != recipe.channels:
        raise RecipeError(f"{source}: expected 1 or 3 channels with a mean and a std each, got {recipe.mean} and {recipe.std}")
    return recipe


def interpolation_of(source: str, name: str) -> str:
    if name not in INTERPOLATIONS:
        raise RecipeError(f"{source}: interpolation is {name!r}; the server has {', '.join(INTERPOLATIONS)}")
    return INTERPOLATIONS[name]


def from_timm(cfg, test_size: bool = False) -> Recipe:
    """Of a timm PretrainedCfg. `test_size`: the larger input that its published accuracy may be for."""
    source = "timm's pretrained_cfg"
    values = {name: getattr(cfg, name) for name in ("input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std")}
    if test_size:
        if not cfg.test_input_size:
            raise RecipeError(f"{source}: --test-size needs a test_input_size, and there is none")
        values |= {"input_size": cfg.test_input_size, "crop_pct": cfg.test_crop_pct or cfg.crop_pct}
    if missing := [name for name, value in values.items() if value is None]:
        raise RecipeError(f"{source}: {', '.join(missing)} not given")
    _, height, width = values["input_size"]
    scaled = [math.floor(side / values["crop_pct"]) for side in (height, width)]
    resize, resize_size = "SHORTER_SIDE", scaled[0]
    if values["crop_mode"] == "squash":
        resize, resize_size = ("EXACT", None) if scaled == [height, width] else ("SQUASH", tuple(scaled))
    elif values["crop_mode"] != "center" or height != width:
        raise RecipeError(f"{source}: crop_mode {values['crop_mode']!r} with crop_pct {values['crop_pct']} at {width}x{height}: "
                          "the server has 'center' of a square, and 'squash'")  # fmt: skip
    transform = timm.data.create_transform(is_training=False, **values)
    return checked(source, Recipe(resize, resize_size, height, width, interpolation_of(source, values["interpolation"]),
                                  tuple(values["mean"]), tuple(values["std"]), transform))  # fmt: skip


def from_torchvision(weights) -> Recipe:
    """Of a member of one of torchvision's weights enumerations."""
    source, transform = f"the transforms of {weights}", weights.transforms()
    if type(transform) is not ImageClassification:
        raise RecipeError(f"{source}: expected ImageClassification, got {type(transform).__name__}")
    (crop,), (resize) = transform.crop_size, transform.resize_size
    if len(resize) != 1:
        raise RecipeError(f"{source}: resize_size {resize}: expected one number, the shorter side's")
    interpolation = interpolation_of(source, transform.interpolation.value)
    return checked(source, Recipe("SHORTER_SIDE", resize[0], crop, crop, interpolation, tuple(transform.mean),
                                  tuple(transform.std), transform))  # fmt: skip


def from_preprocessor_config(path: pathlib.Path) -> Recipe:
    """Of a Hugging Face preprocessor_config.json."""
    config, source = json.loads(path.read_text()), path.name
    kind = config.get("image_processor_type") or config.get("feature_extractor_type") or ""
    processor = re.sub("(ImageProcessor(Fast)?|FeatureExtractor)$", "", kind)
    if kind and processor not in PROCESSORS:
        raise RecipeError(f"{source}: {kind}: the server does what those of {', '.join(PROCESSORS)} do")
    if processor == "ConvNext":
        config.setdefault("crop_pct", 224 / 256)
    for switch in ("do_resize", "do_rescale", "do_normalize"):
        if not config.get(switch, switch == "do_rescale"):
            raise RecipeError(f"{source}: expected {switch}, got {config.get(switch)}")
    if abs(config.get("rescale_factor", 1 / 255) * 255 - 1) > 1e-6 or config.get("rescale_offset"):
        raise RecipeError(f"{source}: rescale_factor {config.get('rescale_factor')}: the server divides by 255")
    for name in ("size", "resample", "image_mean", "image_std"):
        if name not in config:
            raise RecipeError(f"{source}: {name} not given")
    shape = geometry(source, config)
    name = PILLOW_FILTERS.get(config["resample"], config["resample"])
    mean, std = tuple(config["image_mean"]), tuple(config["image_std"])
    recipe = Recipe(*shape, interpolation_of(source, name), mean, std, lambda image: plain_transform(recipe, image),
                    "DOWN" if shape[0] in ("SHORTER_SIDE", "SQUASH") else None)  # fmt: skip
    return checked(source, recipe)


def geometry(source: str, config: dict) -> tuple[str, int | tuple[int, int] | None, int, int]:
    """resize, resize_size, height and width of a preprocessor_config.json."""
    size, crop = config["size"], config.get("crop_size")
    size = {"shortest_edge": size} if isinstance(size, int) and config.get("do_center_crop") else size
    size = {"height": size, "width": size} if isinstance(size, int) else size
    crop = {"height": crop, "width": crop} if isinstance(crop, int) else crop
    if set(size) == {"height", "width"}:
        if config.get("do_center_crop") and not crop:
            raise RecipeError(f"{source}: do_center_crop: expected crop_size too, and there is none")
        if config.get("do_center_crop") and crop != size:
            return "SQUASH", (size["height"], size["width"]), crop["height"], crop["width"]
        return "EXACT", None, size["height"], size["width"]
    if set(size) != {"shortest_edge"}:
        raise RecipeError(f"{source}: size {size}: expected height and width, or shortest_edge")
    edge = size["shortest_edge"]
    if crop_pct := config.get("crop_pct"):  # ConvNext's, which also the ResNets have
        if edge >= 384:
            return "EXACT", None, edge, edge
        shorter, crop = int(edge / crop_pct), {"height": edge, "width": edge}
    elif config.get("do_center_crop") and crop:
        shorter = edge
    else:
        raise RecipeError(f"{source}: scales the shorter side and does not crop: inputs of any size are not served")
    return "SHORTER_SIDE", shorter, crop["height"], crop["width"]


def plain_transform(recipe: Recipe, image: PIL.Image.Image) -> torch.Tensor:
    """As Hugging Face's image processors that use Pillow do it; their code is not among the requirements."""
    width, height = recipe.width, recipe.height
    if recipe.resize == "SHORTER_SIDE":
        short, long = sorted(image.size)
        scaled = int(recipe.resize_size * long / short)
        width, height = (recipe.resize_size, scaled) if image.width <= image.height else (scaled, recipe.resize_size)
    elif recipe.resize == "SQUASH":
        height, width = recipe.resize_size
    image = image.resize((width, height), PIL.Image.Resampling[recipe.interpolation])
    left, top = (width - recipe.width) // 2, (height - recipe.height) // 2
    pixels = np.asarray(image.crop((left, top, left + recipe.width, top + recipe.height)), np.float32)
    pixels = pixels.reshape(recipe.height, recipe.width, recipe.channels)
    tensor = (pixels / np.float32(255) - np.array(recipe.mean, np.float32)) / np.array(recipe.std, np.float32)
    return torch.from_numpy(tensor.transpose(2, 0, 1).copy())
