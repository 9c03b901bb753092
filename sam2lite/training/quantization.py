"""Quantization-aware training: INT8 simulated in float, on the weights that an export will have.

What is simulated (Jacob et al. 2018, sec. 3, with straight-through gradients):

- Every `ConvBn`, `Conv2d` and `Linear` quantizes its input per tensor to U8 and its weight per
  output channel to symmetric S8 (-127..127). Biases, which are INT32 in a graph, stay in float.
- A `ConvBn` is first folded into one convolution, as in `ConvBn.fused`, so its batch norm never
  runs: the running statistics stand still, its scale and shift go on learning. So it is with
  batch norms of their own that a family says to go into a convolution.
- In float stay the products of attention (q k^T, softmax, a v), normalisation, residual additions,
  products of two activations, and the whole of `memory_select`. The key projection of
  `FewQueriesAttention` is absorbed into q k^T, so it stays in float as well.

What a range means, here and in a checkpoint's `ranges.json`: under the path of a module, as in
`image_encoder.stem.0` (the same before and after `Sam2Lite.fused`), the least and the greatest
value of that module's *input*, at all rungs. Zero is always inside. U8 takes it as it is:
`scale = (max - min) / 255`, `zero_point = round(-min / scale)`; a target with symmetric S8 takes
`scale = max(-min, max) / 127`. A module without a range was not run, or on nothing but
zeros, and stays in float.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import TracebackType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.errors import ModelError
from sam2lite.models.grafting import Fold
from sam2lite.models.sam2lite.blocks import ConvBn
from sam2lite.models.sam2lite.quantizable import Layer

ACTIVATION_MAX, WEIGHT_MAX = 255, 127
# A scale of zero, from an input or a channel of zeros, would divide by zero.
LEAST_SCALE = torch.finfo(torch.float32).eps
# While a layer is new its range holds all that was seen; then it follows the extremes of each call,
# outwards fast and inwards slowly. A plain average would clip layers that mostly see next to
# nothing, such as those of the mask prompt, which few frames have.
WARM_UP_CALLS = 20
GROW, SHRINK = 0.1, 0.001

Weights = tuple[Tensor, Tensor | None]


def quantized_weight(weight: Tensor) -> Tensor:
    """Round a kernel or matrix to symmetric S8 per output channel, its first axis, in FP32."""
    weight = weight.float()
    scale_c = (weight.detach().flatten(1).abs().amax(dim=1) / WEIGHT_MAX).clamp(min=LEAST_SCALE)
    zero_c = torch.zeros_like(scale_c, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(
        weight, scale_c, zero_c, 0, -WEIGHT_MAX, WEIGHT_MAX
    )


def quantized_activation(x: Tensor, least: Tensor, greatest: Tensor) -> Tensor:
    """Round a tensor to U8 in a range of two scalars, which holds zero, in FP32."""
    scale = ((greatest - least) / ACTIVATION_MAX).clamp(min=LEAST_SCALE)
    zero = (-least / scale).round().clamp(0, ACTIVATION_MAX).to(torch.int32)
    return torch.fake_quantize_per_tensor_affine(x.float(), scale, zero, 0, ACTIVATION_MAX)


class SimulatedInt8:
    """Makes a network compute as in INT8 while it is attached, and follows activation ranges.

        with SimulatedInt8(quantized_layers(model)) as simulation:
            train(model)
        save_checkpoint(model, folder, activation_ranges=simulation.ranges())

    Layers in training mode widen and narrow their range with every call; in evaluation mode the
    ranges stand still. The network's state dict never changes.

    Attributes:
        observed: a tensor per layer: least and greatest input, and the calls that were observed.
            Calls with zeros alone are not counted. Float32 [3], on the device that the network was
            on; changed in place.
    """

    def __init__(self, layers: Mapping[str, nn.Module], folds: Iterable[Fold] = ()) -> None:
        """Take layers over.

        Args:
            layers: those that are quantized, by path, of one network and on one device.
            folds: convolutions with batch norms that go into them, quantized or not.
        """
        self._layers = {path: _checked(layer) for path, layer in layers.items()}
        self._folds: dict[nn.Module, Fold] = {fold.conv: fold for fold in folds}
        device = next(next(iter(self._layers.values())).parameters()).device
        self.observed = {path: torch.zeros(3, device=device) for path in self._layers}

    def __enter__(self) -> SimulatedInt8:
        self.attach()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.detach()

    def attach(self) -> None:
        """Replace the computation of every quantized layer, and of what goes into others."""
        # An attribute of the instance hides the method of its class.
        for conv, fold in self._folds.items():
            vars(conv)["forward"] = partial(_folded, fold)
            vars(fold.norm)["forward"] = _unchanged
        for path, layer in self._layers.items():
            weights = partial(_weights, layer, self._folds.get(layer))
            vars(layer)["forward"] = partial(_simulated, layer, weights, self.observed[path])

    def detach(self) -> None:
        """Give every layer its own computation back."""
        norms = [fold.norm for fold in self._folds.values()]
        for module in (*self._layers.values(), *self._folds, *norms):
            vars(module).pop("forward", None)

    def ranges(self) -> dict[str, tuple[float, float]]:
        """Return the range of every layer that was run on more than zeros, by path."""
        rows = torch.stack(list(self.observed.values())).tolist()
        return {
            path: (least, greatest)
            for path, (least, greatest, calls) in zip(self.observed, rows, strict=True)
            if calls
        }

    def load_ranges(self, ranges: Mapping[str, tuple[float, float]]) -> None:
        """Take ranges over; further calls in training mode move them on.

        Raises:
            ModelError: a range is of no quantized layer of this network.
        """
        unknown = sorted(set(ranges) - set(self.observed))
        if unknown:
            raise ModelError(
                f"{len(unknown)} activation ranges are of no quantized layer of this network, "
                f"{unknown[0]} first; use the ranges that were saved with it"
            )
        for path, (least, greatest) in ranges.items():
            self.observed[path].copy_(torch.tensor([least, greatest, WARM_UP_CALLS]))

    def average(self) -> None:
        """Average the ranges over all processes of torch.distributed, in one message."""
        flat = torch.stack(list(self.observed.values()))
        torch.distributed.all_reduce(flat)
        flat /= torch.distributed.get_world_size()
        for row, observed in zip(flat, self.observed.values(), strict=True):
            observed.copy_(row)


def _checked(layer: nn.Module) -> Layer:
    assert isinstance(layer, Layer)
    return layer


def _simulated(layer: Layer, weights: Callable[[], Weights], observed: Tensor, x: Tensor) -> Tensor:
    weight, bias = weights()
    if layer.training and x.numel():
        _observe(observed, x.detach().float())
    elif not observed[2]:  # never run, or on nothing but zeros or an empty memory bank
        return _apply(layer, x, weight, bias)
    return _apply(layer, quantized_activation(x, *observed[:2]), quantized_weight(weight), bias)


@torch.no_grad()
def _observe(observed: Tensor, x: Tensor) -> None:
    """Move the range towards the extremes of an input, without waiting for the device."""
    seen = torch.stack(x.aminmax())
    # Zero is the value of padding and of ReLU: it must have an exact code.
    seen = torch.stack([seen[0].clamp(max=0.0), seen[1].clamp(min=0.0)])
    before, calls = observed[:2], observed[2]
    wider = torch.stack([seen[0] < before[0], seen[1] > before[1]])
    new = calls < WARM_UP_CALLS
    weight = torch.where(wider, torch.where(new, 1.0, GROW), torch.where(new, 0.0, SHRINK))
    weight = weight * seen.isfinite().all()  # the trainer stops at a NaN; it must not be stored
    observed[:2] = before.lerp(seen.nan_to_num(), weight)
    observed[2] += seen.any()  # zeros alone, such as an absent mask prompt, tell no range


def _folded(fold: Fold, x: Tensor) -> Tensor:
    return _apply(fold.conv, x, *fold.folded())


def _unchanged(x: Tensor) -> Tensor:
    return x


def _weights(layer: Layer, fold: Fold | None) -> Weights:
    """Return weight and bias of a layer as an export has them, with gradients."""
    if fold is not None:
        return fold.folded()
    return layer.folded() if isinstance(layer, ConvBn) else (layer.weight, layer.bias)


def _apply(layer: Layer, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if isinstance(layer, nn.Linear):
        return F.linear(x, weight, bias)
    conv = layer.conv if isinstance(layer, ConvBn) else layer
    return F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)
