"""Networks with published or own weights, and what was published with them: recipe, labels, a name.

    timm/resnet50.a1_in1k                      timm's, weights by tag
    torchvision/resnet50[.IMAGENET1K_V2]       torchvision's; without a name of weights its DEFAULT ones
    FILE.pt | FILE.safetensors                 a state dict, for an architecture of one of the two
"""

import dataclasses
import pathlib

import timm
import timm.data
import torch
import torchvision.models
from torch import nn

import recipes
from recipes import Recipe

WRAPPERS = ("state_dict", "model_state_dict", "model")  # what training scripts put a state dict under


class CheckpointError(ValueError):
    """No such network or weights, or weights that don't fit."""


@dataclasses.dataclass(frozen=True)
class Published:
    """What is known of a network without its weights."""

    recipe: Recipe
    labels: list[str] | None  # by class index


def split(source: str) -> tuple[str, str, str]:
    """Library, architecture and tag (or "") of timm/resnet50.a1_in1k."""
    library, slash, name = source.partition("/")
    if library not in ("timm", "torchvision") or not slash or not name:
        raise CheckpointError(f"expected timm/NAME or torchvision/NAME, got {source!r}")
    architecture, _, tag = name.partition(".")
    known = timm.is_model(architecture) if library == "timm" else architecture in torchvision.models.list_models()
    if not known:
        raise CheckpointError(f"{library} has no network {architecture!r}")
    return library, architecture, tag


def torchvision_weights(architecture: str, tag: str):
    weights = torchvision.models.get_model_weights(architecture)
    if tag and tag not in weights.__members__:
        raise CheckpointError(f"torchvision/{architecture} has no weights {tag!r}; there are {', '.join(weights.__members__)}")
    return weights[tag] if tag else weights.DEFAULT


def timm_labels(cfg) -> list[str] | None:
    """From the pretrained_cfg, or where the tag names ImageNet-1k as the data last trained on."""
    if cfg.label_names:
        return [(cfg.label_descriptions or {}).get(name, name) for name in cfg.label_names]
    if cfg.tag and cfg.tag.endswith("in1k") and cfg.num_classes == 1000:
        return timm.data.ImageNetInfo("imagenet-1k").label_descriptions()
    return None


def published(source: str, test_size: bool = False) -> Published:
    library, architecture, tag = split(source)
    if library == "torchvision":
        weights = torchvision_weights(architecture, tag)
        return Published(recipes.from_torchvision(weights), weights.meta.get("categories"))
    try:
        cfg = timm.get_pretrained_cfg(f"{architecture}.{tag}" if tag else architecture)
    except RuntimeError as error:
        raise CheckpointError(str(error)) from error
    if cfg is None or not cfg.has_weights:
        raise CheckpointError(f"timm has no weights for {architecture!r}, and so no recipe")
    return Published(recipes.from_timm(cfg, test_size), timm_labels(cfg))


def build(source: str, pretrained: bool, classes: int | None = None) -> nn.Module:
    """The network, with its published weights (downloaded, or from the library's cache) or its initial ones."""
    library, architecture, tag = split(source)
    try:
        if library == "timm":
            options = {} if classes is None else {"num_classes": classes}
            return timm.create_model(f"{architecture}.{tag}" if tag else architecture, pretrained=pretrained, **options)
        weights = torchvision_weights(architecture, tag) if pretrained else None
        options = {} if classes is None else {"num_classes": classes}
        return torchvision.models.get_model(architecture, weights=weights, **options)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"{source}: {str(error).splitlines()[0]}") from error


def read_state_dict(path: pathlib.Path) -> dict[str, torch.Tensor]:
    """Tensors by name. A file that is more than tensors is refused: to unpickle it would be to run it."""
    if path.suffix == ".safetensors":
        import safetensors.torch  # only timm brings it

        return safetensors.torch.load_file(path)
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what pickle and zipfile raise, and more
        raise CheckpointError(f"{path.name}: expected tensors alone, as torch.save(model.state_dict(), FILE) writes them: "
                              f"{type(error).__name__}") from error  # fmt: skip
    for wrapper in WRAPPERS:
        if isinstance(loaded, dict) and isinstance(loaded.get(wrapper), dict):
            loaded = loaded[wrapper]
    if not isinstance(loaded, dict) or not all(isinstance(v, torch.Tensor) for v in loaded.values()):
        raise CheckpointError(f"{path.name}: expected a state dict of tensors, got {type(loaded).__name__}")
    if all(name.startswith("module.") for name in loaded):  # of DataParallel
        loaded = {name.removeprefix("module."): value for name, value in loaded.items()}
    return loaded


def load(path: pathlib.Path, source: str) -> nn.Module:
    """The architecture with the weights of a file, which must fit exactly; its last weight says how many classes."""
    state = read_state_dict(path)
    weights = [value for name, value in state.items() if name.endswith(".weight") and value.dim() in (2, 4)]
    if not weights:
        raise CheckpointError(f"{path.name}: expected weights of layers, got none")
    module = build(source, pretrained=False, classes=len(weights[-1]))
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"{path.name} does not fit {source}: {' '.join(str(error).split())[:500]}") from error
    return module
