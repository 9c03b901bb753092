"""A loop in PyTorch that was saved goes on as if it had not been."""

import numpy as np
import pytest

from sam2lite.data.clips import Clip, ClipConfig, first_click, generate_clip
from sam2lite.evaluation.reference_tracker import ReferenceTracker
from sam2lite.models.loaded import LoadedModel
from tests.doubles.toy_family import HOST as TOY

FRAMES, SAVED_AT = 6, 3


@pytest.fixture(scope="module")
def clip() -> Clip:
    config = ClipConfig(height=96, width=128, frames=FRAMES, objects=(2, 2), leave_probability=0.0)
    return generate_clip(3, config)


def check(loaded: LoadedModel, clip: Clip) -> None:
    frames = [np.ascontiguousarray(frame[..., ::-1]) for frame in clip.frames_rgb_thwc]
    whole, second = ReferenceTracker(loaded), ReferenceTracker(loaded)
    for object_id in clip.object_ids:
        whole.prompt(frames[0], object_id, points=[first_click(clip, object_id)])
    for index, frame in enumerate(frames):
        expected = whole.track(frame)
        if index + 1 == SAVED_AT:
            second.restore(whole.state())
        if index >= SAVED_AT:
            found = second.track(frame)
            assert found.frame_index == expected.frame_index
            assert list(found.objects) == list(expected.objects)
            for object_id, wanted in expected.objects.items():
                np.testing.assert_array_equal(found.objects[object_id].logits, wanted.logits)
                assert found.objects[object_id].iou == wanted.iou


def test_sam2lite(mini_model: LoadedModel, clip: Clip) -> None:
    check(mini_model, clip)


def test_a_family_of_ones_own(clip: Clip) -> None:
    check(TOY.build("toy", 0), clip)


def test_nothing_is_remembered_of_what_was_before(mini_model: LoadedModel, clip: Clip) -> None:
    tracker = ReferenceTracker(mini_model)
    empty = tracker.state()
    frame = np.ascontiguousarray(clip.frames_rgb_thwc[0][..., ::-1])
    tracker.prompt(frame, 7, points=[(5, 5)])
    tracker.restore(empty)
    assert tracker.object_ids == []
