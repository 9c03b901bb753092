"""What is remembered of an object on one frame."""

from typing import NamedTuple, Optional

import numpy as np


class FrameRecord(NamedTuple):
    """One frame of one object.

    Attributes:
        serial: different for every record of an object.
        frame: its index.
        conditioning: whether the frame was prompted and is seen for good.
        initial: whether it was decided without memory.
        settled: whether `track` has returned the frame since.
        good: whether memory is to be sought here when motion says which frames are trusted.
        memory_nc: float32 [tokens, 64]; None where only the pointer is still needed.
        pointer_c: float32 [256].
        logits_hw: float32 [h, w], what was shown, where the frame was prompted; else None.
        iou: of what was shown.
        score: logit of presence.
    """

    serial: int
    frame: int
    conditioning: bool
    initial: bool
    settled: bool
    good: bool
    memory_nc: Optional[np.ndarray]
    pointer_c: np.ndarray
    logits_hw: Optional[np.ndarray]
    iou: float
    score: float
