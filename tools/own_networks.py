"""Residual networks of our own for the golden tests, which torchvision and timm do not have, as PyTorch modules.

Sources: He et al., "Deep Residual Learning for Image Recognition", 2015, section 4.2 (the CIFAR networks, shortcuts A, B
and C); He et al., "Identity Mappings in Deep Residual Networks", 2016 (pre-activation); Zagoruyko and Komodakis, "Wide
Residual Networks", 2016.
"""

import torch
from torch import nn
from torch.nn import functional as F


def conv3x3(cin: int, cout: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(cin, cout, 3, stride, padding=1, bias=False)


class ShortcutA(nn.Module):
    """Every second pixel, and zeros for the channels that are new: no parameters."""

    def __init__(self, cin: int, cout: int, stride: int):
        super().__init__()
        self.stride, self.before, self.after = stride, (cout - cin) // 2, cout - cin - (cout - cin) // 2

    def forward(self, x):
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.after))


class ShortcutAConcat(nn.Module):
    """The same as the Torch implementations write it: a pool of one pixel, and the input times zero behind it."""

    def __init__(self, cin: int, cout: int, stride: int):
        super().__init__()
        assert cout == 2 * cin
        self.pool = nn.AvgPool2d(1, stride)

    def forward(self, x):
        y = self.pool(x)
        return torch.cat((y, y.mul(0)), 1)


def projection(cin: int, cout: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))


def shortcut(kind: str, cin: int, cout: int, stride: int) -> nn.Module:
    """A: no parameters; B: projections where shapes change; C: projections everywhere."""
    if kind == "C" or (kind == "B" and (cin != cout or stride != 1)):
        return projection(cin, cout, stride)
    if cin == cout and stride == 1:
        return nn.Identity()
    return {"A": ShortcutA, "A-concat": ShortcutAConcat}[kind](cin, cout, stride)


class Block(nn.Module):
    """ReLU(F(x) + x), F two weight layers."""

    def __init__(self, cin: int, cout: int, stride: int, kind: str):
        super().__init__()
        self.conv1, self.bn1 = conv3x3(cin, cout, stride), nn.BatchNorm2d(cout)
        self.conv2, self.bn2 = conv3x3(cout, cout), nn.BatchNorm2d(cout)
        self.shortcut = shortcut(kind, cin, cout, stride)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class PreActivationBlock(nn.Module):
    """F(x) + x, each weight layer of F behind its normalisation and ReLU; a projection reads the activated input."""

    def __init__(self, cin: int, cout: int, stride: int):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(cin), conv3x3(cin, cout, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(cout), conv3x3(cout, cout)
        self.projection = nn.Conv2d(cin, cout, 1, stride, bias=False) if cin != cout or stride != 1 else None

    def forward(self, x):
        active = F.relu(self.bn1(x))
        y = self.conv2(F.relu(self.bn2(self.conv1(active))))
        return y + (x if self.projection is None else self.projection(active))


class Cifar(nn.Module):
    """6n+2 layers on small images; `kind` of shortcut as in shortcut()."""

    def __init__(self, n: int, kind: str, channels: int = 3, classes: int = 10):
        super().__init__()
        self.conv1, self.bn1 = conv3x3(channels, 16), nn.BatchNorm2d(16)
        blocks, cin = [], 16
        for stage, cout in enumerate((16, 32, 64)):
            for i in range(n):
                blocks.append(Block(cin, cout, 2 if stage and not i else 1, kind))
                cin = cout
        self.blocks, self.fc = nn.Sequential(*blocks), nn.Linear(cin, classes)

    def forward(self, x):
        x = self.blocks(F.relu(self.bn1(self.conv1(x))))
        return self.fc(x.mean((2, 3)))


class CifarPreActivation(nn.Module):
    """The same before activation; with `width` 1 the v2 paper's network, with more the wide one (WRN-(6n+4)-width)."""

    def __init__(self, n: int, width: int = 1, channels: int = 3, classes: int = 10):
        super().__init__()
        self.conv1 = conv3x3(channels, 16)
        blocks, cin = [], 16
        for stage, cout in enumerate((16 * width, 32 * width, 64 * width)):
            for i in range(n):
                blocks.append(PreActivationBlock(cin, cout, 2 if stage and not i else 1))
                cin = cout
        self.blocks, self.bn, self.fc = nn.Sequential(*blocks), nn.BatchNorm2d(cin), nn.Linear(cin, classes)

    def forward(self, x):
        x = F.relu(self.bn(self.blocks(self.conv1(x))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class SamePadded(nn.Module):
    """A convolution with TensorFlow's SAME padding, the odd pixel at the bottom and right, and its normalisation."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int = 1):
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.conv, self.bn = nn.Conv2d(cin, cout, kernel, stride, bias=False), nn.BatchNorm2d(cout, eps=1e-3)

    def forward(self, x):
        pads = []
        for size in (x.shape[3], x.shape[2]):
            total = max((-(-size // self.stride) - 1) * self.stride + self.kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return self.bn(self.conv(F.pad(x, pads)))


class TensorFlowStyle(nn.Module):
    """What tools/nhwc_resnet.py writes as an NHWC graph; here NCHW, with the same parameters."""

    def __init__(self, channels: int = 3, classes: int = 10, widths: tuple = (32, 64)):
        super().__init__()
        self.stem = SamePadded(channels, widths[0], 7, 2)
        self.blocks, cin = nn.ModuleList(), widths[0]
        for i, cout in enumerate(widths):
            stride = 2 if i else 1
            parts = {"first": SamePadded(cin, cout, 3, stride), "second": SamePadded(cout, cout, 3)}
            if cin != cout or stride != 1:
                parts["shortcut"] = SamePadded(cin, cout, 1, stride)
            self.blocks.append(nn.ModuleDict(parts))
            cin = cout
        self.fc = nn.Linear(cin, classes)

    def forward(self, x):
        x = F.relu(self.stem(x))
        for block in self.blocks:
            y = block["second"](F.relu(block["first"](x)))
            x = F.relu(y + (block["shortcut"](x) if "shortcut" in block else x))
        return self.fc(x.mean((2, 3)))
