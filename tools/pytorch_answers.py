"""What a PyTorch network answers, in the server's terms: its logits, and as embedding what its last layer reads."""

import numpy as np
import torch
from torch import nn


def answers(module: nn.Module, images: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Logits and embeddings, a row an image. `images` is [N, C, H, W].

    The last layer is a linear one, or a 1x1 convolution on the one pixel that the global pool left.
    """
    inputs = []
    hooks = [layer.register_forward_pre_hook(lambda m, x: inputs.append(x[0]))
             for layer in module.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]  # fmt: skip
    with torch.no_grad():
        logits = module(images)
    for hook in hooks:
        hook.remove()
    return logits.numpy(), inputs[-1].flatten(1).numpy()
