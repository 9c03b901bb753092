"""The optimiser, gradients over several processes, and the moving average of the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BETAS = (0.9, 0.98)
WEIGHT_DECAY = 0.05
CLIP_NORM = 1.0
EMA_DECAY = 0.998


def make_optimiser(model: nn.Module) -> torch.optim.AdamW:
    """Return AdamW that decays matrices and kernels only; the learning rate is set each step."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trained if parameter.ndim > 1]
    others = [parameter for parameter in trained if parameter.ndim <= 1]
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": WEIGHT_DECAY},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=0.0,
        betas=BETAS,
        fused=True,
    )


def average_gradients(model: nn.Module, extra: list[float]) -> list[float]:
    """Average gradients over all processes in one message; return `extra` averaged as well.

    A parameter that this process did not use counts as one with a zero gradient, as long as some
    process uses it.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    flat = torch.cat(
        [(torch.zeros_like(p) if p.grad is None else p.grad).flatten().float() for p in parameters]
        + [torch.tensor(extra, device=parameters[0].device)]
    )
    torch.distributed.all_reduce(flat)
    flat /= torch.distributed.get_world_size()
    start = 0
    for parameter in parameters:
        part = flat[start : start + parameter.numel()].view_as(parameter)
        # A copy, in the parameter's own memory layout, which the fused optimiser wants.
        parameter.grad = torch.empty_like(parameter).copy_(part)
        start += parameter.numel()
    return [float(value) for value in flat[start:]]


class MovingAverage:
    """Exponential moving average of a network's state; what is validated and shipped."""

    def __init__(self, model: nn.Module) -> None:
        self.state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the network; faster during the first steps."""
        decay = min(EMA_DECAY, (1.0 + step) / (10.0 + step))
        averaged: list[Tensor] = []
        current: list[Tensor] = []
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                averaged.append(self.state[name])
                current.append(tensor.detach())
            else:
                self.state[name].copy_(tensor)
        torch._foreach_lerp_(averaged, current, 1.0 - decay)
