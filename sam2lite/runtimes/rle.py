"""COCO's compressed run-length encoding of masks, without a Python loop over pixels or runs.

A mask is read column by column; the counts are the lengths of its runs, starting with zeros. From
the fourth on, a count is stored as its difference from the one two before. Each number is split
into groups of five bits, lowest first, with a sixth bit for "more follows", and a group is one
printable character. After `rleToString` and `rleFrString` in cocoapi's `maskApi.c`.
"""

from typing import Any, Dict, Mapping

import cv2
import numpy as np

from sam2lite.contracts.arguments import whole_number
from sam2lite.errors import ArgumentError

_BITS = 5
_LOW = 31
_SIGN = 16  # of the last group
_MORE = 32
_FIRST_CHARACTER = 48
_MOST_SIDE = 1 << 16  # px
_GROUPS = 7  # 35 bits hold any count of a mask below 2^34 pixels


def encode(mask_hw: np.ndarray) -> Dict[str, Any]:
    """Encode a mask.

    Args:
        mask_hw: bool or integer [height, width]; what is not 0 is the object.

    Returns:
        `{"size": [height, width], "counts": text}`, which pycocotools reads.

    Raises:
        ArgumentError: the mask has not two dimensions, or no pixels.
    """
    if mask_hw.ndim != 2 or not mask_hw.size:
        raise ArgumentError(
            "a mask of shape {} cannot be encoded; give [height, width]".format(mask_hw.shape)
        )
    height, width = mask_hw.shape
    is_object = mask_hw if mask_hw.dtype == bool else mask_hw != 0
    # NumPy takes thirty times as long to put columns side by side.
    pixels = cv2.transpose(is_object.view(np.uint8)).ravel()
    starts = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    # Counts start with zeros, so a mask that starts with the object has an empty first run.
    edges = np.concatenate([[0] if not pixels[0] else [0, 0], starts, [pixels.size]])
    return {"size": [height, width], "counts": _to_text(np.diff(edges))}


def decode(rle: Mapping[str, Any]) -> np.ndarray:
    """Decode what `encode` or pycocotools has encoded.

    Args:
        rle: `{"size": [height, width], "counts": text}`, as JSON holds it.

    Returns:
        bool [height, width].

    Raises:
        ArgumentError: the counts are malformed or do not fill the size.
    """
    height, width = (whole_number("size", side, 1, _MOST_SIDE) for side in rle["size"])
    counts = _from_text(rle["counts"])
    # Each by itself, too: a sum of large ones may come round to the right number.
    fits = not ((counts < 0) | (counts > height * width)).any()
    if not fits or counts.sum() != height * width:
        raise ArgumentError(
            "the counts of a {}x{} mask add up to {} pixels, not {}; the run-length encoding is "
            "damaged".format(width, height, counts.sum(), height * width)
        )
    is_object = np.arange(len(counts)) % 2 == 1
    return np.repeat(is_object, counts).reshape((height, width), order="F")


def _to_text(counts: np.ndarray) -> str:
    deltas = counts.copy()
    deltas[3:] -= counts[1:-2]
    rest = deltas[:, np.newaxis] >> (_BITS * np.arange(_GROUPS))  # [n, groups]
    groups = rest & _LOW
    rest_after = rest >> _BITS
    # Nothing follows once the bits left over are only copies of the sign.
    has_more = rest_after != np.where(groups & _SIGN, -1, 0)
    # A group is used if it is the first or if the one before has more.
    is_used = np.ones(groups.shape, bool)
    is_used[:, 1:] = np.logical_and.accumulate(has_more[:, :-1], axis=1)
    characters = groups + _MORE * has_more + _FIRST_CHARACTER
    return bytes(characters[is_used].astype(np.uint8)).decode("ascii")


def _from_text(text: str) -> np.ndarray:
    characters = (
        np.frombuffer(text.encode("utf-8", "replace"), np.uint8).astype(np.int64) - _FIRST_CHARACTER
    )
    is_last = characters & _MORE == 0
    is_valid = (characters >= 0) & (characters <= _LOW + _MORE)
    if not is_valid.all() or not is_last[-1:].any():
        raise ArgumentError("the counts {!r} are not COCO's run-length encoding".format(text))
    starts = np.concatenate([[0], np.flatnonzero(is_last)[:-1] + 1])
    lengths = np.diff(np.concatenate([starts, [len(characters)]]))
    if lengths.max() > _GROUPS:
        raise ArgumentError("the counts of a run-length encoding are beyond any mask's")
    positions = np.arange(len(characters)) - np.repeat(starts, lengths)
    counts = np.add.reduceat((characters & _LOW) << (_BITS * positions), starts)
    is_negative = characters[is_last] & _SIGN != 0
    counts -= is_negative.astype(np.int64) << (_BITS * lengths)
    counts[1::2] = np.cumsum(counts[1::2])
    counts[2::2] = np.cumsum(counts[2::2])
    return counts
