"""Precisions of four bits: linear layers on a grid, all other weights stored in FP16."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from sam2lite.exporter.onnx.compact import compact
from sam2lite.exporter.ort.matmul_nbits import (
    FLOAT_ACTIVATIONS,
    INT8_ACTIVATIONS,
    PackedLayers,
    pack,
)
from sam2lite.exporter.precision.fp16_storage import Fp16Storage, store_in_fp16
from sam2lite.exporter.precision.on_calls import below, sqnr_on_calls
from sam2lite.exporter.precision.scheme import Rendered
from sam2lite.exporter.precision.schemes import CALLS, LayerChoice, Making, Scheme
from sam2lite.exporter.quantization.linear_inputs import linear_inputs, linear_layers
from sam2lite.exporter.quantization.skips import without_skipped

if TYPE_CHECKING:
    import onnx

    from sam2lite.calibration.assignment import PrecisionAssignment
    from sam2lite.calibration.four_bits.grid import Floats
    from sam2lite.calibration.four_bits.layer import FourBitLayer
    from sam2lite.contracts.tensors import GraphSpec
    from sam2lite.exporter.ort.quantizer import Quantizer

MAX_DROP = 1.5  # points of J&F, and of the first frame's J
_last: tuple[Any, Quantizer] | None = None  # of one export, which asks many times


class FourBits:
    """The scheme of `w4` and `w4a8`."""

    def __init__(self, making: Making, name: str, accuracy_level: int, measured: bool) -> None:
        """Take over what the loop was seen to do.

        Args:
            making: with a recording, and with an assignment of layers.
            name: of the precision.
            accuracy_level: of MatMulNBits.
            measured: report every graph's SQNR.
        """
        assert making.assignment is not None
        self.plan = making.assignment
        recording, self._provenance = making.footage
        self._how = making.quantization
        self._quantizer = _quantizer(making, accuracy_level)
        self._recording = recording if measured else None
        self._name, self._accuracy_level = name, accuracy_level

    @property
    def calibration(self) -> dict[str, Any]:
        """See `PrecisionScheme`."""
        how = self._how.four_bits
        return {
            **dataclasses.asdict(self._provenance),
            "method": "round" if how.gptq is None else "gptq",
            "group": how.grid.group,
            "block_size": how.grid.group,
            "quantization": dataclasses.asdict(how),
            "four_bit_layers": sorted(self.plan.lowered),
            "float_layers": dict(sorted(self.plan.kept.items())),
        }

    def render(self, model: onnx.ModelProto, spec: GraphSpec, size: int) -> Rendered:
        """See `PrecisionScheme`."""
        from sam2lite.calibration.qdq import layers_of

        before = type(model)()
        before.CopyFrom(model)
        graph = spec.name
        found = layers_of(model, below(graph, dict.fromkeys(self.plan.lowered)))
        layers = {node: f"{graph}.{path}" for node, path in found.items()}
        smoother = self._quantizer.smoother
        smoothings = {} if smoother is None else smoother.smooth(model, layers)
        made: dict[str, FourBitLayer] = {}

        def layer(path: str, weight_oi: Floats) -> FourBitLayer:
            scale = smoothings[path].scale_i if path in smoothings else None
            made[path] = self._quantizer.layer(path, weight_oi, scale)
            return made[path]

        packed = pack(model, layers, layer, self._accuracy_level)
        if not packed.layers:
            return Fp16Storage().render(before, spec, size)
        store_in_fp16(model)
        compact(model)
        report = {"four_bits": self._said(packed, made)}
        if smoothings:
            report["smoothed"] = {path: one.alpha for path, one in sorted(smoothings.items())}
        if self._recording is not None:
            report["sqnr_db"] = sqnr_on_calls(self._recording, before, model, spec, size)
        return Rendered(model, self._name, report)

    def _said(self, packed: PackedLayers, made: dict[str, FourBitLayer]) -> dict[str, Any]:
        said: dict[str, Any] = {
            "layers": len(packed.layers),
            "weights": packed.weights,
            "bytes": packed.bytes,
            "bits_a_weight": round(packed.bits_a_weight, 3),
            "output_error": {path: float(f"{one.error:.3g}") for path, one in sorted(made.items())},
        }
        rounded = sorted(path for path, one in made.items() if one.fell_back)
        few = sorted(path for path in made if self._quantizer.inputs[path].are_few)
        branches = sum(one.branch is not None for one in made.values())
        more = {"rounded_layers": rounded, "few_rows": few, "branches": branches}
        return {**said, **{name: value for name, value in more.items() if value}}


def _quantizer(making: Making, accuracy_level: int) -> Quantizer:
    """Return what puts a network's layers on the grid, the same for the same recording."""
    from sam2lite.exporter.ort.quantizer import Quantizer

    global _last
    inputs = linear_inputs(making)
    key = id(inputs), making.quantization, accuracy_level
    if _last is None or _last[0] != key:
        _last = key, Quantizer(inputs, making.quantization, accuracy_level == INT8_ACTIVATIONS)
    return _last[1]


def all_layers(making: Making) -> PrecisionAssignment:
    """Return the assignment that puts every linear layer in four bits that was seen at work.

    Raises:
        UnknownNameError: a pattern of `keep_float` matches no layer.
    """
    from sam2lite.calibration.assignment import PrecisionAssignment, kept_by_user

    seen = linear_inputs(making)
    layers = linear_layers(making.loaded)
    plan = PrecisionAssignment(frozenset(layers), {})
    unseen = [path for path in layers if path not in seen or seen[path].are_nothing]
    plan = plan.without(unseen, "nothing but zeros reached it while calibrating")
    plan = without_skipped(plan, making.loaded, making.quantization.skips)
    return kept_by_user(plan, layers, making.keep_float)


def _scheme(name: str, accuracy_level: int) -> Scheme:
    def made(making: Making) -> FourBits:
        return FourBits(making, name, accuracy_level, measured=True)

    def tried(making: Making) -> FourBits:
        return FourBits(making, name, accuracy_level, measured=False)

    def ranked(making: Making, size: int) -> list[str]:
        quantizer, layers = _quantizer(making, accuracy_level), linear_layers(making.loaded)
        lost = {path: quantizer.layer(path, layers[path]).error for path in quantizer.inputs}
        return sorted(lost, key=lost.__getitem__, reverse=True)

    layers = LayerChoice(all_layers, ranked)
    return Scheme(name, made, CALLS, tried, layers=layers, max_drop=MAX_DROP, takes_quant=True)


FOUR_BITS = (_scheme("w4", FLOAT_ACTIVATIONS), _scheme("w4a8", INT8_ACTIVATIONS))
