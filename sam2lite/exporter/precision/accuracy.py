"""Task accuracy of a bundle, on clips that neither training nor evaluation has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.evaluation.sources import fresh_clips
from sam2lite.exporter.verify.opening import open_here

if TYPE_CHECKING:
    from sam2lite.evaluation.clip import EvaluationClip

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

    def score(self, bundle: Path) -> Accuracy:
        """Follow the objects of every clip."""
        from sam2lite.evaluation import BundleTracker, evaluate

        scores = evaluate(lambda: BundleTracker(open_here(bundle), self.rung), self._clips, PROMPT)
        return Accuracy(scores.jf, scores.first_frame_j)
