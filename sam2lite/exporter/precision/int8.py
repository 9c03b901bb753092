"""INT8 graphs: ranges rendered for a target, with the layers that the plan keeps left in float."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from sam2lite.errors import CalibrationError
from sam2lite.exporter.onnx.compact import compact
from sam2lite.exporter.onnx.trace import OPSETS
from sam2lite.exporter.precision.fp16_storage import store_in_fp16
from sam2lite.exporter.precision.on_calls import below, sqnr_on_calls
from sam2lite.exporter.precision.scheme import Rendered
from sam2lite.exporter.precision.schemes import LayerChoice, Making
from sam2lite.exporter.quantization.linear_inputs import linear_inputs
from sam2lite.exporter.quantization.skips import without_skipped
from sam2lite.targets.profile import QdqStyle

if TYPE_CHECKING:
    import onnx

    from sam2lite.calibration.assignment import PrecisionAssignment
    from sam2lite.calibration.ranges import ActivationRanges
    from sam2lite.calibration.recorder import Recording
    from sam2lite.contracts.tensors import GraphSpec
    from sam2lite.exporter.quantization.smoothing import Smoother

LARGEST_CODE = 127
MAX_DROP = 1.0  # points of J&F, and of the first frame's J


class Int8:
    """A scheme for INT8.

    Attributes:
        plan: which layers compute in INT8.
    """

    def __init__(
        self,
        ranges: ActivationRanges,
        plan: PrecisionAssignment,
        style: QdqStyle,
        recording: Recording | None = None,
        smoother: Smoother | None = None,
    ) -> None:
        """Take ranges over.

        Args:
            ranges: of the network.
            plan: which layers compute in INT8.
            style: of the target.
            recording: of the network; with it, every graph's SQNR is measured.
            smoother: of inputs of linear layers; None leaves them.

        Raises:
            CalibrationError: the style asks for blocks, which Q/DQ of our opsets does not have.
        """
        if style.block_size is not None:
            raise CalibrationError(
                f"INT8 was asked for in blocks of {style.block_size} weights; QuantizeLinear has "
                f"blocks from opset 21 on, and graphs are written up to opset {OPSETS[-1]}"
            )
        self.plan = plan
        self._ranges, self._style, self._recording = ranges, style, recording
        self._smoother = smoother

    @property
    def calibration(self) -> dict[str, Any]:
        """See `PrecisionScheme`."""
        return {
            **dataclasses.asdict(self._ranges.provenance),
            "int8_layers": sorted(self.plan.lowered),
            "float_layers": dict(sorted(self.plan.kept.items())),
            "style": self._style.to_json(),
        }

    def render(self, model: onnx.ModelProto, spec: GraphSpec, rung: int) -> Rendered:
        """See `PrecisionScheme`."""
        from sam2lite.calibration.observers import OBSERVERS
        from sam2lite.calibration.qdq import layers_of, render

        graph = spec.name
        paths = below(graph, dict.fromkeys(self.plan.lowered))
        layers = layers_of(model, paths)
        if not layers:
            return Rendered(model, "fp32")
        spans, smoothings = dict(self._ranges.spans), {}
        if self._smoother is not None:
            whole = {node: f"{graph}.{path}" for node, path in layers.items()}
            smoothings = self._smoother.smooth(model, whole)
            observer = OBSERVERS.get(self._ranges.provenance.observer, OBSERVERS["mse"])
            spans.update(self._smoother.spans(smoothings, observer))
        rendered = render(model, layers, below(graph, spans), self._style)
        if self._style.codes_stored:  # else a compiler stores weights as it likes
            store_in_fp16(rendered)  # what is left: position tables, and layers kept in float
            compact(rendered)
        report: dict[str, Any] = {}
        if smoothings:
            report["smoothed"] = {path: one.alpha for path, one in sorted(smoothings.items())}
        if self._recording is not None:
            report["sqnr_db"] = sqnr_on_calls(self._recording, model, rendered, spec, rung)
        return Rendered(rendered, "int8", report)

    def scales(self, model: onnx.ModelProto, spec: GraphSpec) -> dict[str, float]:
        """Return the symmetric scale of every activation that the plan quantizes, by its name."""
        from sam2lite.calibration.qdq import layers_of, tensor_ranges

        paths = below(spec.name, dict.fromkeys(self.plan.lowered))
        spans = below(spec.name, self._ranges.spans)
        found = tensor_ranges(model, layers_of(model, paths), spans)
        return {name: max(-low, high) / LARGEST_CODE for name, (low, high) in found.items()}

    def kept_nodes(self, model: onnx.ModelProto, spec: GraphSpec) -> list[str]:
        """Return the nodes of the layers that the plan keeps in float."""
        from sam2lite.calibration.qdq import layers_of

        return list(layers_of(model, below(spec.name, dict.fromkeys(self.plan.kept))))


def all_layers(making: Making) -> PrecisionAssignment:
    """Return the assignment that puts every layer in INT8 that may be, and was seen at work.

    Raises:
        UnknownNameError: a pattern of `keep_float` matches no layer.
    """
    from sam2lite.calibration.assignment import first_assignment

    assert making.ranges is not None  # by what the scheme observes
    layers = making.loaded.quantizable_paths()
    plan = first_assignment(layers, making.ranges.spans, making.keep_float)
    return without_skipped(plan, making.loaded, making.quantization.skips)


def ranked_layers(making: Making, size: int) -> list[str]:
    """Return the layers by what each loses in INT8 alone, the most sensitive first."""
    from sam2lite.exporter.precision.sensitivity import layer_sqnr

    assert making.ranges is not None
    assert making.recording is not None
    spans = dict(making.ranges.spans)
    loaded = making.loaded
    layers = {path: [path] for path in loaded.quantizable_paths() if f"{path}:input" in spans}
    found = layer_sqnr(loaded, spans, layers, making.recording, size)
    return sorted(found, key=found.__getitem__)


def quantized(making: Making, *, measured: bool = True) -> Int8:
    """Return the scheme of the layers that were assigned, in the target's style.

    Args:
        making: with an assignment.
        measured: report every graph's SQNR.
    """
    assert making.ranges is not None
    assert making.assignment is not None
    recording = making.recording if measured else None
    return Int8(making.ranges, making.assignment, making.target.qdq, recording, _smoother(making))


def _smoother(making: Making) -> Smoother | None:
    if making.quantization.smooth is None:
        return None
    from sam2lite.calibration.four_bits.inputs import in_eight_bits, in_eight_bits_together
    from sam2lite.exporter.quantization.smoothing import Roundings, Smoother

    roundings = Roundings(lambda weight_oi: in_eight_bits(weight_oi, None), in_eight_bits_together)
    return Smoother(linear_inputs(making), making.quantization.smooth, lambda path: roundings)


def unmeasured(making: Making) -> Int8:
    """Return the same, for scoring it alone."""
    return quantized(making, measured=False)


INT8_LAYERS = LayerChoice(all_layers, ranked_layers)
