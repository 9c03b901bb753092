"""The table of a graph's layers: in how many bits each is stored, and what its output loses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2lite.exporter.precision.fp16_storage import LEAST_BYTES

if TYPE_CHECKING:
    from torch import nn

FLOAT_BYTES, HALF_BYTES = 4, 2


@dataclass(frozen=True)
class LayerRow:
    """One layer of a graph, as it is stored.

    Attributes:
        weights: how many.
        bytes: of the file that they take, scales and all else that goes with them.
        error: of the layer's output, as a share of the output's power; None for a layer in float.
    """

    weights: int
    bytes: int
    error: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain data, for the manifest."""
        error = None if self.error is None else float(f"{self.error:.3g}")
        return {
            "bits": round(8 * self.bytes / self.weights, 2),
            "bytes": self.bytes,
            "error": error,
        }


def float_bytes(layer: nn.Module) -> int:
    """Return what a layer's weights take in a file with large tensors in FP16."""
    count = layer.get_parameter("weight").numel()
    return count * (FLOAT_BYTES if count * FLOAT_BYTES < LEAST_BYTES else HALF_BYTES)


def int8_bytes(layer: nn.Module) -> int:
    """Return what a layer's weights take as codes with a scale and a bias for each output."""
    weight = layer.get_parameter("weight")
    return int(weight.numel() + 2 * FLOAT_BYTES * weight.shape[0])
