"""Checkpoints of EfficientTAM, as they are published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from sam2lite.models.efficienttam.config import EfficientTamConfig
from sam2lite.models.efficienttam.network import EfficientTam
from sam2lite.models.efficienttam.reading.trunk_shapes import trunk_of
from sam2lite.models.efficienttam.reading.variant import chosen_variant
from sam2lite.models.found import Found
from sam2lite.models.sam2.reading.checkpoint import NO_WEIGHTS, Checkpoint, Reader, read


def read_checkpoint(path: Path, variant: str | None) -> Checkpoint:
    """Read a file of weights, or a folder with one.

    Args:
        path: see `models.sam2.reading.checkpoint.read`.
        variant: that it is said to be of.

    Raises:
        ArgumentError: the variant is missing, or is none that the weights can be of.
        ModelError: see `read`.
        DependencyError: safetensors is not installed.
    """

    def told(found: Found, claims: Mapping[str, Tensor]) -> EfficientTamConfig:
        return chosen_variant(trunk_of(claims, found.path), variant, found.path)

    return read(path, Reader(_weights, told, EfficientTam, lambda config: "EfficientTAM"))


def _weights(stored: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in stored.items() if not NO_WEIGHTS.match(name)}
