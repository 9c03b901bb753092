"""What an export will take, before it is begun: rules of thumb, from exports that were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sam2lite.exporter.backends import ExportRequest

# Bytes that a weight takes on disk; those of precisions that are not known here are float.
_WEIGHT_BYTES = {
    "fp32": 4.0,
    "fp16": 2.0,
    "int8": 1.0,
    "w8a8": 1.0,
    "int4": 0.6,  # with the scales of its blocks
    "w4": 0.58,
    "w4a8": 0.58,
    "palette6": 0.75,
    "palette4": 0.5,
}
_GRAPH_MB = 0.18  # of nodes and manifest
# On two cores, Tiny at six sizes took 14 s in FP32 and 33 s in INT8, SAM 2.1 hiera-tiny 64 s at
# 512 px and 439 s at 1024 px.
_SECONDS_A_MILLION = 1.3  # of weights, at `_SIDE_PX`
_SIDE_PX = 512
_POWER = 2.5  # of the side: convolutions go with the area, attention to memory with its square
_OBSERVED = 2.4  # times as long where layers are calibrated and scored
# A network of 910 MB took 5.9 GB.
_PROCESS_MB = 900.0
_COPIES = 5.5  # of the weights in FP32


class Estimate(NamedTuple):
    """What an export will take, within a factor of two or three for the time.

    Attributes:
        seconds: on two cores.
        megabytes: on the disk.
        memory_mb: of the process that exports.
    """

    seconds: float
    megabytes: float
    memory_mb: float


def estimate(request: ExportRequest, graphs: int, *, observes: bool) -> Estimate:
    """Return what an export will take.

    Args:
        request: the export.
        graphs: that it writes.
        observes: whether its precision is calibrated on a running loop.
    """
    millions = request.loaded.parameters["total"] / 1e6
    style, coreml = request.target.qdq, request.target.coreml
    a_weight = _WEIGHT_BYTES.get(request.precision, 4.0)
    if request.precision == "int8" and not style.codes_stored:
        a_weight = _WEIGHT_BYTES["fp32"]
    copies = len(request.sizes) if coreml is not None and not coreml.multifunction else 1
    seconds = sum((size / _SIDE_PX) ** _POWER for size in request.sizes)
    seconds *= millions * _SECONDS_A_MILLION * (_OBSERVED if observes else 1.0)
    return Estimate(
        seconds=round(5.0 + seconds),
        megabytes=round(millions * a_weight * copies + _GRAPH_MB * graphs, 1),
        memory_mb=round(_PROCESS_MB + _COPIES * 4.0 * millions),
    )
