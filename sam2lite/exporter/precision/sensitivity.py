"""What each layer, and each graph, loses in INT8 while all the rest is in float.

INT8 is simulated in PyTorch: U8 activations, S8 weights by output channel.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sam2lite.exporter.verify.parity import compare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sam2lite.calibration.footage import CalibrationClip
    from sam2lite.calibration.observers import Range
    from sam2lite.calibration.recorder import Recording
    from sam2lite.models.loaded import LoadedModel

MOST_CALLS = 6  # of a graph, spread over those recorded at the rung


@dataclass(frozen=True)
class Sensitivity:
    """A layer, or all layers of a graph, in INT8 alone.

    Attributes:
        name: path of the layer, or name of the graph.
        sqnr_db: of the graph's worst output.
        clip_iou: mean IoU with the float loop's masks over a clip; None where it was not measured.
    """

    name: str
    sqnr_db: float
    clip_iou: float | None = None


def layer_sqnr(
    loaded: LoadedModel,
    ranges: Mapping[str, Range],
    groups: Mapping[str, Collection[str]],
    recording: Recording,
    rung: int,
    report: Callable[[str], None] = lambda name: None,
) -> dict[str, float]:
    """Return the SQNR of a graph's worst output with some of its layers in INT8, dB.

    Args:
        loaded: the network, not fused.
        ranges: by `<path>:input`.
        groups: layers of one graph that are in INT8 together, by any name.
        recording: of the network.
        rung: input side whose calls are used, px.
        report: told every name when it is done.
    """
    import torch

    found = {}
    fused = loaded.fused()
    for spec in loaded.family.graphs:
        own = {
            name: paths
            for name, paths in groups.items()
            if all(path.startswith(f"{spec.name}.") for path in paths)
        }
        module = fused.module(spec.name)
        calls = recording.sample(spec.name, rung, MOST_CALLS) if own else []
        with torch.no_grad():
            expected = [module(*inputs) for inputs in calls]
            for name, paths in own.items():
                with _in_int8(fused, ranges, paths):
                    actual = [module(*inputs) for inputs in calls]
                found[name] = min(
                    compare(a.numpy(), e.numpy()).sqnr_db
                    for pair in zip(actual, expected, strict=True)
                    for a, e in zip(*pair, strict=True)
                )
                report(name)
    return found


def clip_iou(
    loaded: LoadedModel,
    ranges: Mapping[str, Range],
    groups: Mapping[str, Collection[str]],
    clip: CalibrationClip,
    rung: int,
    report: Callable[[str], None] = lambda name: None,
) -> dict[str, float]:
    """Return the mean IoU of a clip's masks with some layers in INT8 and with none; see above."""
    fused = loaded.fused()
    expected = _masks(fused, clip, rung)
    found = {}
    for name, paths in groups.items():
        with _in_int8(fused, ranges, paths):
            actual = _masks(fused, clip, rung)
        found[name] = float(np.mean([_iou(a, e) for a, e in zip(actual, expected, strict=True)]))
        report(name)
    return found


@contextmanager
def _in_int8(
    fused: LoadedModel, ranges: Mapping[str, Range], paths: Collection[str]
) -> Iterator[None]:
    from sam2lite.training.quantization import SimulatedInt8

    simulation = SimulatedInt8(fused.quantized_layers())
    simulation.load_ranges({path: ranges[f"{path}:input"] for path in paths})
    with simulation:
        yield


def _masks(fused: LoadedModel, clip: CalibrationClip, rung: int) -> list[NDArray[np.bool_]]:
    from sam2lite.calibration.following import follow

    return [
        (result.logits > 0.0) & result.visible
        for results in follow(fused, clip, [rung])
        for result in results.values()
    ]


def _iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0
