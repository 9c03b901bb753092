"""Where an object's box is expected to be: a Kalman filter of constant speed.

For an object among others of its kind, where it should be says which of several masks is meant, and
whether a mask is worth remembering (the idea of SAMURAI, arXiv 2411.11922). Boxes are shares of the
frame, so that input sizes do not matter.
"""

from typing import NamedTuple, Optional, Sequence

import numpy as np

POSITION_NOISE = 1.0 / 20  # share of the box's side that a mask's box is off, and motion in a frame
SPEED_NOISE = 1.0 / 160  # the same of its speed
STEADY_FRAMES = 15  # of good masks in a row, before motion has a say
GOOD_IOU = 0.3  # predicted; a mask below it says nothing of where the object is
MOTION_WEIGHT = 0.15  # of the overlap with the expected box; the rest is the predicted IoU's
_MOST_STEPS = 64  # of prediction at once; after that nothing is known anyway


class BoxTrack(NamedTuple):
    """What is known of a box: float64 [4] each, of its centre x and y, width and height.

    The coordinates do not depend on one another, so their covariance is three numbers each.

    Attributes:
        place: expected.
        speed: of it, a frame.
        place_variance: of the place.
        covariance: of place and speed.
        speed_variance: of the speed.
        steady: good masks in a row, frames.
    """

    place: np.ndarray
    speed: np.ndarray
    place_variance: np.ndarray
    covariance: np.ndarray
    speed_variance: np.ndarray
    steady: int

    @property
    def trusted(self) -> bool:
        """Whether it has followed the object for long enough to have a say."""
        return self.steady >= STEADY_FRAMES

    def ahead(self, frames: int) -> "BoxTrack":
        """Return what is expected some frames later."""
        now = self
        for _ in range(min(max(frames, 0), _MOST_STEPS)):
            noise = _noise(now.place)
            now = now._replace(
                place=now.place + now.speed,
                place_variance=now.place_variance
                + 2 * now.covariance
                + now.speed_variance
                + (POSITION_NOISE * noise) ** 2,
                covariance=now.covariance + now.speed_variance,
                speed_variance=now.speed_variance + (SPEED_NOISE * noise) ** 2,
            )
        return now

    def met(self, box: np.ndarray) -> "BoxTrack":
        """Return what is known once the object's box has been seen where `self` expects it."""
        measured = self.place_variance + (POSITION_NOISE * _noise(self.place)) ** 2
        gain, speed_gain = self.place_variance / measured, self.covariance / measured
        off = box - self.place
        return BoxTrack(
            self.place + gain * off,
            self.speed + speed_gain * off,
            (1 - gain) * self.place_variance,
            (1 - gain) * self.covariance,
            self.speed_variance - speed_gain * self.covariance,
            self.steady + 1,
        )

    def missed(self) -> "BoxTrack":
        """Return what is known where no good mask was seen."""
        return self._replace(steady=0)


def started(box: np.ndarray) -> BoxTrack:
    """Return what is known from a single box."""
    noise = _noise(box)
    return BoxTrack(
        box.astype(np.float64),
        np.zeros(4),
        (2 * POSITION_NOISE * noise) ** 2,
        np.zeros(4),
        (10 * SPEED_NOISE * noise) ** 2,
        0,
    )


def box_of(logits_hw: np.ndarray, threshold: float = 0.0) -> Optional[np.ndarray]:
    """Return a mask's box as shares of the frame, float64 [4], or None where it is empty."""
    mask = logits_hw > threshold
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    height, width = mask.shape
    top, bottom = rows[0] / float(height), (rows[-1] + 1) / float(height)
    left, right = columns[0] / float(width), (columns[-1] + 1) / float(width)
    return np.array([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top])


def overlap(one: Optional[np.ndarray], other: Optional[np.ndarray]) -> float:
    """Return the IoU of two boxes; 0 where one of them is None."""
    if one is None or other is None:
        return 0.0
    # A box that was only predicted may have shrunk to less than nothing.
    sides = np.maximum(one[2:], 0), np.maximum(other[2:], 0)
    least = np.maximum(one[:2] - sides[0] / 2, other[:2] - sides[1] / 2)
    most = np.minimum(one[:2] + sides[0] / 2, other[:2] + sides[1] / 2)
    shared = float(np.prod(np.maximum(most - least, 0)))
    whole = float(np.prod(sides[0]) + np.prod(sides[1])) - shared
    return shared / whole if whole > 0 else 0.0


def weighed(iou_m: np.ndarray, overlap_m: Sequence[float]) -> np.ndarray:
    """Return how good masks are, by their predicted IoU and the expected box."""
    score_m: np.ndarray = (1 - MOTION_WEIGHT) * iou_m + MOTION_WEIGHT * np.asarray(overlap_m)
    return score_m


def _noise(box: np.ndarray) -> np.ndarray:
    """Return the side that each coordinate's noise is a share of; never nothing."""
    width, height = max(float(box[2]), 1e-3), max(float(box[3]), 1e-3)
    return np.array([width, height, width, height])
