"""Masks of everything on a picture: a grid of clicks, and what is left of their masks.

After segment-anything's `SamAutomaticMaskGenerator`, without crops. The picture is encoded once; a
decoder's prompt slots all belong to one object, so that clicks are decoded one after the other.
"""

from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from sam2lite.contracts.arguments import DEFAULT_PRESET, whole_number
from sam2lite.errors import ArgumentError
from sam2lite.runtimes import rle
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.geometry import HALVING, Scratch, check_frame, source_mask
from sam2lite.runtimes.masks.boxes import best_boxes, box_of
from sam2lite.runtimes.masks.components import cleaned
from sam2lite.runtimes.masks.options import Cleaning, checked_cleaning
from sam2lite.runtimes.masks.stability import stability
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.rules.current_frame import CurrentFrame
from sam2lite.runtimes.rules.interface import FrameRules, rules_for
from sam2lite.runtimes.rung_choice import RungChoice
from sam2lite.runtimes.stream.frames import StreamFrames

POINTS_PER_SIDE = 16
MOST_POINTS_PER_SIDE = 128
# Less strict than segment-anything's 0.88 and 0.95, which are SAM's own: small networks estimate
# more carefully, and their logits are less steep.
FILTERS = Cleaning(min_iou=0.5, min_stability=0.7, box_nms=0.7)


class FoundMask(NamedTuple):
    """A mask of something.

    Attributes:
        rle: of the mask, COCO's.
        box: x1, y1, x2, y2, px of the picture; the last corner is outside.
        area: of the mask, px.
        predicted_iou: the network's own estimate, 0..1.
        stability: see `masks.stability`.
        point: the click, x and y in px.
    """

    rle: Dict[str, Any]
    box: List[int]
    area: int
    predicted_iou: float
    stability: float
    point: Tuple[float, float]


def point_grid(per_side: int, width: int, height: int) -> List[Tuple[float, float]]:
    """Return clicks at the middles of equal cells, row by row, in px of the picture."""
    shares = (np.arange(per_side) + 0.5) / per_side
    return [(x * width - 0.5, y * height - 0.5) for y in shares for x in shares]


def everything(
    bundle: Bundle,
    picture_bgr: np.ndarray,
    per_side: int = POINTS_PER_SIDE,
    cleaning: Cleaning = FILTERS,
    size: Optional[int] = None,
    threads: Optional[int] = None,
    advance: Callable[[], None] = lambda: None,
) -> List[FoundMask]:
    """Return masks of all that clicks on a grid find, those of the highest predicted IoU first.

    Args:
        bundle: what finds them.
        picture_bgr: uint8 [height, width, 3].
        per_side: clicks in a row and in a column.
        cleaning: which masks stay, and what is done to them.
        size: width of the network's input, px; the largest if not given.
        threads: of the processor; the target's if not given.
        advance: called after every click.

    Raises:
        ArgumentError: the picture is none, or a number is out of its range.
        UnknownNameError: the bundle does not hold the size.
        SessionError: a graph cannot be run here.
    """
    check_frame(picture_bgr)
    per_side = whole_number("the number of points per side", per_side, 1, MOST_POINTS_PER_SIDE)
    cleaning = checked_cleaning(cleaning)
    height, width = picture_bgr.shape[:2]
    if min(height, width) < per_side:
        raise ArgumentError(
            "{0} points per side do not fit a picture of {1}x{2} px; give at most {3}".format(
                per_side, width, height, min(height, width)
            )
        )
    start = bundle.manifest.rungs[-1] if size is None else size
    bundle.check_rung(start)
    rules = rules_for(bundle.family, bundle.manifest, {})
    rungs = RungChoice(bundle, rules, start, None, DEFAULT_PRESET, threads, None)
    try:
        frames = StreamFrames(bundle, rules, rungs, HALVING)
        frame, _ = frames.current(picture_bgr, 0, joins_tracked=False)
        threshold = bundle.manifest.postprocess.mask_threshold
        found = []  # type: List[FoundMask]
        for point in point_grid(per_side, width, height):
            found += _at(point, frame, rules, cleaning, threshold, frames.scratch)
            advance()
    finally:
        rungs.loader.close()
    boxes = np.array([each.box for each in found], np.float64)
    scores = np.array([each.predicted_iou for each in found])
    return [found[place] for place in best_boxes(boxes, scores, cleaning.box_nms)]


def _at(
    point: Tuple[float, float],
    frame: CurrentFrame,
    rules: FrameRules,
    cleaning: Cleaning,
    threshold: float,
    scratch: Scratch,
) -> Iterator[FoundMask]:
    """Give the masks of a click that are good enough."""
    prompt = Prompt([point])
    inputs = rules.prompt_inputs(prompt, frame.width, frame.height)
    hint = rules.hint(frame, prompt, None, None)
    decoded = rules.decode(frame, rules.new_memory(), None, inputs, hint)
    for logits, iou in rules.alternatives(frame, decoded, prompt):
        if iou < cleaning.min_iou:
            continue
        sure = float(stability(logits, threshold=threshold))
        if sure < cleaning.min_stability:
            continue
        whole = source_mask(logits, frame.width, frame.height, scratch, threshold)
        mask_hw = cleaned(whole, cleaning.islands, cleaning.holes)
        box = box_of(mask_hw)
        if box is not None:
            area = int(np.count_nonzero(mask_hw))
            yield FoundMask(rle.encode(mask_hw), box, area, iou, sure, point)
