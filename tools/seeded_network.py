"""Gives a PyTorch network weights from a seed under which it computes like a trained one: nothing explodes or vanishes.

Convolutions and linear layers are uniform with the variance of He et al. 2015. Batch normalisation has statistics of its own,
near what its input has: each is set, in the order in which they run, to values around the mean and the variance that eight
images give at that place. What is measured is kept as a range (model_template.py), so that the same weights come back on a
machine whose PyTorch rounds differently.
"""

import torch
from timm.layers.grn import GlobalResponseNorm
from timm.models.convnext import ConvNeXtBlock
from torch import nn

import make_resnet
from model_template import Parameters

CALIBRATION_SEED, CALIBRATION_IMAGES = 7, 8
NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm, GlobalResponseNorm)


class SeededNetwork:
    """A PyTorch network in eval mode, with what a template must know of it.

    `parameters` are the ranges, `folds` the pairs of a convolution and a normalisation that reads it.
    """

    def __init__(self, module: nn.Module, channels: int, size: int, seed: int):
        """Sets all parameters of `module`, which takes float32 images [N, channels, size, size]."""
        self.module, self.channels, self.size = module.eval(), channels, size
        self.parameters, self.folds = Parameters(seed), []
        self._made_by = {}  # id of a tensor -> (name of the convolution that made it, the tensor, to keep its id)
        for name, layer in module.named_modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                self._set_weights(name, layer)
                layer.register_forward_hook(lambda m, _, y, name=name: self._made_by.update({id(y): (name, y)}))
            elif isinstance(layer, NORMS):
                layer.register_forward_pre_hook(lambda m, x, name=name: self._set_norm(name, m, x[0]))
            elif isinstance(layer, ConvNeXtBlock) and layer.gamma is not None:
                self._set(f"{name}.gamma", layer.gamma, 0.2, 0.6)
        with torch.no_grad():
            module(self.images(CALIBRATION_SEED, CALIBRATION_IMAGES))
        for layer in module.modules():
            layer._forward_hooks.clear()
            layer._forward_pre_hooks.clear()
        self._made_by.clear()

    def images(self, seed: int, count: int) -> torch.Tensor:
        return torch.from_numpy(make_resnet.make_input(seed, count, self.channels, self.size))

    def _set(self, name: str, tensor: torch.Tensor, low: float, high: float) -> None:
        tensor.data.copy_(torch.from_numpy(self.parameters.add(name, tuple(tensor.shape), low, high)))

    def _set_weights(self, name: str, module: nn.Module) -> None:
        bound = (6.0 / module.weight[0].numel()) ** 0.5  # variance 2 / fan-in
        self._set(f"{name}.weight", module.weight, -bound, bound)
        if module.bias is not None:
            self._set(f"{name}.bias", module.bias, -0.2, 0.2)

    def _set_norm(self, name: str, norm: nn.Module, x: torch.Tensor) -> None:
        self._set(f"{name}.weight", norm.weight, 0.8, 1.2)
        self._set(f"{name}.bias", norm.bias, -0.2, 0.2)
        if not isinstance(norm, nn.BatchNorm2d):
            return
        mean, deviation = float(x.mean()), float(x.std())
        self._set(f"{name}.running_mean", norm.running_mean, mean - 0.3 * deviation, mean + 0.3 * deviation)
        self._set(f"{name}.running_var", norm.running_var, 0.7 * deviation**2, 1.4 * deviation**2)
        self.parameters.epsilons[name] = norm.eps
        if id(x) in self._made_by:
            self.folds.append((self._made_by[id(x)][0], name))
