"""What each layer, and each graph, loses in INT8 while all the rest is in float.

INT8 is simulated in PyTorch: U8 activations, S8 weights by output channel.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.exporter.verify.parity import compare

if TYPE_CHECKING:
    from torch import Tensor

    from sam2lite.calibration.footage import CalibrationClip
    from sam2lite.calibration.observers import Range
    from sam2lite.calibration.recorder import Recording
    from sam2lite.models.sam2lite.network import Sam2Lite

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
    model: Sam2Lite,
    ranges: Mapping[str, Range],
    groups: Mapping[str, Collection[str]],
    recording: Recording,
    rung: int,
    report: Callable[[str], None] = lambda name: None,
) -> dict[str, float]:
    """Return the SQNR of a graph's worst output with some of its layers in INT8, dB.

    Args:
        model: the network, not fused.
        ranges: by `<path>:input`.
        groups: layers of one graph that are in INT8 together, by any name.
        recording: of the network.
        rung: input side whose calls are used, px.
        report: told every name when it is done.
    """
    import torch

    found = {}
    fused = model.fused()
    for spec in FAMILY.graphs:
        own = {
            name: paths
            for name, paths in groups.items()
            if all(path.startswith(f"{spec.name}.") for path in paths)
        }
        module = getattr(fused, spec.name)
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
    model: Sam2Lite,
    ranges: Mapping[str, Range],
    groups: Mapping[str, Collection[str]],
    clip: CalibrationClip,
    rung: int,
    report: Callable[[str], None] = lambda name: None,
) -> dict[str, float]:
    """Return the mean IoU of a clip's masks with some layers in INT8 and with none; see above."""
    fused = model.fused()
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
    model: Sam2Lite, ranges: Mapping[str, Range], paths: Collection[str]
) -> Iterator[None]:
    from sam2lite.training.quantization import SimulatedInt8

    simulation = SimulatedInt8(model)
    simulation.load_ranges({path: ranges[f"{path}:input"] for path in paths})
    with simulation:
        yield


def _masks(model: Sam2Lite, clip: CalibrationClip, rung: int) -> list[Tensor]:
    from sam2lite.calibration.following import follow

    return [
        (output.logits_hw > 0.0) & output.present
        for outputs in follow(model, clip, [rung])
        for output in outputs.values()
    ]


def _iou(a: Tensor, b: Tensor) -> float:
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0
