"""What each layer loses in INT8, alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import torch

from sam2lite.calibration.observers import Range
from sam2lite.calibration.recorder import Recording
from sam2lite.contracts.graphs import GRAPHS
from sam2lite.exporter.parity import compare
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.training.quantization import SimulatedInt8

MOST_CALLS = 3  # of a graph, spread over those recorded at the rung


def layer_sqnr(
    model: Sam2Lite,
    ranges: dict[str, Range],
    layers: Collection[str],
    recording: Recording,
    rung: int,
    report: Callable[[str], None] = lambda layer: None,
) -> dict[str, float]:
    """Return the SQNR of a graph's worst output with one of its layers in INT8, by layer, dB.

    INT8 is simulated in PyTorch: U8 activations, S8 weights by output channel.

    Args:
        model: the network, not fused.
        ranges: by `<path>:input`.
        layers: paths of the layers.
        recording: of the network.
        rung: input side whose calls are used, px.
        report: told the name of each layer when it is done.
    """
    found = {}
    fused = model.fused()
    for spec in GRAPHS:
        own = sorted(path for path in layers if path.startswith(f"{spec.name}."))
        module = getattr(fused, spec.name)
        calls = [inputs for _, inputs in recording.calls(spec.name, rung)] if own else []
        calls = calls[:: max(1, len(calls) // MOST_CALLS)]
        with torch.no_grad():
            expected = [module(*inputs) for inputs in calls]
            for path in own:
                simulation = SimulatedInt8(fused)
                simulation.load_ranges({path: ranges[f"{path}:input"]})
                with simulation:
                    actual = [module(*inputs) for inputs in calls]
                found[path] = min(
                    _sqnr(a, e)
                    for pair in zip(actual, expected, strict=True)
                    for a, e in zip(*pair, strict=True)
                )
                report(path)
    return found


def _sqnr(actual: torch.Tensor, expected: torch.Tensor) -> float:
    ratio = compare(actual.numpy(), expected.numpy()).sqnr_db
    return ratio if not math.isnan(ratio) else -math.inf
