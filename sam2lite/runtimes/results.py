"""What the frame loop gives back."""

from typing import Dict, Iterable, Mapping, NamedTuple, Optional

import numpy as np

from sam2lite.runtimes.controller import ControllerState
from sam2lite.runtimes.geometry import Scratch, source_logits, source_mask
from sam2lite.runtimes.rules.current_frame import CurrentFrame


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
        hidden: why a filter does not show it (`iou`, `stability` or `box`, see `Cleaning`); None
            where none is in the way.
    """

    mask: np.ndarray
    logits: np.ndarray
    iou: float
    object_score: float
    visible: bool
    lost: bool
    prompted: bool
    hidden: Optional[str] = None


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


def object_results(
    ids: Iterable[int],
    frame: CurrentFrame,
    scratch: Scratch,
    threshold: float,
    non_overlap: bool = False,
) -> Dict[int, ObjectResult]:
    """Return what callers are told of objects on a frame.

    Args:
        ids: of the objects that are told of.
        frame: on which all objects were decided that are to be told apart.
        scratch: of the stream.
        threshold: that the mask's logits are cut at.
        non_overlap: whether a pixel belongs to one object at most: that with the highest logit.
    """
    apart: Dict[int, np.ndarray] = {}
    if non_overlap:
        visible = {key: each.logits for key, each in frame.decisions.items() if each.visible}
        apart = masks_apart(visible, frame.width, frame.height, scratch, threshold)
    results = {}
    for object_id in ids:
        decision = frame.decisions[object_id]
        if not decision.visible:
            mask = np.zeros((frame.height, frame.width), bool)
        elif non_overlap:
            mask = apart[object_id]
        else:
            mask = source_mask(decision.logits, frame.width, frame.height, scratch, threshold)
        results[object_id] = ObjectResult(
            mask,
            decision.logits,
            decision.iou,
            decision.object_score,
            decision.visible,
            decision.lost,
            decision.prompted,
        )
    return results


def masks_apart(
    logits_hw: Mapping[int, np.ndarray],
    width: int,
    height: int,
    scratch: Scratch,
    threshold: float = 0.0,
) -> Dict[int, np.ndarray]:
    """Return masks in source pixels that share none; of equals, the lowest id wins.

    Args:
        logits_hw: float32 [h, w] of the visible objects by their ids.
        width: of the source frame, px.
        height: of the source frame, px.
        scratch: of the stream.
        threshold: logits above it are an object's.
    """
    visible = sorted(logits_hw)
    shape = height, width
    highest = scratch.array((1, *shape), "float32")[0]
    winner = scratch.array(shape, "int16")
    highest.fill(-np.inf)
    winner.fill(-1)
    for place, object_id in enumerate(visible):
        logits = source_logits(logits_hw[object_id], width, height, scratch)
        higher = logits > highest
        np.copyto(highest, logits, where=higher)
        winner[higher] = place
    winner[highest <= threshold] = -1
    return {object_id: winner == place for place, object_id in enumerate(visible)}
