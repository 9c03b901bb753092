"""How well one object was followed through one clip, frame by frame."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam2lite.evaluation.clip import EvaluationClip
from sam2lite.evaluation.metrics import Mask, boundary_f, region_j

LOST_BELOW_J = 0.1
FLICKER_TRUTH_IOU = 0.8  # between two frames; where the truth changes more, so may the mask
LAST_FRAMES = 4


@dataclass(frozen=True)
class ObjectScore:
    """J and F of one object; all values are 0..1, and NaN where there is nothing to average.

    Attributes:
        clip: name of the clip.
        object_id: in the clip.
        area_share: of the first frame that the object covers.
        first_frame_j: J of the prompted frame, which counts nowhere else.
        frames: the scored ones, [n]: annotated, without the first; maybe none.
        j_t: of the scored frames, [n].
        f_t: likewise.
        lost_t: whether the object is visible there but J is below 0.1 (an empty mask's is 0).
        visible_t: whether the object is visible there.
        empty_t: whether the predicted mask is empty there: the network says that it is not in view.
        changes: 1 - IoU of the predicted masks of every two neighbouring frames between which the
            true mask hardly changes (IoU of 0.8 or more).
    """

    clip: str
    object_id: int
    area_share: float
    first_frame_j: float
    frames: NDArray[np.int64]
    j_t: NDArray[np.float64]
    f_t: NDArray[np.float64]
    lost_t: NDArray[np.bool_]
    visible_t: NDArray[np.bool_]
    empty_t: NDArray[np.bool_]
    changes: NDArray[np.float64]

    @property
    def jf(self) -> float:
        """Mean of J and F over the scored frames."""
        return 0.5 * (_mean(self.j_t) + _mean(self.f_t))

    @property
    def j_last4(self) -> float:
        """Mean J of the last four scored frames."""
        return _mean(self.j_t[-LAST_FRAMES:])

    @property
    def drift(self) -> float:
        """Slope of the line fitted to J over two frames or more, per frame."""
        if len(self.frames) < 2:
            return float("nan")
        centred = self.frames - self.frames.mean()
        return float(centred @ self.j_t / (centred @ centred))

    @property
    def flicker(self) -> float:
        """Mean of `changes`."""
        return _mean(self.changes)

    @property
    def lost_rate(self) -> float:
        """Share of the frames showing the object on which it is lost."""
        return _mean(self.lost_t[self.visible_t])

    @property
    def j_after_return(self) -> float:
        """Mean J of the frames that show the object again after one that did not."""
        been_away_t = np.cumsum(~self.visible_t) > 0
        return _mean(self.j_t[been_away_t & self.visible_t])


class ObjectScorer:
    """Takes the predicted masks of one object in the order of the frames.

    Only the last mask is kept, so a clip may have any length.
    """

    def __init__(self, clip: EvaluationClip, object_id: int, skip_last: bool = False) -> None:
        """Start at the clip's first frame.

        Args:
            clip: with the truth.
            object_id: an object of its first frame.
            skip_last: leave out the last frame too, as DAVIS does.
        """
        self._clip = clip
        self._object_id = object_id
        self._scored = clip.scored_frames(object_id, skip_last)
        self._stable = {
            after
            for before, after in pairwise([0, *self._scored])
            if after == before + 1
            and region_j(clip.truth(before, object_id), clip.truth(after, object_id))
            >= FLICKER_TRUTH_IOU
        }
        self._next = 0
        self._before: Mask | None = None
        self._first_j = 0.0
        self._j: list[float] = []
        self._f: list[float] = []
        self._visible: list[bool] = []
        self._empty: list[bool] = []
        self._changes: list[float] = []

    def add(self, predicted_hw: Mask) -> None:
        """Take the mask of the next frame, bool [height, width]."""
        t, self._next = self._next, self._next + 1
        if t in self._stable and self._before is not None:
            self._changes.append(1.0 - region_j(predicted_hw, self._before))
        self._before = predicted_hw
        if t == 0:
            self._first_j = region_j(predicted_hw, self._clip.truth(0, self._object_id))
        elif t in self._scored:
            truth_hw = self._clip.truth(t, self._object_id)
            self._j.append(region_j(predicted_hw, truth_hw))
            self._f.append(boundary_f(predicted_hw, truth_hw))
            self._visible.append(bool(truth_hw.any()))
            self._empty.append(not predicted_hw.any())

    def score(self) -> ObjectScore:
        """Return the result, after the last frame."""
        j, visible = np.array(self._j), np.array(self._visible, bool)
        return ObjectScore(
            clip=self._clip.name,
            object_id=self._object_id,
            area_share=float(self._clip.truth(0, self._object_id).mean()),
            first_frame_j=self._first_j,
            frames=np.array(self._scored),
            j_t=j,
            f_t=np.array(self._f),
            lost_t=visible & (j < LOST_BELOW_J),
            visible_t=visible,
            empty_t=np.array(self._empty, bool),
            changes=np.array(self._changes),
        )


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else float("nan")
