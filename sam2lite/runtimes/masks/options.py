"""What may be done to masks before they are shown, checked. Nothing here needs NumPy."""

import math
from typing import Any, NamedTuple, Optional, Tuple

from sam2lite.contracts.arguments import shown, whole_number
from sam2lite.errors import ArgumentError

_MOST_PIXELS = 1 << 32


class Cleaning(NamedTuple):
    """What is done to masks; nothing unless said otherwise.

    Islands and holes go from every mask. The other three hide whole objects on a frame, and never
    one that is prompted there.

    Attributes:
        islands: pixels of the frame that an island has at most to be removed; the largest part of
            an object always stays.
        holes: pixels that a hole has at most to be filled.
        min_iou: predicted IoU below which an object is hidden, 0..1.
        min_stability: stability (see `masks.stability`) below which it is, 0..1.
        box_nms: IoU of two objects' boxes above which the one with the lower predicted IoU is
            hidden, 0..1.
    """

    islands: int = 0
    holes: int = 0
    min_iou: float = 0.0
    min_stability: float = 0.0
    box_nms: float = 1.0


NOTHING = Cleaning()
# Options of commands by the field that they set, with what they say of it.
FLAGS: Tuple[Tuple[str, str, str], ...] = (
    ("--remove-islands", "islands", "pixels of an object's parts that are removed, at most"),
    ("--fill-holes", "holes", "pixels of holes that are filled, at most"),
    ("--min-iou", "min_iou", "predicted IoU below which an object is not shown on a frame"),
    ("--min-stability", "min_stability", "stability below which it is not"),
    ("--box-nms", "box_nms", "IoU of boxes above which the less sure object is not shown"),
)


def checked_cleaning(cleaning: Any) -> Cleaning:
    """Return what is done to masks, checked.

    Args:
        cleaning: a `Cleaning`; None for nothing.

    Raises:
        ArgumentError: it is none, or a number is out of its range.
    """
    if cleaning is None:
        return NOTHING
    if not isinstance(cleaning, Cleaning):
        raise ArgumentError(
            "cleaning is {}; give a Cleaning, such as Cleaning(islands=64)".format(shown(cleaning))
        )
    return Cleaning(
        whole_number("islands", cleaning.islands, 0, _MOST_PIXELS),
        whole_number("holes", cleaning.holes, 0, _MOST_PIXELS),
        _share("min_iou", cleaning.min_iou),
        _share("min_stability", cleaning.min_stability),
        _share("box_nms", cleaning.box_nms),
    )


def _share(name: str, value: Any) -> float:
    number: Optional[float] = None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
    if number is None or not (math.isfinite(number) and 0.0 <= number <= 1.0):
        raise ArgumentError("{} is {}; it must be a number from 0 to 1".format(name, shown(value)))
    return number
