"""Bundles in FP32 that studies run: with ONNX Runtime's own operators, and without."""

from __future__ import annotations

from pathlib import Path

from sam2lite.exporter.backends import exporter_of
from sam2lite.exporter.bundle.writer import write_trial_bundle
from sam2lite.exporter.precision.scheme import Float32
from sam2lite.models.loaded import LoadedModel
from sam2lite.targets.registry import host_target

# The passes that they are made without: other runtimes know standard operators alone.
IN_FP32: dict[str, tuple[str, ...]] = {
    "fp32": (),
    "standard": tuple(step.name for step in exporter_of("ort").closing_passes()),
}


def write_in_fp32(kind: str, loaded: LoadedModel, size: int, folder: Path) -> None:
    """Write one for this machine into a new folder.

    Args:
        kind: of `IN_FP32`.
        loaded: the network.
        size: of its input, px.
        folder: is made.
    """
    write_trial_bundle(loaded, host_target(), size, Float32(), folder, IN_FP32[kind])
