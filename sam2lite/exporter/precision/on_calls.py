"""How far a graph in a lower precision is from the one in float, on recorded calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from sam2lite.exporter.onnx.trace import feeds_of
from sam2lite.exporter.verify.parity import compare, run_onnx

if TYPE_CHECKING:
    import onnx

    from sam2lite.calibration.recorder import Recording
    from sam2lite.contracts.tensors import GraphSpec

T = TypeVar("T")

MOST_CALLS = 4  # spread over those recorded at the graph's size


def sqnr_on_calls(
    recording: Recording,
    model: onnx.ModelProto,
    rendered: onnx.ModelProto,
    spec: GraphSpec,
    size: int,
) -> dict[str, float]:
    """Return the least SQNR of each output over a few calls, dB.

    Args:
        recording: of the network.
        model: the graph in float.
        rendered: the same in its precision.
        spec: its bound spec.
        size: of the input, px.
    """
    ratios: dict[str, list[float]] = {}
    for tensors in recording.sample(spec.name, size, MOST_CALLS):
        feeds = feeds_of(spec, tensors)
        expected, actual = run_onnx(model, feeds), run_onnx(rendered, feeds)
        for name in expected:
            statistics = compare(actual[name], expected[name]).to_json()
            if statistics["sqnr_db"] is not None:
                ratios.setdefault(name, []).append(statistics["sqnr_db"])
    return {name: round(min(found), 2) for name, found in ratios.items()}


def below(graph: str, items: Mapping[str, T]) -> dict[str, T]:
    """Return what is of one graph, its paths relative to the graph's module."""
    prefix = f"{graph}."
    return {k.removeprefix(prefix): x for k, x in items.items() if k.startswith(prefix)}
