"""What the weights that come with the package are worth, at the least."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sam2lite.data.eval_sets import eval_clips
from sam2lite.evaluation import (
    BundleTracker,
    ClipTracker,
    EvaluationClip,
    ReferenceTracker,
    Scores,
    Tracker,
    evaluate,
)
from sam2lite.models.registry import load_model


def scores(make: Callable[[], Tracker], prompt: str) -> Scores:
    clips = (EvaluationClip.of(clip, "clip") for clip in eval_clips("eval-smoke"))
    return evaluate(make, clips, prompt)


@pytest.fixture(scope="module")
def clicked(shipped_bundle: Path) -> Scores:
    return scores(lambda: BundleTracker(str(shipped_bundle)), "click")


def test_the_bundle_is_worth_what_the_model_is(clicked: Scores) -> None:
    expected = scores(
        lambda: ClipTracker(ReferenceTracker(load_model("tiny").fused(), 240)), "click"
    )
    assert clicked.objects == expected.objects
    assert clicked.first_frame_j == pytest.approx(expected.first_frame_j, abs=0.2)
    assert clicked.jf == pytest.approx(expected.jf, abs=0.2)


def test_they_follow_what_is_clicked(clicked: Scores) -> None:
    """A copied first mask, which has been given the truth, scores 20 on such clips."""
    assert clicked.first_frame_j > 40.0
    assert clicked.jf > 35.0
