"""What a user points at: clicks, a box or a mask in source pixels, and their form in the graphs."""

import warnings
from typing import Any, NamedTuple, Optional, Sequence, Union

import numpy as np

from sam2lite.contracts.arguments import shown, whole_number
from sam2lite.contracts.loop import (
    LABEL_BOX_BOTTOM_RIGHT,
    LABEL_BOX_TOP_LEFT,
    LABEL_NEGATIVE,
    LABEL_PAD,
    LABEL_POSITIVE,
    MASKED_BIAS,
    PROMPT_SLOTS,
)
from sam2lite.errors import ArgumentError, PromptError, PromptWarning

_PADDING_XY_NORM = 0.5  # an unused slot points at the middle of the frame; its bias hides it
MAX_ID = (1 << 63) - 1  # of objects; state files have 64 bits
# What lies so little outside the frame was rounded, or comes from a detector that does not stop at
# the edge: it is moved there. A click that is further out, or a box, is of another picture.
_CLICK_SLACK_PX = 1.0
_BOX_SLACK = 0.01  # of the frame's side, and at least a pixel


class PromptSlots(NamedTuple):
    """Clicks and box corners as graphs take them; P is `PROMPT_SLOTS`."""

    prompt_xy_norm_bpc: np.ndarray  # float32 [1, P, 2], x and y in 0..1 of the frame
    prompt_label_bp: np.ndarray  # int32 [1, P], contracts.loop.LABEL_*
    prompt_bias_b11p: np.ndarray  # float32 [1, 1, 1, P], 0 used, MASKED_BIAS not


class Prompt:
    """Clicks, a box and a mask of one object on one frame, each of them optional but not all.

    Coordinates are source pixels; pixel (0, 0) is the top left one, and integers are pixel centres.

    Attributes:
        points_xy: float64 [n, 2].
        labels: int32 [n], 1 on the object and 0 beside it.
        box_xyxy: float64 [4], or None.
        mask_hw: bool [height, width], or None.
    """

    def __init__(
        self,
        points: Union[np.ndarray, Sequence[Sequence[float]], None] = None,
        labels: Union[np.ndarray, Sequence[int], None] = None,
        box: Union[np.ndarray, Sequence[float], None] = None,
        mask: Optional[np.ndarray] = None,
    ) -> None:
        """Check everything that can be checked without the frame.

        Args:
            points: (x, y) pairs.
            labels: one per point: 1 (the default) on the object, 0 beside it.
            box: x1, y1, x2, y2, the top left and the bottom right corner.
            mask: bool or integer [height, width] of the frame's size; what is not 0 is the object.

        Raises:
            PromptError: nothing is given, or something in it cannot be used.
        """
        self.points_xy = _points(() if points is None else points)
        count = len(self.points_xy)
        self.labels = _labels([LABEL_POSITIVE] * count if labels is None else labels, count)
        self.box_xyxy = None if box is None else _box(box)
        self.mask_hw = None if mask is None else _mask(mask)
        if not count and box is None and mask is None:
            raise PromptError("the prompt is empty; give a point, a box or a mask")
        used = count + (0 if box is None else 2)
        if used > PROMPT_SLOTS:
            raise PromptError(
                "{} clicks{} need {} slots, but there are {}; give the rest as a correction "
                "afterwards".format(count, "" if box is None else " and a box", used, PROMPT_SLOTS)
            )

    def check_names_object(self, object_id: int) -> None:
        """Raise PromptError unless something lies on the object: the first prompt of a new one."""
        on_object = (self.labels == LABEL_POSITIVE).any()
        if not on_object and self.box_xyxy is None and self.mask_hw is None:
            raise PromptError(
                "object {} is new and its clicks are all beside it (label 0); give a click on it, "
                "a box or a mask as well".format(object_id)
            )

    def slots(self, width: int, height: int) -> PromptSlots:
        """Check the prompt against its frame and fill the slots: points first, then the box.

        Args:
            width: of the frame, px.
            height: of the frame, px.

        Raises:
            PromptError: see `inside`.
        """
        prompt = self.inside(width, height)
        slots = empty_slots()
        xy, labels = prompt.points_xy, prompt.labels
        if prompt.box_xyxy is not None:
            xy = np.concatenate([xy, prompt.box_xyxy.reshape(2, 2)])
            labels = np.append(labels, [LABEL_BOX_TOP_LEFT, LABEL_BOX_BOTTOM_RIGHT])
        # A corner may lie on the frame's outer edge, half a pixel beyond the last centre.
        slots.prompt_xy_norm_bpc[0, : len(xy)] = np.minimum((xy + 0.5) / (width, height), 1.0)
        slots.prompt_label_bp[0, : len(xy)] = labels
        slots.prompt_bias_b11p[0, 0, 0, : len(xy)] = 0.0
        return slots

    def inside(self, width: int, height: int) -> "Prompt":
        """Return the prompt as it lies in a frame: what is just outside is moved to the edge.

        A click may be a pixel outside, a box a hundredth of the frame's side or a pixel; a
        `PromptWarning` says so, once for frames of a size.

        Args:
            width: of the frame, px.
            height: of the frame, px.

        Raises:
            PromptError: a click or a corner lies further outside, or the mask has another size.
        """
        self._check_inside(width, height)
        points_xy = np.clip(self.points_xy, 0, (width - 1, height - 1))
        box_xyxy = self.box_xyxy
        if box_xyxy is not None:
            box_xyxy = np.clip(box_xyxy, 0, (width, height, width, height))
        if (points_xy == self.points_xy).all() and (
            box_xyxy is None or (box_xyxy == self.box_xyxy).all()
        ):
            return self
        warnings.warn(
            "a prompt reaches a little beyond the frame of {}x{} px and was moved to its "
            "edge".format(width, height),
            PromptWarning,
            stacklevel=1,  # so that Python says it once, whoever asks
        )
        return Prompt(points_xy, self.labels, box_xyxy, self.mask_hw)

    def _check_inside(self, width: int, height: int) -> None:
        slack = _CLICK_SLACK_PX
        for x, y in self.points_xy:
            if not (-slack <= x <= width - 1 + slack and -slack <= y <= height - 1 + slack):
                raise PromptError(
                    "the click ({:g}, {:g}) lies outside the frame of {}x{} px; x must be in 0..{} "
                    "and y in 0..{}".format(x, y, width, height, width - 1, height - 1)
                )
        if self.box_xyxy is not None:
            x1, y1, x2, y2 = self.box_xyxy
            slack_x, slack_y = (max(1.0, _BOX_SLACK * side) for side in (width, height))
            leaves = min(x1 + slack_x, y1 + slack_y) < 0
            leaves = leaves or x2 > width + slack_x or y2 > height + slack_y
            if leaves or x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
                raise PromptError(
                    "the box ({:g}, {:g}, {:g}, {:g}) leaves the frame; x must be in 0..{} and y "
                    "in 0..{}".format(x1, y1, x2, y2, width, height)
                )
        if self.mask_hw is not None and self.mask_hw.shape != (height, width):
            raise PromptError(
                "the mask is {}x{} px, but the frame is {}x{}; draw it on the frame itself".format(
                    self.mask_hw.shape[1], self.mask_hw.shape[0], width, height
                )
            )


