"""Task accuracy of a bundle, on clips that neither training nor evaluation has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sam2lite.evaluation.sources import fresh_clips
from sam2lite.exporter.verify.opening import open_here

if TYPE_CHECKING:
    from sam2lite.evaluation.clip import EvaluationClip
    from sam2lite.evaluation.trackers import Frame, Masks, Tracker
    from sam2lite.runtimes.prompts import Prompt

Bits = NDArray[np.uint8]  # of a mask, eight pixels a byte

CLIP_SEED = 1000  # of the first clip
PROMPT = "click"


@dataclass(frozen=True)
class Accuracy:
    """Scores of a bundle, 0 to 100.

    Attributes:
        jf: J&F over the clips, from one click on the first frame.
        first_frame_j: J of the clicked frame.
    """

    jf: float
    first_frame_j: float


@dataclass(frozen=True)
class AccuracyDrop:
    """What a precision costs.

    Attributes:
        before: in FP32.
        after: in the lower precision.
        clips: that both were scored on.
        rung: input side, px.
    """

    before: Accuracy
    after: Accuracy
    clips: int
    rung: int

    @property
    def points(self) -> float:
        """The larger of the two losses, points."""
        return max(
            self.before.jf - self.after.jf, self.before.first_frame_j - self.after.first_frame_j
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "prompt": PROMPT, "drop": round(self.points, 3)}


class AccuracyTest:
    """Scores bundles on the same clips, which are made once."""

    def __init__(self, clips: int, rung: int) -> None:
        """Make the clips; `rung` is the input side that bundles are scored at, px."""
        self.clips, self.rung = clips, rung
        self._clips: Sequence[EvaluationClip] = [
            clip.load() for clip in fresh_clips(clips, CLIP_SEED)
        ]

    def followed(self, bundle: Path) -> tuple[Accuracy, list[Bits]]:
        """Follow the objects of every clip; return the scores, and all masks in their order."""
        from sam2lite.evaluation import BundleTracker, evaluate

        masks: list[Bits] = []

        def tracker() -> Tracker:
            return _Keeping(BundleTracker(open_here(bundle), self.rung), masks)

        scores = evaluate(tracker, self._clips, PROMPT)
        return Accuracy(scores.jf, scores.first_frame_j), masks


class _Keeping:
    """A tracker whose masks are kept."""

    def __init__(self, tracker: Tracker, masks: list[Bits]) -> None:
        self._tracker, self._masks = tracker, masks

    def start(self, frame_bgr: Frame, prompts: Mapping[int, Prompt]) -> Masks:
        return self._kept(self._tracker.start(frame_bgr, prompts))

    def track(self, frame_bgr: Frame) -> Masks:
        return self._kept(self._tracker.track(frame_bgr))

    def close(self) -> None:
        self._tracker.close()

    def _kept(self, found: Masks) -> Masks:
        self._masks += [np.packbits(found[object_id]) for object_id in sorted(found)]
        return found


def mean_iou(masks: Sequence[Bits], others: Sequence[Bits]) -> float | None:
    """Return the mean IoU of masks where either of two is not empty; None where both always are."""
    found = []
    for mask, other in zip(masks, others, strict=True):
        union = int(np.unpackbits(mask | other).sum())
        if union:
            found.append(int(np.unpackbits(mask & other).sum()) / union)
    return float(np.mean(found)) if found else None
