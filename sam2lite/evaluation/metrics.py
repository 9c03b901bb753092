"""J and F of the DAVIS 2017 benchmark, and the statistics it reports.

Written from Perazzi et al., "A benchmark dataset and evaluation methodology for video object
segmentation", CVPR 2016, and the behaviour of the official davis2017-evaluation toolkit: the same
numbers for the same masks, except that decay is right beyond 256 frames too, where the toolkit's
indices overflow.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.errors import ArgumentError

Mask = NDArray[np.bool_]

BOUNDARY_TOLERANCE = 0.008  # of the image diagonal
RECALL_ABOVE = 0.5
_DECAY_BINS = 4
_ROUND_HALF_UP = 1e-10


def region_j(predicted_hw: Mask, truth_hw: Mask) -> float:
    """Return the region similarity J: intersection over union, and 1 where both masks are empty.

    Args:
        predicted_hw: bool [height, width].
        truth_hw: bool [height, width].

    Raises:
        ArgumentError: the masks have different shapes.
    """
    _check_shapes(predicted_hw, truth_hw)
    union = np.count_nonzero(predicted_hw | truth_hw)
    return np.count_nonzero(predicted_hw & truth_hw) / union if union else 1.0


def boundary_f(predicted_hw: Mask, truth_hw: Mask) -> float:
    """Return the boundary accuracy F: the harmonic mean of the boundaries' precision and recall.

    A boundary pixel counts as found if the other boundary is within 0.8 % of the image diagonal,
    rounded up to whole pixels. Both boundaries empty is 1, one of them is 0.

    Args:
        predicted_hw: bool [height, width].
        truth_hw: bool [height, width].

    Raises:
        ArgumentError: the masks have different shapes.
    """
    _check_shapes(predicted_hw, truth_hw)
    radius_px = int(np.ceil(BOUNDARY_TOLERANCE * np.hypot(*truth_hw.shape)))
    roi = _surroundings(predicted_hw | truth_hw, radius_px)
    predicted, truth = boundary(predicted_hw[roi]), boundary(truth_hw[roi])
    predicted_count, truth_count = np.count_nonzero(predicted), np.count_nonzero(truth)
    if not predicted_count or not truth_count:
        return float(predicted_count == truth_count)
    precision = np.count_nonzero(predicted & _dilated(truth, radius_px)) / predicted_count
    recall = np.count_nonzero(truth & _dilated(predicted, radius_px)) / truth_count
    total = precision + recall
    return 2.0 * precision * recall / total if total else 0.0


def boundary(mask_hw: Mask) -> Mask:
    """Return the pixels whose right, lower or lower right neighbour is on the other side.

    This is `seg2bmap` of the Berkeley segmentation benchmark: boundaries one pixel wide, half a
    pixel towards the origin. A mask has no boundary where it meets the edge of the image.

    Args:
        mask_hw: bool [height, width].

    Returns:
        bool [height, width].
    """
    # Beyond the image the last row and column go on.
    padded = np.pad(mask_hw, ((0, 1), (0, 1)), mode="edge")
    right, below, diagonal = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    edges: Mask = (mask_hw != right) | (mask_hw != below) | (mask_hw != diagonal)
    return edges


class Statistics(NamedTuple):
    """What DAVIS reports of one object's J or F over its frames, each in 0..1."""

    mean: float
    recall: float  # share of the frames above 0.5
    decay: float  # mean of the first quarter of the frames minus that of the last


def statistics(values_t: NDArray[np.float64]) -> Statistics:
    """Return mean, recall and decay of one object's values, in the order of its frames.

    The quarters share the frame between them, as in the toolkit.

    Raises:
        ArgumentError: there are no values.
    """
    if not len(values_t):
        raise ArgumentError("there are no frames to summarise; give one value or more")
    ends = np.linspace(1, len(values_t), _DECAY_BINS + 1) + _ROUND_HALF_UP
    first = np.round(ends).astype(int) - 1
    return Statistics(
        float(values_t.mean()),
        float((values_t > RECALL_ABOVE).mean()),
        float(values_t[: first[1] + 1].mean() - values_t[first[-2] :].mean()),
    )


def _check_shapes(predicted_hw: Mask, truth_hw: Mask) -> None:
    if predicted_hw.shape != truth_hw.shape or predicted_hw.ndim != 2:
        raise ArgumentError(
            f"the predicted mask is {predicted_hw.shape} and the true one {truth_hw.shape}; "
            "give two of the same height and width"
        )


def _surroundings(mask_hw: Mask, margin_px: int) -> tuple[slice, slice]:
    """Return the part of the image that holds all of the mask and of its dilated boundary."""
    x, y, width, height = cv2.boundingRect(mask_hw.view(np.uint8))
    return (
        slice(max(0, y - margin_px - 1), y + height + margin_px),
        slice(max(0, x - margin_px - 1), x + width + margin_px),
    )


def _dilated(edges_hw: Mask, radius_px: int) -> Mask:
    reach = np.arange(-radius_px, radius_px + 1) ** 2
    disk = (reach[:, None] + reach <= radius_px**2).astype(np.uint8)
    dilated: Mask = cv2.dilate(edges_hw.astype(np.uint8), disk).astype(bool)
    return dilated
