"""Low-rank updates of matrices and kernels: training them, and adding them to the weights.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv 2106.09685: a weight
W [o, i] stands still, and W + alpha / r * B A is used, with A [r, i] and B [o, r] trained. B starts
at zero, so that training starts from the network as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sam2lite.errors import ArgumentError

# What `--targets` may name beside patterns, as patterns of layers' paths.
_QKV: tuple[str, ...] = (
    *("q", "k", "v", "query_key", "query_value", "image_query"),
    *("key", "value", "memory_key", "memory_value"),
)
TARGETS: Mapping[str, tuple[str, ...]] = {
    "qkv": tuple(f"*.{name}" for name in _QKV),
    "attention": tuple(f"*.{name}" for name in (*_QKV, "out", "image_out")),
    "all": ("*",),
}
_INSIDE = ".parametrizations.weight"
_ORIGINAL, _A, _B, _SCALE = (f"{_INSIDE}.{end}" for end in ("original", "0.a", "0.b", "0.scale"))


class Attached(NamedTuple):
    """What was attached to a network.

    Attributes:
        layers: paths of the layers.
        trainable: parameters, r (d_in + d_out) a layer.
        total: parameters of the network without them.
        too_large: paths of layers whose update has as many parameters as the layer itself.
    """

    layers: tuple[str, ...]
    trainable: int
    total: int
    too_large: tuple[str, ...]


class LowRankUpdate(nn.Module):
    """Adds alpha / r * B A to a weight, in the weight's own shape."""

    scale: Tensor

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        """Make an update that changes nothing yet.

        Args:
            weight: [o, ...]; all axes but the first count as one.
            rank: r.
            alpha: as above.
        """
        super().__init__()
        self.a = nn.Parameter(torch.empty(rank, weight[0].numel()))
        self.b = nn.Parameter(torch.zeros(weight.shape[0], rank))
        nn.init.kaiming_uniform_(self.a, math.sqrt(5))
        self.register_buffer("scale", torch.tensor(alpha / rank))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the sum, in the weight's shape."""
        return _sum(weight, self.a, self.b, self.scale)


def attach(model: nn.Module, targets: str, rank: int, alpha: float, seed: int = 0) -> Attached:
    """Give layers of a network updates, and let nothing else of it be trained.

    Args:
        model: changed in place.
        targets: of `TARGETS`, or patterns of paths, separated by commas; of these, linear layers
            and convolutions that are not grouped, and that are not too small for the rank.
        rank: of every update.
        alpha: of every update.
        seed: of what the updates start from, the same in every process.

    Raises:
        ArgumentError: no layer matches, or none has that rank.
    """
    patterns = TARGETS.get(targets) or tuple(part.strip() for part in targets.split(","))
    layers = {
        path: layer
        for path, layer in model.named_modules()
        if _is_matrix(layer) and any(fnmatchcase(path, pattern) for pattern in patterns)
    }
    if not layers:
        raise ArgumentError(
            f"--targets {targets} matches no layer; take {', '.join(TARGETS)}, or patterns of "
            "paths as `sam2lite sensitivity` lists them, such as '*.mlp.*'"
        )
    sides = {path: _sides(layer) for path, layer in layers.items()}
    widest = max(min(pair) for pair in sides.values())
    if rank > widest:
        raise ArgumentError(
            f"--lora is {rank}, but the layers of --targets {targets} have ranks of {widest} and "
            "less; take a lower one"
        )
    sides = {path: pair for path, pair in sides.items() if rank <= min(pair)}
    total = sum(parameter.numel() for parameter in model.parameters())
    model.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for path in sides:
            update = LowRankUpdate(layers[path].get_parameter("weight"), rank, alpha)
            parametrize.register_parametrization(layers[path], "weight", update, unsafe=True)
    return Attached(
        tuple(sides),
        sum(rank * (rows + columns) for rows, columns in sides.values()),
        total,
        tuple(path for path, (o, i) in sides.items() if rank * (o + i) >= o * i),
    )


def stand_still(model: nn.Module) -> None:
    """Let the running statistics of a network's batch norms be, while updates are trained."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def merged(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict with updates added to their weights; one without any, as it is."""
    plain: dict[str, Tensor] = {}
    for name, tensor in state.items():
        layer, inside, part = name.partition(_INSIDE)
        if not inside:
            plain[name] = tensor
        elif inside + part == _ORIGINAL:
            parts = (state[layer + end] for end in (_A, _B, _SCALE))
            plain[f"{layer}.weight"] = _sum(tensor, *parts)
    return plain


def updates(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return A and B of every layer of a state dict, by `LAYER.a` and `LAYER.b`."""
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        for end, short in ((_A, ".a"), (_B, ".b")):
            if name.endswith(end):
                found[name.removesuffix(end) + short] = tensor
    return found


def added(
    state: Mapping[str, Tensor], found: Mapping[str, Tensor], scale: Tensor
) -> dict[str, Tensor]:
    """Return a state dict of a network with updates of `updates` added to its weights."""
    layers = {name.removesuffix(".a") for name in found if name.endswith(".a")}
    summed = {
        f"{path}.weight": _sum(
            state[f"{path}.weight"], found[f"{path}.a"], found[f"{path}.b"], scale
        )
        for path in layers
    }
    return {**state, **summed}


def _sum(weight: Tensor, a_ri: Tensor, b_or: Tensor, scale: Tensor) -> Tensor:
    return weight + (scale * (b_or @ a_ri)).reshape(weight.shape).to(weight.dtype)


def _is_matrix(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1)


def _sides(layer: nn.Module) -> tuple[int, int]:
    weight = layer.get_parameter("weight")
    return weight.shape[0], weight[0].numel()
