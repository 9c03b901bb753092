"""What the expected box says in the reference loop; the filter itself is that of runtimes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sam2lite.models.sam2.reference.memory import ObjectOutput
from sam2lite.runtimes.rules import box_motion
from sam2lite.runtimes.rules.box_motion import BoxTrack

_MEMORABLE_IOU = 0.5  # predicted; memory is sought on frames above it


@dataclass(frozen=True)
class Motion:
    """An object's box on a frame and after it.

    Attributes:
        expected: on the frame; None where nothing is known.
        after: what is known once the frame was decided and stored; None where nothing is.
        decided: whether it was.
    """

    expected: BoxTrack | None = None
    after: BoxTrack | None = None
    decided: bool = False

    def left(self) -> Motion:
        """Return it when the frame is left; a frame that was lost says nothing."""
        return Motion(self.after if self.decided else self.expected)

    def ahead(self) -> Motion:
        """Return what is expected a frame later."""
        return Motion(None if self.expected is None else self.expected.ahead(1))

    def seen(self, output: ObjectOutput, prompted: bool) -> tuple[Motion, bool]:
        """Return it with what the frame gave, and whether memory is to be sought there.

        Args:
            output: on the frame.
            prompted: whether a user said where the object is.
        """
        if output.lost:
            return Motion(self.expected), False
        box = box_motion.box_of(output.logits_hw.numpy()) if output.present else None
        iou = float(output.iou)
        after = box_motion.after(self.expected, box, iou, prompted)
        good = prompted or box is not None
        if not prompted and self.expected is not None:
            good = good and iou > _MEMORABLE_IOU
            if self.expected.trusted:
                good = good and box_motion.overlap(box, self.expected.place) > 0.0
        return Motion(self.expected, after, True), good

    def scores(self, iou_m: Tensor, logits_mhw: Tensor) -> Tensor:
        """Return how good candidates of a tracked frame are: their predicted IoU, and the box."""
        if self.expected is None or not self.expected.trusted:
            return iou_m
        scores = box_motion.by_motion(iou_m.numpy(), logits_mhw.numpy(), self.expected)
        return torch.from_numpy(scores)
