"""Evaluation: prompt on the first frame, track to the last, and score what comes out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2

from sam2lite.evaluation.baselines import BaselineRun
from sam2lite.evaluation.clip import EvaluationClip
from sam2lite.evaluation.first_prompts import PROMPTS, check_prompt_kind
from sam2lite.evaluation.object_score import ObjectScore, ObjectScorer
from sam2lite.evaluation.scores import Scores, summarise
from sam2lite.evaluation.trackers import Frame, Masks, Tracker

ByName = dict[str, list[ObjectScore]]


@dataclass(frozen=True)
class EvaluationSettings:
    """How clips are evaluated.

    Attributes:
        prompt: `click`, `box` or `mask`, given on the first frame alone.
        skip_last: leave out the last frame, as DAVIS does.
        baselines: score the baselines too.
    """

    prompt: str
    skip_last: bool = False
    baselines: bool = False


def evaluate(
    tracker_factory: Callable[[], Tracker], clips: Iterable[EvaluationClip], prompt: str
) -> Scores:
    """Track all clips with one tracker, in this process.

    Args:
        tracker_factory: makes the tracker, which is closed at the end.
        clips: read one after the other, so a generator is fine.
        prompt: `click`, `box` or `mask`, given on the first frame alone.

    Raises:
        UnknownNameError: there is no such prompt.
        VideoError: no object is large enough to be followed, or a clip has nothing to score.
    """
    check_prompt_kind(prompt)
    tracker = tracker_factory()
    try:
        scores = [score_tracker(tracker, clip, EvaluationSettings(prompt)) for clip in clips]
    finally:
        tracker.close()
    return summarise([score for of_clip in scores for score in of_clip])


def score_tracker(
    tracker: Tracker, clip: EvaluationClip, settings: EvaluationSettings
) -> list[ObjectScore]:
    """Score a tracker on the objects of one clip; a clip without any has no scores."""
    scorers = _scorers(clip, settings)
    for masks in follow(tracker, clip, settings.prompt):
        _add(scorers, masks)
    return [scorer.score() for scorer in scorers.values()]


def score_baselines(clip: EvaluationClip, settings: EvaluationSettings) -> ByName:
    """Score every baseline, with the prompt it takes, on the objects of one clip."""
    scorers: dict[str, dict[int, ObjectScorer]] = {}
    for masks_by_name in _follow_baselines(clip):
        for name, masks in masks_by_name.items():
            _add(scorers.setdefault(name, _scorers(clip, settings)), masks)
    return {name: [s.score() for s in of_clip.values()] for name, of_clip in scorers.items()}


def follow(tracker: Tracker, clip: EvaluationClip, prompt: str) -> Iterator[Masks]:
    """Yield the tracker's masks of every frame; nothing if the clip has no object to follow."""
    prompts = {key: PROMPTS[prompt](clip.truth(0, key)) for key in clip.prompted_ids()}
    frames = _frames_bgr(clip) if prompts else iter(())
    for index, frame in enumerate(frames):
        yield tracker.track(frame) if index else tracker.start(frame, prompts)


def _follow_baselines(clip: EvaluationClip) -> Iterator[dict[str, Masks]]:
    truths = {key: clip.truth(0, key) for key in clip.prompted_ids()}
    frames = _frames_bgr(clip) if truths else iter(())
    run: BaselineRun | None = None
    for frame in frames:
        if run is None:
            run = BaselineRun(frame, truths)
        else:
            run.track(frame)
        yield run.masks


def _scorers(clip: EvaluationClip, settings: EvaluationSettings) -> dict[int, ObjectScorer]:
    return {key: ObjectScorer(clip, key, settings.skip_last) for key in clip.prompted_ids()}


def _add(scorers: dict[int, ObjectScorer], masks: Masks) -> None:
    for object_id, scorer in scorers.items():
        scorer.add(masks[object_id])


def _frames_bgr(clip: EvaluationClip) -> Iterator[Frame]:
    for frame_rgb in clip.frames_rgb_thwc:
        yield cv2.cvtColor(frame_rgb, cv2.COLOR_RGB2BGR)
