"""What a scheme needs before it can be made: transformed weights, recorded calls, ranges."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sam2lite.exporter.footage import calibrated, recorded
from sam2lite.exporter.precision.schemes import (
    CALLS,
    NOTHING,
    RANGES,
    Making,
    Scheme,
    WeightTransform,
)

if TYPE_CHECKING:
    from sam2lite.calibration.recorder import Recording
    from sam2lite.exporter.backends import ExportRequest
    from sam2lite.models.loaded import LoadedModel


def observed(request: ExportRequest, scheme: Scheme) -> Making:
    """Return what a scheme is made from, in the order: record, transform weights, observe.

    Transforms see calls of the network as it was; ranges are those of the network they leave.

    Raises:
        CalibrationError, VideoError, ArgumentError: as for `calibration.calibrate`.
    """
    transforms: tuple[dict[str, Any], ...] = ()
    if scheme.transforms:
        before = None if scheme.observes == NOTHING else recorded(request)[0]
        loaded, transforms = transformed(request.loaded, scheme.transforms, before)
        request = dataclasses.replace(request, loaded=loaded)
    making = Making(
        request.loaded,
        request.target,
        keep_float=tuple(request.recipe.keep_float),
        transforms=transforms,
        quantization=request.recipe.quantization,
        progress=request.progress,
    )
    if scheme.observes == CALLS:
        recording, provenance = recorded(request)
        return dataclasses.replace(making, recording=recording, provenance=provenance)
    if scheme.observes == RANGES:
        found = calibrated(request)
        return dataclasses.replace(
            making,
            recording=found.recording,
            provenance=found.ranges.provenance,
            ranges=found.ranges,
        )
    return making


def transformed(
    loaded: LoadedModel, transforms: Sequence[WeightTransform], recording: Recording | None
) -> tuple[LoadedModel, tuple[dict[str, Any], ...]]:
    """Apply transforms in order; return the network and what the manifest says of each.

    The network's hash is that of its new weights, so that nothing recorded of the old ones is taken
    for its own.
    """
    from sam2lite.models.checkpoint import state_sha256

    said = []
    for transform in transforms:
        before = loaded.sha256
        loaded, provenance = transform.apply(loaded, recording)
        digest = state_sha256(loaded.model.state_dict())
        loaded = dataclasses.replace(loaded, sha256=digest)
        said.append({"name": transform.name, "checkpoint_sha256": before, **provenance})
    return loaded, tuple(said)
