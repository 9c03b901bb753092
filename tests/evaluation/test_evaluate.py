"""Trackers through the protocol: what they are given, and that torch and bundle agree."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from sam2lite.data.clips import deepest_point
from sam2lite.errors import UnknownNameError, VideoError
from sam2lite.evaluation import (
    BundleTracker,
    ClipTracker,
    EvaluationClip,
    ReferenceTracker,
    Tracker,
    evaluate,
)
from sam2lite.evaluation.evaluate import follow
from sam2lite.evaluation.first_prompts import PROMPTS, exact_box
from sam2lite.evaluation.trackers import Frame, Masks
from sam2lite.models.loaded import LoadedModel
from sam2lite.runtimes.prompts import Prompt

RUNG = 240


class Recorder:
    """Answers every frame with the square of the first one, and notes what it is given."""

    def __init__(self, mask: np.ndarray) -> None:
        self.mask = mask
        self.prompts: list[Mapping[int, Prompt]] = []
        self.frames: list[Frame] = []
        self.closed = False

    def start(self, frame_bgr: Frame, prompts: Mapping[int, Prompt]) -> Masks:
        self.prompts.append(prompts)
        return self.track(frame_bgr)

    def track(self, frame_bgr: Frame) -> Masks:
        self.frames.append(frame_bgr)
        return dict.fromkeys(self.prompts[-1], self.mask)

    def close(self) -> None:
        self.closed = True


def test_prompts_are_made_from_the_mask() -> None:
    mask = np.zeros((30, 40), bool)
    mask[5:14, 10:31] = True
    assert exact_box(mask) == (10, 5, 31, 14)
    x, y = deepest_point(mask)
    assert y == 9
    assert 14 <= x <= 26
    at_the_edge = np.zeros((30, 40), bool)
    at_the_edge[:, :9] = True  # the frame's edge counts as the object's
    assert deepest_point(at_the_edge)[0] == 4
    assert PROMPTS["click"](mask).points_xy.tolist() == [[x, y]]
    box = PROMPTS["box"](mask).box_xyxy
    assert box is not None
    assert box.tolist() == [10, 5, 31, 14]
    given = PROMPTS["mask"](mask).mask_hw
    assert given is not None
    assert np.array_equal(given, mask)


def test_tracker_is_prompted_once_and_sees_every_frame(moving_squares: EvaluationClip) -> None:
    recorder = Recorder(moving_squares.truth(0, 1))
    scores = evaluate(lambda: recorder, [moving_squares, moving_squares], "box")
    assert [sorted(prompts) for prompts in recorder.prompts] == [[1, 2], [1, 2]]
    assert len(recorder.frames) == 10
    assert np.array_equal(recorder.frames[0], moving_squares.frames_rgb_thwc[0, ..., ::-1])
    assert recorder.closed
    copied = [28 / 36, 24 / 40, 20 / 44, 16 / 48]
    assert scores.objects == 4
    assert scores.first_frame_j == 50.0
    assert scores.j == pytest.approx(100 * np.mean(copied) / 2)  # the other object is missed
    assert scores.j_last4 == pytest.approx(scores.j)


def test_tracker_is_closed_when_a_clip_fails(moving_squares: EvaluationClip) -> None:
    recorder = Recorder(np.zeros((3, 3), bool))
    with pytest.raises(Exception, match=r"\(3, 3\)"):
        evaluate(lambda: recorder, [moving_squares], "mask")
    assert recorder.closed


def test_clip_without_objects_gives_no_frames(moving_squares: EvaluationClip) -> None:
    empty = EvaluationClip(
        "empty",
        moving_squares.frames_rgb_thwc,
        np.zeros_like(moving_squares.labels_thw),
        moving_squares.annotated_t,
    )
    recorder = Recorder(moving_squares.truth(0, 1))
    assert list(follow(recorder, empty, "click")) == []
    with pytest.raises(VideoError, match=r"0\.3 %"):
        evaluate(lambda: recorder, [empty], "click")


def test_unknown_prompt_is_refused_before_anything_is_made() -> None:
    with pytest.raises(UnknownNameError, match="'scribble'; known: click, box, mask"):
        evaluate(lambda: pytest.fail("made"), [], "scribble")


@pytest.mark.parametrize("prompt", list(PROMPTS))
def test_torch_and_bundle_agree(
    tiny_model: LoadedModel, tiny_bundle: Path, moving_squares: EvaluationClip, prompt: str
) -> None:
    trackers: list[Tracker] = [
        ClipTracker(ReferenceTracker(tiny_model.fused(), RUNG)),
        BundleTracker(str(tiny_bundle), RUNG, threads=1),
    ]
    for _ in range(2):  # a second clip starts afresh
        torch_masks, bundle_masks = (list(follow(t, moving_squares, prompt)) for t in trackers)
        for of_torch, of_bundle in zip(torch_masks, bundle_masks, strict=True):
            assert of_torch.keys() == of_bundle.keys() == {1, 2}
            for object_id, mask in of_torch.items():
                assert np.mean(mask != of_bundle[object_id]) < 1e-3
    for tracker in trackers:
        tracker.close()


def test_mask_prompt_comes_back_almost_whole(
    tiny_model: LoadedModel, moving_squares: EvaluationClip
) -> None:
    scores = evaluate(
        lambda: ClipTracker(ReferenceTracker(tiny_model.fused(), RUNG)), [moving_squares], "mask"
    )
    assert scores.first_frame_j > 90.0


def test_a_fused_network_leaves_the_network_alone(tiny_model: LoadedModel) -> None:
    training = tiny_model.model.training
    tiny_model.model.train()
    ReferenceTracker(tiny_model.fused(), RUNG)
    assert tiny_model.model.training
    tiny_model.model.train(training)


def test_unknown_rung(tiny_model: LoadedModel) -> None:
    with pytest.raises(UnknownNameError, match="rung 100"):
        ReferenceTracker(tiny_model, 100)