def checked_id(object_id: Any) -> int:
    """Return an object's id as an integer of Python.

    Raises:
        PromptError: it is no integer of 64 bits, as state files, results and folders of masks have.
    """
    try:
        return whole_number("the object's id", object_id, -MAX_ID - 1, MAX_ID)
    except ArgumentError as error:
        if isinstance(object_id, str):
            raise PromptError("{}; number the objects, and keep their names apart".format(error))
        raise PromptError(str(error))


def empty_slots() -> PromptSlots:
    """Return the slots of a frame without a prompt: all padded and hidden."""
    return PromptSlots(
        np.full((1, PROMPT_SLOTS, 2), _PADDING_XY_NORM, np.float32),
        np.full((1, PROMPT_SLOTS), LABEL_PAD, np.int32),
        np.full((1, 1, 1, PROMPT_SLOTS), MASKED_BIAS, np.float32),
    )


def _numbers(what: str, value: Any, form: str) -> np.ndarray:
    try:
        given = np.asarray(value)
        # Text is no number, even where NumPy could read it as one.
        numbers = np.asarray(given, np.float64) if given.dtype.kind in "biuf" else None
    except (ArithmeticError, TypeError, ValueError, Warning):
        numbers = None
    if numbers is None:
        raise PromptError("{} {} cannot be read; give {}".format(what, shown(value), form))
    if not np.isfinite(numbers).all():
        raise PromptError("{} {} must be finite numbers; give {}".format(what, shown(value), form))
    return numbers


def _points(value: Any) -> np.ndarray:
    form = "pairs of pixels such as [(120, 80)]"
    points_xy = _numbers("points", value, form)
    if points_xy.size == 0:
        return np.zeros((0, 2))
    if points_xy.ndim != 2 or points_xy.shape[1] != 2:
        raise PromptError("points {} are not pairs; give {}".format(shown(value), form))
    return points_xy


def _labels(value: Any, count: int) -> np.ndarray:
    form = "one per point, {} on the object or {} beside it".format(LABEL_POSITIVE, LABEL_NEGATIVE)
    labels = _numbers("labels", value, form).ravel()
    if len(labels) != count:
        raise PromptError("{} labels for {} points; give {}".format(len(labels), count, form))
    for label in labels:
        if label not in (LABEL_NEGATIVE, LABEL_POSITIVE):
            raise PromptError("unknown label {:g}; give {}".format(label, form))
    return labels.astype(np.int32)


def _box(value: Any) -> np.ndarray:
    form = "x1, y1, x2, y2 with x1 < x2 and y1 < y2"
    box_xyxy = _numbers("box", value, form)
    if box_xyxy.shape != (4,):
        raise PromptError("box {} is not four numbers; give {}".format(shown(value), form))
    x1, y1, x2, y2 = box_xyxy
    if x1 == x2 or y1 == y2:
        raise PromptError("box {} has no area; give {}".format(shown(value), form))
    if x1 > x2 or y1 > y2:
        # Two mistakes look alike, so that neither is mended in silence.
        ordered = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
        remedy = "{} if its corners are swapped".format(_corners(ordered))
        if x2 > 0 and y2 > 0:
            sized = _corners((x1, y1, x1 + x2, y1 + y2))
            remedy += ", {} if it is x, y, width and height".format(sized)
        raise PromptError(
            "box {} ends left of its start or above it; give x1, y1, x2, y2: {}".format(
                shown(value), remedy
            )
        )
    return box_xyxy


def _corners(box: Sequence[float]) -> str:
    return ",".join("{:g}".format(number) for number in box)


def _mask(value: Any) -> np.ndarray:
    try:
        mask = np.asarray(value)
    except (TypeError, ValueError, Warning):
        raise PromptError("the mask {} cannot be read; give an array".format(shown(value)))
    if mask.ndim != 2 or mask.dtype.kind not in "bui":
        raise PromptError(
            "a mask of shape {} and type {} cannot be used; give bool or integer [height, "
            "width]".format(mask.shape, mask.dtype)
        )
    mask_hw: np.ndarray = mask != 0
    if not mask_hw.any():
        raise PromptError("the mask is empty; it must have at least one pixel that is not 0")
    return mask_hw
