"""What an export takes of a network's time."""

from typing import NamedTuple


class Effort(NamedTuple):
    """How much of a network is run while it is exported; less where a frame takes seconds.

    Attributes:
        parity_frames: that loops are compared over: an object hides and returns, one is corrected,
            and so on.
        calibration_frames: that ranges are taken from, unless the user says how many.
        scored_clips: that tell what a lower precision costs.
    """

    parity_frames: int = 24
    calibration_frames: int = 64
    scored_clips: int = 8
