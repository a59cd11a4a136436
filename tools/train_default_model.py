#!/usr/bin/env python3
"""Trains the model that resnetd embeds: the paper's 20-layer CIFAR design on Fashion-MNIST.

The network is section 4.2 of He et al., "Deep Residual Learning for Image Recognition" (2015), n = 3: a 3x3
convolution, three stages of three blocks with 16, 32 and 64 channels, parameter-free shortcuts (option A),
global average pooling, one linear layer. Two things differ from the paper: the input is 28x28 with one channel, so
that the stages see 28, 14 and 7 pixels, and the schedule is shorter.

Data: the 60,000 training images of Debian's package `dataset-fashion-mnist`, all of them. The 10,000 test images are
read once, after the last step, to measure the accuracy that is printed and written beside the weights. Nothing is
chosen by them: the weights exported are always the moving average at the end of the schedule.

    tools/train_default_model.py --checkpoint train.pt --out models/fashion-resnet20/1

Needs PyTorch (any version from 1.13, CPU), numpy and onnx. One epoch takes one to three minutes on one core; the run
resumes from its checkpoint when it is started again.
"""

import argparse
import copy
import json
import math
import pathlib
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import fashion_mnist_png
import resnet_onnx
from fashion_mnist_png import MEAN, STD


def read_idx(path: pathlib.Path) -> np.ndarray:
    dims, content = fashion_mnist_png.read_idx(path)
    return np.frombuffer(content, np.uint8).reshape(dims)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and an identity shortcut; option A where the shape changes."""

    def __init__(self, cin: int, cout: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.stride, self.pad = stride, (cout - cin) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.stride != 1 or self.pad:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(y + x)


class CifarResNet(nn.Module):
    """6n+2 layers; the parameters' names are the ones resnet_onnx.cifar_resnet() expects."""

    def __init__(self, n: int, classes: int):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        cin = 16
        for stage, cout in enumerate((16, 32, 64), start=1):
            blocks = []
            for i in range(n):
                blocks.append(BasicBlock(cin, cout, 2 if stage > 1 and i == 0 else 1))
                cin = cout
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Linear(64, classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


def augment(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Shifts each image by up to 2 pixels, mirrors half of them, and erases a square in a quarter."""
    n, _, h, w = images.shape
    padded = F.pad(images, (2, 2, 2, 2), value=-MEAN / STD)
    dy, dx = torch.randint(0, 5, (2, n), generator=rng)
    rows = (dy[:, None] + torch.arange(h))[:, :, None].expand(n, h, w)
    columns = dx[:, None] + torch.arange(w)
    mirror = torch.rand(n, generator=rng) < 0.5
    columns = torch.where(mirror[:, None], columns.flip(1), columns)[:, None, :].expand(n, h, w)
    out = padded[torch.arange(n)[:, None, None], 0, rows, columns][:, None]
    y, x = torch.randint(0, h, (2, n), generator=rng)
    hit = torch.rand(n, generator=rng) < 0.25
    inside = ((torch.arange(h)[None, :, None] - y[:, None, None]).abs() <= 4) & (
        (torch.arange(w)[None, None, :] - x[:, None, None]).abs() <= 4
    )
    out[(inside & hit[:, None, None])[:, None]] = 0.0
    return out


def learning_rate(step: int, total: int, peak: float) -> float:
    """Linear warm-up over 5 % of the steps, then a cosine to zero."""
    warmup = max(1, total // 20)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


@torch.no_grad()
def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    model.eval()
    hits = sum(
        int((model(x).argmax(1) == y).sum()) for x, y in zip(images.split(500), labels.split(500))
    )
    return hits / len(labels)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", type=pathlib.Path, default=fashion_mnist_png.DATA)
    p.add_argument("--checkpoint", type=pathlib.Path, required=True, help="written after every epoch, resumed from")
    p.add_argument("--out", type=pathlib.Path, required=True, help="folder for model.onnx and training.json")
    p.add_argument("--epochs", type=int, default=40)
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--peak-lr", type=float, default=0.2)
    p.add_argument("--weight-decay", type=float, default=5e-4)
    p.add_argument("--label-smoothing", type=float, default=0.05)
    p.add_argument("--ema", type=float, default=0.999, help="decay of the moving average of the weights, a step")
    p.add_argument("--seed", type=int, default=20)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--bf16", action="store_true", help="bfloat16 products; pays only on a CPU that has them")
    p.add_argument("--compile", action="store_true", help="torch.compile (PyTorch 2, needs a C++ compiler)")
    args = p.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = torch.Generator().manual_seed(args.seed)

    def load(split: str) -> tuple:
        x = torch.from_numpy(read_idx(args.data / f"{split}-images-idx3-ubyte.gz").astype(np.float32) / 255)
        y = torch.from_numpy(read_idx(args.data / f"{split}-labels-idx1-ubyte.gz").astype(np.int64))
        return ((x - MEAN) / STD)[:, None], y

    images, labels = load("train")
    model = CifarResNet(3, 10).to(memory_format=torch.channels_last)
    average = copy.deepcopy(model)
    decayed = [w for w in model.parameters() if w.ndim > 1]
    plain = [w for w in model.parameters() if w.ndim == 1]
    optimizer = torch.optim.SGD(
        [{"params": decayed, "weight_decay": args.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=args.peak_lr, momentum=0.9, nesterov=True,
    )
    first = 0
    if args.checkpoint.exists():
        saved = torch.load(args.checkpoint, map_location="cpu")
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        rng.set_state(saved["rng"])
        first = saved["epoch"]
        print(f"resuming after epoch {first} of {args.epochs}", flush=True)

    forward = torch.compile(model) if args.compile else model
    steps = len(images) // args.batch
    started = time.monotonic()
    for epoch in range(first, args.epochs):
        model.train()
        order = torch.randperm(len(images), generator=rng)
        loss_sum = hits = 0.0
        for i in range(steps):
            pick = order[i * args.batch : (i + 1) * args.batch]
            x = augment(images[pick], rng).contiguous(memory_format=torch.channels_last)
            y = labels[pick]
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(epoch * steps + i, args.epochs * steps, args.peak_lr)
            with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
                logits = forward(x).float()
                loss = F.cross_entropy(logits, y, label_smoothing=args.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                # An average that starts cold would remember the random initial weights: warm it up.
                decay = min(args.ema, (1 + epoch * steps + i) / (10 + epoch * steps + i))
                for a, b in zip(average.state_dict().values(), model.state_dict().values()):
                    if a.dtype.is_floating_point:
                        a.lerp_(b, 1 - decay)
                    else:
                        a.copy_(b)
            loss_sum += float(loss.detach())
            hits += int((logits.argmax(1) == y).sum())
        torch.save(
            {"model": model.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(),
             "rng": rng.get_state(), "epoch": epoch + 1},
            args.checkpoint,
        )
        per_epoch = (time.monotonic() - started) / (epoch + 1 - first)
        print(
            f"epoch {epoch + 1}/{args.epochs}  loss {loss_sum / steps:.4f}  "
            f"accuracy on augmented training images {hits / (steps * args.batch):.4f}  "
            f"{per_epoch:.0f} s/epoch, {per_epoch * (args.epochs - epoch - 1) / 60:.0f} min left",
            flush=True,
        )

    top1 = accuracy(average, *load("t10k"))
    print(f"top-1 on the 10,000 test images: {top1:.4f}")
    weights = {k: v.float().contiguous().numpy() for k, v in average.state_dict().items() if v.dtype.is_floating_point}
    args.out.mkdir(parents=True, exist_ok=True)
    graph = resnet_onnx.cifar_resnet(n=3, shortcut="A", weights=weights, channels=1, size=28, classes=10)
    (args.out / "model.onnx").write_bytes(graph.SerializeToString())
    record = {k: v for k, v in vars(args).items() if isinstance(v, (int, float))}
    record.update(torch=torch.__version__, top1=top1)
    (args.out / "training.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
