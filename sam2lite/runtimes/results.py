"""What the frame loop gives back."""

from typing import Dict, NamedTuple, Optional

import numpy as np

from sam2lite.runtimes.controller import ControllerState
from sam2lite.runtimes.geometry import Scratch, source_mask
from sam2lite.runtimes.rules.current_frame import Decision


class ObjectResult(NamedTuple):
    """One object on one frame.

    Attributes:
        mask: bool [height, width] in source pixels; all False where the object is not visible.
        logits: float32 [h, w] at the bundle's mask stride, whether visible or not.
        iou: the network's own estimate of the mask's IoU, 0..1.
        object_score: logit; above 0 the object is judged present.
        visible: whether it is shown: prompted here or judged present, and not lost.
        lost: whether the network gave a number that is not finite; nothing was stored then.
        prompted: whether the mask comes from a prompt on this frame.
    """

    mask: np.ndarray
    logits: np.ndarray
    iou: float
    object_score: float
    visible: bool
    lost: bool
    prompted: bool


class FrameResult(NamedTuple):
    """All objects on one frame.

    Attributes:
        frame_index: counted from 0 since the start or the last reset.
        objects: results by object id.
        rung: side of the network's input on this frame, px.
        stage_ms: milliseconds of `preprocess`, of each graph, of `postprocess`, and the `total`.
        controller: its state for the next frame; None without a frame budget.
    """

    frame_index: int
    objects: Dict[int, ObjectResult]
    rung: int
    stage_ms: Dict[str, float]
    controller: Optional[ControllerState]

    @property
    def masks(self) -> Dict[int, np.ndarray]:
        """Masks of the visible objects by object id."""
        return {key: value.mask for key, value in self.objects.items() if value.visible}

    @property
    def lost(self) -> bool:
        """Whether any object was lost to a number that is not finite."""
        return any(value.lost for value in self.objects.values())


def object_result(
    decision: Decision, width: int, height: int, scratch: Scratch, threshold: float
) -> ObjectResult:
    """Return what callers are told of a decision.

    Args:
        decision: about an object on a frame.
        width: of the frame, px.
        height: of the frame, px.
        scratch: of the stream.
        threshold: that the mask's logits are cut at.
    """
    if decision.visible:
        mask = source_mask(decision.logits, width, height, scratch, threshold)
    else:
        mask = np.zeros((height, width), bool)
    return ObjectResult(
        mask,
        decision.logits,
        decision.iou,
        decision.object_score,
        decision.visible,
        decision.lost,
        decision.prompted,
    )
