"""Precisions of four bits: linear layers by GPTQ, all other weights stored in FP16."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.exporter.onnx.compact import compact
from sam2lite.exporter.ort.matmul_nbits import FLOAT_ACTIVATIONS, INT8_ACTIVATIONS, pack
from sam2lite.exporter.precision.fp16_storage import Fp16Storage, store_in_fp16
from sam2lite.exporter.precision.on_calls import below, sqnr_on_calls
from sam2lite.exporter.precision.scheme import Rendered
from sam2lite.exporter.precision.schemes import CALLS, LayerChoice, Making, Scheme
from sam2lite.runtimes.cache import cache_dir

if TYPE_CHECKING:
    import onnx

    from sam2lite.calibration.assignment import PrecisionAssignment
    from sam2lite.calibration.four_bits.grid import Floats, Packed
    from sam2lite.calibration.four_bits.hessians import Hessians
    from sam2lite.calibration.recorder import Recording
    from sam2lite.contracts.tensors import GraphSpec
    from sam2lite.models.loaded import LoadedModel

GROUP = 32  # weights that share a scale
MAX_DROP = 1.5  # points of J&F, and of the first frame's J
_last: tuple[tuple[str, str], Quantizer] | None = None  # of one export, which asks many times
LEAST_WEIGHTS = 2048  # of a layer; scales and a fourth input cost smaller ones more than they save


class Quantizer:
    """Puts a network's linear layers on a grid, each once.

    Attributes:
        hessians: of its layers, by path.
    """

    def __init__(self, found: Hessians) -> None:
        """Take what is known of the layers' inputs.

        Args:
            found: means of `x x^T` by path.
        """
        self.hessians = found
        self._done: dict[tuple[str, bytes], Packed] = {}

    def packed(self, path: str, weight_oi: Floats) -> Packed:
        """Return a layer's weight on the grid; asked again, the same."""
        from sam2lite.calibration.four_bits.gptq import gptq
        from sam2lite.calibration.four_bits.grid import Grid, searched_steps

        key = path, hashlib.sha256(weight_oi.tobytes()).digest()
        if key not in self._done:
            steps = searched_steps(weight_oi, Grid(GROUP))
            self._done[key] = gptq(weight_oi, self.hessians[path], steps)
        return self._done[key]

    def error(self, path: str, weight_oi: Floats) -> float:
        """Return what a layer's output loses, as a share of its power."""
        from sam2lite.calibration.four_bits.gptq import output_error

        packed = self.packed(path, weight_oi)
        return output_error(weight_oi, packed.weight(), self.hessians[path])


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
        self._quantizer = quantizer(making.loaded, recording)
        self._recording = recording if measured else None
        self._name, self._accuracy_level = name, accuracy_level

    @property
    def calibration(self) -> dict[str, Any]:
        """See `PrecisionScheme`."""
        return {
            **dataclasses.asdict(self._provenance),
            "method": "gptq",
            "group": GROUP,
            "four_bit_layers": sorted(self.plan.lowered),
            "float_layers": dict(sorted(self.plan.kept.items())),
        }

    def render(self, model: onnx.ModelProto, spec: GraphSpec, size: int) -> Rendered:
        """See `PrecisionScheme`."""
        from sam2lite.calibration.qdq import layers_of

        before = type(model)()
        before.CopyFrom(model)
        graph = spec.name
        layers = layers_of(model, below(graph, dict.fromkeys(self.plan.lowered)))
        found = pack(
            model,
            layers,
            lambda path, weight: self._quantizer.packed(f"{graph}.{path}", weight),
            self._accuracy_level,
        )
        if not found.layers:
            return Fp16Storage().render(before, spec, size)
        store_in_fp16(model)
        compact(model)
        report: dict[str, Any] = {
            "four_bits": {
                "layers": len(found.layers),
                "weights": found.weights,
                "bytes": found.bytes,
                "bits_a_weight": round(found.bits_a_weight, 3),
            }
        }
        if self._recording is not None:
            report["sqnr_db"] = sqnr_on_calls(self._recording, before, model, spec, size)
        return Rendered(model, self._name, report)


def quantizer(loaded: LoadedModel, recording: Recording) -> Quantizer:
    """Return what puts a network's layers on the grid, the same for the same recording."""
    from sam2lite.calibration.four_bits.hessians import hessians

    global _last
    key = loaded.sha256, str(recording.folder)
    if _last is None or _last[0] != key:
        cache = Path(cache_dir()) / "hessians"
        found = hessians(loaded, recording, linear_layers(loaded), cache)
        _last = key, Quantizer(found)
    return _last[1]


def linear_layers(loaded: LoadedModel) -> dict[str, Floats]:
    """Return the weights of the linear layers that are worth packing, `[out, in]`, by path."""
    from torch import nn

    return {
        path: layer.weight.detach().numpy()
        for path, layer in loaded.fused().quantized_layers().items()
        if isinstance(layer, nn.Linear) and layer.weight.numel() >= LEAST_WEIGHTS
    }


def all_layers(making: Making) -> PrecisionAssignment:
    """Return the assignment that puts every linear layer in four bits that was seen at work.

    Raises:
        UnknownNameError: a pattern of `keep_float` matches no layer.
    """
    from sam2lite.calibration.assignment import PrecisionAssignment, kept_by_user

    seen = quantizer(making.loaded, making.footage[0]).hessians
    layers = linear_layers(making.loaded)
    plan = PrecisionAssignment(frozenset(layers), {})
    unseen = [path for path in layers if path not in seen or not seen[path].any()]
    plan = plan.without(unseen, "nothing but zeros reached it while calibrating")
    return kept_by_user(plan, layers, making.keep_float)


def ranked_layers(making: Making, size: int) -> list[str]:
    """Return the layers by what each one's output loses, the most sensitive first."""
    found = quantizer(making.loaded, making.footage[0])
    layers = linear_layers(making.loaded)
    lost = {path: found.error(path, layers[path]) for path in layers if path in found.hessians}
    return sorted(lost, key=lost.__getitem__, reverse=True)


def _scheme(name: str, accuracy_level: int) -> Scheme:
    def made(making: Making) -> FourBits:
        return FourBits(making, name, accuracy_level, measured=True)

    def tried(making: Making) -> FourBits:
        return FourBits(making, name, accuracy_level, measured=False)

    layers = LayerChoice(all_layers, ranked_layers)
    return Scheme(name, made, CALLS, tried, layers=layers, max_drop=MAX_DROP, block_size=GROUP)


FOUR_BITS = (_scheme("w4", FLOAT_ACTIVATIONS), _scheme("w4a8", INT8_ACTIVATIONS))
