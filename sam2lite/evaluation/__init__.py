"""How well objects are followed: J and F, drift and loss, beside baselines that need no network.

    scores = evaluate(lambda: ClipTracker(ReferenceTracker(model, rung=240)), clips, "click")

`clips` are `EvaluationClip`; `EvaluationClip.of(clip, name)` takes over a generated one or one of a
data set. The measures are defined in docs/evaluation.md.
"""

from sam2lite.evaluation.clip import EvaluationClip
from sam2lite.evaluation.evaluate import evaluate
from sam2lite.evaluation.reference_tracker import ReferenceTracker
from sam2lite.evaluation.scores import Scores
from sam2lite.evaluation.trackers import BundleTracker, ClipTracker, Tracker

__all__ = [
    "BundleTracker",
    "ClipTracker",
    "EvaluationClip",
    "ReferenceTracker",
    "Scores",
    "Tracker",
    "evaluate",
]
