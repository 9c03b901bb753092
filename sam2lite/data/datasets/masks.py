"""Masks as COCO's JSON writes them, and label maps painted from masks that may overlap."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.datasets.polygons import polygon_mask
from sam2lite.errors import Sam2LiteError, VideoError
from sam2lite.runtimes import rle

_MOST_CORNERS = 100_000  # of one object
_FARTHEST_PX = 1e6
MAX_LABELS = 255  # of an 8-bit label map

Mask = NDArray[np.bool_]


def largest(areas: Sequence[float]) -> list[int]:
    """Return the indices of the largest 255 areas, ascending."""
    by_area = sorted(range(len(areas)), key=lambda index: -areas[index])
    return sorted(by_area[:MAX_LABELS])


def painted(masks: Iterable[Mask], height: int, width: int) -> NDArray[np.uint8]:
    """Lay masks over one another, smaller ones on top, numbered from 1 in their order.

    Only one mask is held at a time.

    Args:
        masks: bool [height, width] each, 255 at most.
        height: px.
        width: px.

    Returns:
        uint8 [height, width]; 0 where there is none.
    """
    # Column by column, as run-length masks are, and pixels by number: most masks have few.
    labels = np.zeros(height * width, np.uint8)
    area_of_top = np.full(height * width, height * width + 1, np.int32)
    for label, mask in enumerate(masks, 1):
        pixels = np.flatnonzero(mask.ravel(order="F"))
        on_top = pixels[area_of_top[pixels] > len(pixels)]
        labels[on_top] = label
        area_of_top[on_top] = len(pixels)
    return np.ascontiguousarray(labels.reshape((height, width), order="F"))


def segmentation_mask(segmentation: Any, height: int, width: int, source: Path) -> Mask:
    """Decode a COCO segmentation: polygons, a run-length encoding, compressed or a list of counts.

    Args:
        segmentation: as JSON holds it; None for nothing.
        height: of the frame, px.
        width: of the frame, px.
        source: the file, for messages.

    Returns:
        bool [height, width].

    Raises:
        VideoError: it is malformed, or its size is another one.
    """
    try:
        if isinstance(segmentation, Mapping):
            _check_size(segmentation["size"], height, width, source)
            mask = _runs_mask(segmentation, height, width)
        else:
            mask = np.zeros((height, width), bool)
            for corners_xy in _polygons(segmentation or ()):
                mask |= polygon_mask(corners_xy, height, width)
    except VideoError:
        raise
    except (Sam2LiteError, ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise VideoError(
            f"a segmentation in '{source}' is malformed ({type(error).__name__}: {error}); give "
            "polygons [[x, y, ...], ...] or a run-length encoding {size, counts}"
        ) from error
    return mask


def _check_size(size: Any, height: int, width: int, source: Path) -> None:
    """Compare before anything of the size is made.

    Raises:
        VideoError: it is another one.
        ValueError: it is none.
    """
    if len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        raise ValueError(f"size is {size!r:.80}")
    if size != [height, width]:
        raise VideoError(
            f"a mask in '{source}' is {size[1]}x{size[0]} px, but its frame is {width}x{height} "
            "px; a mask must have the size of its frame"
        )


def _runs_mask(encoded: Mapping[str, Any], height: int, width: int) -> Mask:
    counts = encoded["counts"]
    if isinstance(counts, str):
        return np.asarray(rle.decode(encoded), bool)
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError("the counts are no numbers of pixels")
    if sum(counts) != height * width:
        raise ValueError(f"the counts add up to {sum(counts)} pixels, not {height * width}")
    is_object = np.arange(len(counts)) % 2 == 1
    return np.repeat(is_object, counts).reshape((height, width), order="F")


def _polygons(segmentation: Any) -> list[NDArray[np.float64]]:
    polygons = [np.asarray(polygon, float).reshape(-1, 2) for polygon in segmentation]
    if sum(map(len, polygons)) > _MOST_CORNERS:
        raise ValueError(f"its outline has more than {_MOST_CORNERS} corners")
    if not all((np.abs(polygon) <= _FARTHEST_PX).all() for polygon in polygons):  # NaN neither
        raise ValueError("a corner is nowhere near the picture")
    return polygons
