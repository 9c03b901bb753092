"""Which layers are put into four bits, which into eight beside them, and in which order they lose.

`w4` has four bits or float. In `w4a8`, linear layers have four bits, eight or float, and
convolutions eight or float.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from sam2lite.exporter.ort.matmul_nbits import INT8_ACTIVATIONS, packed_bytes
from sam2lite.exporter.precision.layers.rows import float_bytes, int8_bytes
from sam2lite.exporter.precision.layers.steps import Level, Step, by_noise, steps_between
from sam2lite.exporter.precision.schemes import LayerChoice, Making
from sam2lite.exporter.quantization.linear_inputs import linear_inputs, linear_layers
from sam2lite.exporter.quantization.skips import without_skipped

if TYPE_CHECKING:
    from torch import Tensor

    from sam2lite.calibration.assignment import PrecisionAssignment
    from sam2lite.exporter.ort.quantizer import Quantizer
    from sam2lite.exporter.precision.sensitivity import Lowering
    from sam2lite.models.loaded import LoadedModel

_UNSEEN = "nothing but zeros reached it while calibrating"
_last: tuple[Any, Quantizer] | None = None  # of one export, which asks many times


def quantizer_of(making: Making, accuracy_level: int) -> Quantizer:
    """Return what puts a network's layers on the grid, the same for the same recording."""
    from sam2lite.exporter.ort.quantizer import Quantizer

    global _last
    inputs = linear_inputs(making)
    key = id(inputs), making.quantization, accuracy_level
    if _last is None or _last[0] != key:
        _last = key, Quantizer(inputs, making.quantization, accuracy_level == INT8_ACTIVATIONS)
    return _last[1]


def four_bit_paths(making: Making, plan: PrecisionAssignment) -> frozenset[str]:
    """Return the layers of a plan that are in four bits."""
    return plan.lowered if making.ranges is None else plan.narrow


def layer_choice(accuracy_level: int) -> LayerChoice:
    """Return how layers are chosen for a MatMulNBits of this accuracy level."""

    def steps(making: Making, size: int) -> list[Step]:
        return _steps(making, size, accuracy_level)

    def ranked(making: Making, size: int) -> list[str]:
        return [step.path for step in by_noise(steps(making, size))]

    return LayerChoice(_first, ranked, steps)


def _first(making: Making) -> PrecisionAssignment:
    """Return the assignment with the fewest bits, of all layers that were seen at work.

    Linear layers that are not worth packing stay in float, and without ranges convolutions do.

    Raises:
        UnknownNameError: a pattern of `keep_float` matches no layer.
    """
    from torch import nn

    from sam2lite.calibration.assignment import PrecisionAssignment, kept_by_user

    linear, seen = frozenset(linear_layers(making.loaded)), linear_inputs(making)
    unseen = {path for path in linear if path not in seen or seen[path].are_nothing}
    layers = linear
    plan = PrecisionAssignment(linear, {})
    if making.ranges is not None:
        found = making.loaded.fused().quantized_layers()
        layers |= {path for path, layer in found.items() if isinstance(layer, nn.Conv2d)}
        unseen |= {path for path in layers if f"{path}:input" not in making.ranges.spans}
        plan = PrecisionAssignment(layers, {}, linear)
    plan = plan.without(sorted(unseen), _UNSEEN)
    plan = without_skipped(plan, making.loaded, making.quantization.skips)
    return kept_by_user(plan, sorted(layers), making.keep_float)


def _steps(making: Making, size: int, accuracy_level: int) -> list[Step]:
    """Return what more bits cost each layer of the first assignment, and what they take away."""
    from sam2lite.exporter.precision.sensitivity import in_int8, layer_sqnr

    plan, (recording, _) = _first(making), making.footage
    layers = making.loaded.fused().quantized_layers()
    quantizer, weights = quantizer_of(making, accuracy_level), linear_layers(making.loaded)
    levels: dict[str, list[Level]] = {path: [] for path in sorted(plan.lowered)}

    def add(paths: Collection[str], lowering: Lowering, stored: Callable[[str], int]) -> None:
        alone = {path: [path] for path in sorted(paths)}
        ratios = layer_sqnr(making.loaded, lowering, alone, recording, size)
        for path, ratio in ratios.items():
            levels[path].append(Level(stored(path), 10.0 ** (-ratio / 10.0)))

    def four_bits(path: str) -> int:
        return packed_bytes(quantizer.layer(path, weights[path]))

    add(four_bit_paths(making, plan), _in_four_bits(quantizer), four_bits)
    if making.ranges is not None:
        spans = making.ranges.spans
        add(plan.lowered, in_int8(spans), lambda path: int8_bytes(layers[path]))
    for path, own in levels.items():
        own.append(Level(float_bytes(layers[path]), 0.0))
    return steps_between(levels)


def _in_four_bits(quantizer: Quantizer) -> Lowering:
    @contextmanager
    def lowering(fused: LoadedModel, paths: Collection[str]) -> Iterator[None]:
        import torch

        layers = fused.quantized_layers()
        for path in paths:
            layer = layers[path]
            made = quantizer.layer(path, layer.get_parameter("weight").detach().numpy())
            bias = getattr(layer, "bias", None)
            if made.bias_o is not None:
                more = torch.from_numpy(made.bias_o)
                bias = more if bias is None else bias + more
            # An attribute of the instance hides the method of its class.
            weight = torch.from_numpy(made.weight())
            vars(layer)["forward"] = partial(_multiplied, quantizer, weight, bias)
        try:
            yield
        finally:
            for path in paths:
                vars(layers[path]).pop("forward", None)

    return lowering


def _multiplied(
    quantizer: Quantizer, weight_oi: Tensor, bias_o: Tensor | None, x: Tensor
) -> Tensor:
    import torch
    from torch.nn import functional

    rows = quantizer.rows(x.reshape(-1, x.shape[-1]).numpy())
    return functional.linear(torch.from_numpy(rows).reshape(x.shape), weight_oi, bias_o)
