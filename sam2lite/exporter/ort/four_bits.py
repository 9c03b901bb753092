"""Precisions of four bits: linear layers on a grid, and what becomes of all else.

In `w4` that is stored in FP16 and computed with in FP32. In `w4a8`, convolutions are in INT8, as
they have no kernel for four bits, and so are linear layers that were given eight.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sam2lite.exporter.onnx.compact import compact
from sam2lite.exporter.ort.four_bit_layers import four_bit_paths, layer_choice, quantizer_of
from sam2lite.exporter.ort.matmul_nbits import FLOAT_ACTIVATIONS, INT8_ACTIVATIONS, pack
from sam2lite.exporter.precision.fp16_storage import Fp16Storage, store_in_fp16
from sam2lite.exporter.precision.layers.errors import int8_errors
from sam2lite.exporter.precision.layers.rows import LayerRow, float_bytes, int8_bytes
from sam2lite.exporter.precision.on_calls import below, sqnr_on_calls
from sam2lite.exporter.precision.scheme import Rendered
from sam2lite.exporter.precision.schemes import CALLS, RANGES, Making, Scheme

if TYPE_CHECKING:
    import onnx

    from sam2lite.calibration.four_bits.grid import Floats
    from sam2lite.calibration.four_bits.layer import FourBitLayer
    from sam2lite.calibration.four_bits.smoothing import Smoothing
    from sam2lite.contracts.tensors import GraphSpec
    from sam2lite.exporter.ort.matmul_nbits import PackedLayers

MAX_DROP = 1.5  # points of J&F, and of the first frame's J


class FourBits:
    """The scheme of `w4` and `w4a8`."""

    def __init__(self, making: Making, name: str, accuracy_level: int, measured: bool) -> None:
        """Take over what the loop was seen to do.

        Args:
            making: with a recording, an assignment of layers, and ranges where there are layers in
                eight bits.
            name: of the precision.
            accuracy_level: of MatMulNBits.
            measured: report every graph's SQNR, and what its layers lose.
        """
        assert making.assignment is not None
        self.plan = making.assignment
        self._making = making
        recording, self._provenance = making.footage
        self._how = making.quantization
        self._quantizer = quantizer_of(making, accuracy_level)
        self._recording = recording if measured else None
        self._name, self._accuracy_level = name, accuracy_level
        self._four = four_bit_paths(making, self.plan)
        self._fused = making.loaded.fused()
        self._layers = self._fused.quantized_layers()

    @property
    def calibration(self) -> dict[str, Any]:
        """See `PrecisionScheme`."""
        how = self._how.four_bits
        eight = sorted(self.plan.lowered - self._four)
        style = {"int8_layers": eight, "style": self._making.target.qdq.to_json()} if eight else {}
        return {
            **dataclasses.asdict(self._provenance),
            "method": "round" if how.gptq is None else "gptq",
            "group": how.grid.group,
            "block_size": how.grid.group,
            "quantization": dataclasses.asdict(how),
            "four_bit_layers": sorted(self._four),
            **style,
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
        four = {node: path for node, path in layers.items() if path in self._four}
        eight = {node: path for node, path in found.items() if node not in four}
        model = self._in_eight_bits(model, graph, eight, smoothings)
        made: dict[str, FourBitLayer] = {}

        def layer(path: str, weight_oi: Floats) -> FourBitLayer:
            scale = smoothings[path].scale_i if path in smoothings else None
            made[path] = self._quantizer.layer(path, weight_oi, scale)
            return made[path]

        packed = pack(model, four, layer, self._accuracy_level)
        if not packed.layers and not eight:
            return Fp16Storage().render(before, spec, size)
        store_in_fp16(model)
        compact(model)
        report: dict[str, Any] = {}
        if packed.layers:
            report["four_bits"] = self._said(packed, made)
        if smoothings:
            report["smoothed"] = {path: one.alpha for path, one in sorted(smoothings.items())}
        if self._recording is not None:
            rows = self._rows(graph, size, packed, made, set(eight.values()))
            report["layers"] = {path: row.to_json() for path, row in sorted(rows.items())}
            report["sqnr_db"] = sqnr_on_calls(self._recording, before, model, spec, size)
        return Rendered(model, self._name if packed.layers else "int8", report)

    def _in_eight_bits(
        self,
        model: onnx.ModelProto,
        graph: str,
        layers: Mapping[str, str],
        smoothings: Mapping[str, Smoothing],
    ) -> onnx.ModelProto:
        """Return the graph with some of its layers in INT8, their paths relative to the graph's."""
        if not layers:
            return model
        from sam2lite.calibration.observers import OBSERVERS
        from sam2lite.calibration.qdq import render

        ranges = self._making.ranges
        assert ranges is not None  # by what the scheme observes
        spans = dict(ranges.spans)
        if self._quantizer.smoother is not None:
            observer = OBSERVERS.get(ranges.provenance.observer, OBSERVERS["mse"])
            spans.update(self._quantizer.smoother.spans(smoothings, observer))
        return render(model, layers, below(graph, spans), self._making.target.qdq)

    def _rows(
        self,
        graph: str,
        size: int,
        packed: PackedLayers,
        made: Mapping[str, FourBitLayer],
        eight: set[str],
    ) -> dict[str, LayerRow]:
        """Return the table of the graph's layers, by path."""
        rows = {}
        for path, taken in packed.layers.items():
            weights = made[path].packed.codes_oi.size if path in made else 0
            if weights:  # else it is listed where its weight is first
                rows[path] = LayerRow(weights, taken, made[path].error)
        paths = [f"{graph}.{path}" for path in eight]
        if paths:
            assert self._recording is not None
            assert self._making.ranges is not None
            spans = {path: self._making.ranges.spans[f"{path}:input"] for path in paths}
            errors = int8_errors(self._fused, graph, spans, self._recording, size)
            for path in paths:
                layer = self._layers[path]
                count = layer.get_parameter("weight").numel()
                rows[path] = LayerRow(count, int8_bytes(layer), errors[path])
        for path in self.plan.kept:
            if path.startswith(f"{graph}."):
                layer = self._layers[path]
                rows[path] = LayerRow(
                    layer.get_parameter("weight").numel(), float_bytes(layer), None
                )
        return rows

    def _said(self, packed: PackedLayers, made: Mapping[str, FourBitLayer]) -> dict[str, Any]:
        said: dict[str, Any] = {
            "layers": len(packed.layers),
            "weights": packed.weights,
            "bytes": packed.bytes,
            "bits_a_weight": round(packed.bits_a_weight, 3),
        }
        rounded = sorted(path for path, one in made.items() if one.fell_back)
        few = sorted(path for path in made if self._quantizer.inputs[path].are_few)
        branches = sum(one.branch is not None for one in made.values())
        more = {"rounded_layers": rounded, "few_rows": few, "branches": branches}
        return {**said, **{name: value for name, value in more.items() if value}}


def _scheme(name: str, accuracy_level: int, observes: str) -> Scheme:
    def made(making: Making) -> FourBits:
        return FourBits(making, name, accuracy_level, measured=True)

    def tried(making: Making) -> FourBits:
        return FourBits(making, name, accuracy_level, measured=False)

    layers = layer_choice(accuracy_level)
    return Scheme(name, made, observes, tried, layers=layers, max_drop=MAX_DROP, takes_quant=True)


FOUR_BITS = (
    _scheme("w4", FLOAT_ACTIVATIONS, CALLS),
    _scheme("w4a8", INT8_ACTIVATIONS, RANGES),
)
