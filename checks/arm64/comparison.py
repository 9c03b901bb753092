"""How alike the masks of two machines are, and how alike they must be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Of random weights, whose logits are near 0 everywhere: the last bit of a float decides pixels.
_LEAST_OF_RANDOM = 0.995
_MARGIN = 0.01  # of an IoU that was measured on one clip


@dataclass(frozen=True)
class Likeness:
    """Masks of two runs, frame by frame.

    Attributes:
        frames: that both have.
        identical: frames with the same pixels.
        lowest: IoU of all frames; 1 where both are empty.
        mean: IoU of all frames.
    """

    frames: int
    identical: int
    lowest: float
    mean: float

    def __str__(self) -> str:
        if self.identical == self.frames:
            return f"all {self.frames} the same"
        same = f"{self.identical} of {self.frames} the same"
        return f"{same}, IoU {self.lowest:.4f}, mean {self.mean:.4f}"


def likeness(ones: list[np.ndarray], others: list[np.ndarray]) -> Likeness:
    """Compare as many frames as both have."""
    pairs = list(zip(ones, others, strict=False))
    ious = [_iou(one, other) for one, other in pairs]
    same = sum(np.array_equal(one, other) for one, other in pairs)
    return Likeness(len(pairs), same, min(ious, default=0.0), sum(ious) / max(1, len(ious)))


def complaint(found: Likeness, frames: int, is_trained: bool, to_fp32: Likeness | None) -> str:
    """Return why masks are not alike enough, or nothing.

    Args:
        found: this machine's masks against the emulated one's.
        frames: that were asked for.
        is_trained: whether the weights are.
        to_fp32: this machine's INT8 masks against its FP32 masks, for a bundle in INT8.
    """
    if found.frames != frames:
        return f"{found.frames} of {frames} frames"
    if to_fp32 is not None:
        # By its mean, too: one frame on which INT8 takes another candidate would allow anything.
        bounds = (("IoU", found.lowest, to_fp32.lowest), ("mean IoU", found.mean, to_fp32.mean))
        for name, value, distance in bounds:
            if value < distance - _MARGIN:
                return f"{name} under {distance - _MARGIN:.4f}, INT8's to FP32"
        return ""
    if is_trained:
        return "" if found.identical == frames else "masks are not the same"
    return f"IoU under {_LEAST_OF_RANDOM}" if found.lowest < _LEAST_OF_RANDOM else ""


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    union = int((one | other).sum())
    return float((one & other).sum()) / union if union else 1.0
