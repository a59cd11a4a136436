"""The table of golden networks: each residual family, through both of PyTorch's exporters.

A row's weights don't depend on how it is exported. Where a network is large, the committed row has fewer blocks a stage at
the real widths, since the widths choose the implementations; the real depths are the rows of FULL_SIZE.
"""

import dataclasses
from collections.abc import Callable

import timm
import torchvision.models as tv
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

import own_networks as own


@dataclasses.dataclass(frozen=True)
class Export:
    exporter: str  # "script" (torch.onnx.export with dynamo=False), "dynamo", or "nhwc" (nhwc_resnet.py)
    opset: int
    batch: str = "dynamic"  # or the size fixed in the file


@dataclasses.dataclass(frozen=True)
class Family:
    name: str
    build: Callable[[], nn.Module]
    exports: tuple[Export, ...]
    size: int = 64
    channels: int = 3


def script(opset: int, batch: str = "dynamic") -> Export:
    return Export("script", opset, batch)


def dynamo(opset: int, batch: str = "dynamic") -> Export:
    return Export("dynamo", opset, batch)


def paper(model: ResNet) -> ResNet:
    """The stride moved from a bottleneck's 3x3 to its first 1x1, as in the paper of 2015."""
    for stage in (model.layer2, model.layer3, model.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    return model


def shallow(**options) -> ResNet:
    """torchvision's bottleneck network, one block a stage, and two in the second for an identity shortcut."""
    return ResNet(Bottleneck, [1, 2, 1, 1], num_classes=10, **options)


def timm_shallow(name: str, **options) -> nn.Module:
    return timm.create_model(name, layers=[1, 2, 1, 1], num_classes=10, **options)


def timm_convnext(name: str) -> nn.Module:
    return timm.create_model(name, depths=[1, 2, 1, 1], num_classes=10)


COMMITTED = (
    Family("resnet18", lambda: tv.resnet18(num_classes=10), (script(7), dynamo(18, "1"))),
    Family("resnet34", lambda: tv.resnet34(num_classes=10), (script(9, "2"), dynamo(20)), size=48),
    Family("resnet50", lambda: tv.resnet50(num_classes=1000), (script(13), dynamo(22)), size=97),
    Family("resnet50-paper", lambda: paper(shallow()), (script(11, "1"), dynamo(18))),
    Family("resnet-22k", lambda: ResNet(BasicBlock, [1, 1, 1, 1], num_classes=22000), (script(12),), size=32),
    Family("resnet-4ch", lambda: with_channels(shallow(), 4), (script(10), dynamo(19)), channels=4),
    Family("cifar20-a", lambda: own.Cifar(3, "A"), (script(10, "1"), script(17), dynamo(18)), size=32),
    Family("cifar20-a-concat", lambda: own.Cifar(3, "A-concat"), (script(8), dynamo(21)), size=32),
    Family("cifar32-b", lambda: own.Cifar(5, "B", channels=1), (script(15), dynamo(18, "3")), size=28, channels=1),
    Family("cifar44-a", lambda: own.Cifar(7, "A", classes=100), (script(14), dynamo(22)), size=33),
    Family("cifar56-c", lambda: own.Cifar(9, "C", classes=1), (script(18), dynamo(20, "1")), size=32),
    Family("cifar110-a", lambda: own.Cifar(18, "A"), (script(16), dynamo(18)), size=32),
    Family("cifar20-v2", lambda: own.CifarPreActivation(3), (script(11), dynamo(18)), size=32),
    Family("wrn16-4", lambda: own.CifarPreActivation(2, 4), (script(13, "1"), dynamo(20)), size=32),
    Family("resnetv2-50", lambda: timm_shallow("resnetv2_50"), (script(17), dynamo(18))),
    Family("wide-resnet50-2", lambda: shallow(width_per_group=128), (script(13), dynamo(18, "1"))),
    Family("resnext50-32x4d", lambda: shallow(groups=32, width_per_group=4), (script(9), dynamo(22))),
    Family("resnext101-64x4d", lambda: shallow(groups=64, width_per_group=4), (script(20), dynamo(18, "2"))),
    Family("resnet50-d", lambda: timm_shallow("resnet50d"), (script(11), dynamo(18))),
    Family("seresnet50", lambda: timm_shallow("seresnet50"), (script(13), dynamo(20))),
    Family("seresnext50-32x4d", lambda: timm_shallow("seresnext50_32x4d"), (script(17, "1"), dynamo(22))),
    Family("regnet-x-400mf", lambda: tv.regnet_x_400mf(num_classes=10), (script(12), dynamo(18))),
    Family("regnet-y-400mf", lambda: tv.regnet_y_400mf(num_classes=10), (script(13), dynamo(21, "1"))),
    Family("mobilenet-v2", lambda: tv.mobilenet_v2(num_classes=10), (script(7), dynamo(18))),
    Family("mobilenet-v3-small", lambda: tv.mobilenet_v3_small(num_classes=10), (script(13), dynamo(22))),
    Family("mobilenet-v3-large", lambda: tv.mobilenet_v3_large(num_classes=10), (script(17), dynamo(18, "1"))),
    Family("efficientnet-b0", lambda: tv.efficientnet_b0(num_classes=10), (script(14), dynamo(20))),
    Family("resnetaa50", lambda: timm_shallow("resnetaa50"), (script(11), dynamo(18))),
    Family("resnetblur50", lambda: timm_shallow("resnetblur50"), (script(13), dynamo(18, "1"))),
    Family("resnet50-gn", lambda: timm_shallow("resnet50_gn"), (script(17), dynamo(18), dynamo(21))),
    Family("res2net50", lambda: timm_shallow("res2net50_26w_4s"), (script(13), dynamo(18, "1"))),
    Family("convnext-t", lambda: timm_convnext("convnext_tiny"), (script(13), script(17, "1"), dynamo(20))),
    Family("convnextv2-t", lambda: timm_convnext("convnextv2_tiny"), (script(16, "1"), dynamo(18))),
    Family("nhwc", lambda: own.TensorFlowStyle(), (Export("nhwc", 13), Export("nhwc", 18, "1")), size=50),
)


def with_channels(model: ResNet, channels: int) -> ResNet:
    model.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
    return model


def full(name: str, build: Callable[[], nn.Module], export: Export, size: int = 224) -> Family:
    return Family(f"full-{name}", build, (export,), size)


FULL_SIZE = (
    full("resnet18", tv.resnet18, dynamo(18)),
    full("resnet34", tv.resnet34, script(17)),
    full("resnet50", tv.resnet50, dynamo(18)),
    full("resnet101", tv.resnet101, dynamo(20)),
    full("resnet152", tv.resnet152, script(17)),
    full("resnet50-paper", lambda: paper(tv.resnet50()), dynamo(18)),
    full("resnetv2-50", lambda: timm.create_model("resnetv2_50"), dynamo(18)),
    full("wide-resnet50-2", tv.wide_resnet50_2, dynamo(18)),
    full("wrn28-10", lambda: own.CifarPreActivation(4, 10), dynamo(18), size=32),
    full("resnext50-32x4d", tv.resnext50_32x4d, dynamo(18)),
    full("resnext101-64x4d", tv.resnext101_64x4d, script(17)),
    full("resnet50-d", lambda: timm.create_model("resnet50d"), dynamo(18)),
    full("seresnet50", lambda: timm.create_model("seresnet50"), dynamo(18)),
    full("seresnext50-32x4d", lambda: timm.create_model("seresnext50_32x4d"), dynamo(18)),
    full("regnet-x-400mf", tv.regnet_x_400mf, dynamo(18)),
    full("regnet-y-400mf", tv.regnet_y_400mf, script(17)),
    full("mobilenet-v2", tv.mobilenet_v2, dynamo(18)),
    full("mobilenet-v3-small", tv.mobilenet_v3_small, dynamo(18)),
    full("mobilenet-v3-large", tv.mobilenet_v3_large, script(17)),
    full("efficientnet-b0", tv.efficientnet_b0, dynamo(18)),
    full("resnetaa50", lambda: timm.create_model("resnetaa50"), dynamo(18)),
    full("resnetblur50", lambda: timm.create_model("resnetblur50"), dynamo(18)),
    full("resnet50-gn", lambda: timm.create_model("resnet50_gn"), dynamo(18)),
    full("res2net50", lambda: timm.create_model("res2net50_26w_4s"), script(17)),
    full("convnext-t", lambda: timm.create_model("convnext_tiny"), script(17)),
    full("convnextv2-t", lambda: timm.create_model("convnextv2_tiny"), dynamo(20)),
    full("resnet50-512px", lambda: tv.resnet50(num_classes=5), dynamo(18), size=512),
)
