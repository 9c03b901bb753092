"""A tracker whose loop numbers its frames goes back, as users' segmenters do."""

from typing import Any

import numpy as np
import pytest
import torch

from sam2lite.errors import ArgumentError
from sam2lite.evaluation.reference_tracker import ReferenceTracker
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2.family import HOST
from tests.oracles.clip import random_clip
from tests.oracles.ours import run_ours
from tests.oracles.scenarios import BOX, CLICK, SIDE, Scenario, prompted, tracked
from tests.oracles.telling_networks import SEED, small_network

LAST = 5


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    network = small_network()
    return HOST.untrained(network, network.config)


def test_a_prompt_in_the_future(loaded: LoadedModel) -> None:
    clip = random_clip(SEED)
    pictures = [
        np.ascontiguousarray(frame[0].permute(1, 2, 0).numpy()[..., ::-1]) for frame in clip
    ]
    steps = (
        prompted(0, **CLICK),
        prompted(3, **BOX),
        *tracked(last=LAST),
        *tracked(LAST + 3, LAST + 3),
    )
    expected = run_ours(loaded.model, clip, Scenario("ahead", steps))
    tracker = ReferenceTracker(loaded, SIDE)
    shown = [
        tracker.prompt(pictures[0], **CLICK, frame_index=0),
        tracker.prompt(pictures[3], **BOX, frame_index=3),
    ]
    tracker.rewind()
    shown += [tracker.track(picture).objects[1] for picture in pictures[: LAST + 1]]
    # Frames between are skipped, and counted.
    shown.append(tracker.track(pictures[LAST + 3], LAST + 3).objects[1])
    for result, record in zip(shown, expected, strict=True):
        assert np.array_equal(result.logits, record.logits_hw)


def test_where_it_cannot_go(loaded: LoadedModel, mini_model: LoadedModel) -> None:
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    tracker = ReferenceTracker(loaded, SIDE)
    for first in (0, 1):
        tracker.prompt(picture, **CLICK, frame_index=first)
    bad: list[Any] = [-1, 3, 0.5]
    for index in bad:
        with pytest.raises(ArgumentError, match="frame_index"):
            tracker.rewind(index)
    tracker.rewind(1)
    with pytest.raises(ArgumentError, match="comes after"):
        tracker.track(picture, 0)
    assert tracker.track(picture, 1).frame_index == 1
    with pytest.raises(ArgumentError, match="cannot go back"):
        ReferenceTracker(mini_model).rewind()


def test_states_of_a_tracker(loaded: LoadedModel) -> None:
    clip = random_clip(SEED)
    pictures = [
        np.ascontiguousarray(frame[0].permute(1, 2, 0).numpy()[..., ::-1]) for frame in clip[:4]
    ]
    whole, second = ReferenceTracker(loaded, SIDE), ReferenceTracker(loaded, SIDE)
    whole.prompt(pictures[0], **BOX)
    for picture in pictures[:2]:
        whole.track(picture)
    second.restore({name: torch.clone(tensor) for name, tensor in whole.state().items()})
    for picture in pictures[2:]:
        expected, actual = whole.track(picture), second.track(picture)
        assert np.array_equal(actual.objects[1].logits, expected.objects[1].logits)
        assert actual.frame_index == expected.frame_index
