"""What the expected box says of masks and of memories."""

from typing import Optional, Tuple

import numpy as np

from sam2lite.runtimes.rules import box_motion
from sam2lite.runtimes.rules.box_motion import BoxTrack
from sam2lite.runtimes.rules.interface import Chosen
from sam2lite.runtimes.rules.sam2.candidates import Candidates, Choice

_MEMORABLE_IOU = 0.5  # predicted; memory is sought on frames above it


def by_motion(candidates: Candidates, choice: Choice, expected: BoxTrack) -> Choice:
    """Choose among the masks of a tracked frame by predicted IoU and expected box.

    Args:
        candidates: of the decoder.
        choice: by IoU alone; stays where motion has no say yet, or no mask meets the box.
        expected: on this frame.
    """
    if not expected.trusted:
        return choice
    boxes = [box_motion.box_of(mask_hw) for mask_hw in candidates.masks_mhw[1:]]
    overlaps = [box_motion.overlap(box, expected.place) for box in boxes]
    best = 1 + int(np.argmax(box_motion.weighed(candidates.iou_m[1:], overlaps)))
    return Choice(best, best)


def motion_after(
    expected: Optional[BoxTrack], chosen: Chosen, prompted: bool
) -> Tuple[Optional[BoxTrack], bool]:
    """Return what is known of the box after a frame, and whether to seek memory there.

    Args:
        expected: on this frame; None where nothing is known.
        chosen: on this frame.
        prompted: whether a user said where the object is.
    """
    box = box_motion.box_of(chosen.logits) if chosen.present else None
    if prompted or expected is None:
        return (expected if box is None else box_motion.started(box)), prompted or box is not None
    overlap = box_motion.overlap(box, expected.place)
    good = box is not None and chosen.iou > _MEMORABLE_IOU
    if expected.trusted:
        good = good and overlap > 0.0
    if box is None or chosen.iou < box_motion.GOOD_IOU:
        return expected.missed(), good
    return expected.met(box), good
