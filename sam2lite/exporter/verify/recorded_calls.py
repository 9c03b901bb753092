"""What a graph was fed while the float loop tracked, as the graph takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.errors import CalibrationError
from sam2lite.exporter.onnx.trace import example_inputs, feeds_of

if TYPE_CHECKING:
    from sam2lite.calibration.recorder import Recording
    from sam2lite.contracts.tensors import GraphSpec
    from sam2lite.exporter.verify.selection import Arrays


def recorded_calls(recording: Recording, spec: GraphSpec, rung: int, most: int) -> list[Arrays]:
    """Return the inputs of about `most` calls of a graph at one rung, spread over all of them.

    A graph that no frame at the rung needed, as one for masks that users draw where none was drawn,
    is fed the values that its inputs take.

    Raises:
        CalibrationError: nothing was recorded at the rung.
    """
    calls = recording.sample(spec.name, rung, most)
    if not calls and not recording.sample(recording.family.image_encoder.name, rung, 1):
        raise CalibrationError(
            f"no call of {spec.key(rung)} was recorded, so its ranges are unknown; "
            f"record at {rung} px, over more frames"
        )
    return [feeds_of(spec, tensors) for tensors in calls or [example_inputs(spec)]]
