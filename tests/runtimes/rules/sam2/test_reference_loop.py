"""The rules on a real, small network: against the reference loop, and the published one."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from sam2lite.contracts.families.sam2 import REWIND_FRAMES
from sam2lite.evaluation.reference_tracker import ReferenceTracker
from sam2lite.models.sam2.family import HOST
from sam2lite.models.sam2.network import Sam2
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.rules import box_motion
from sam2lite.runtimes.segmenter import VideoSegmenter
from tests.oracles.clip import random_clip
from tests.oracles.hugging_face import hugging_face_model, run_hugging_face
from tests.oracles.ours import run_ours
from tests.oracles.rules import ModuleBundle, run_rules
from tests.oracles.scenarios import (
    BOX,
    CLICK,
    CLICKS,
    CORRECTION,
    FRAMES,
    MASK,
    SCENARIOS,
    SIDE,
    Record,
    Scenario,
    prompted,
    tracked,
)
from tests.oracles.telling_networks import small_network

QUICK = (("further click after tracking", 0), ("mask", 2))
QUICK_FRAMES = 18  # more than pointers are looked back at
SETTINGS: list[dict[str, Any]] = [
    {"reference": "meta", "corrections": "conditioning"},
    {"reference": "meta", "corrections": "in-place"},
    {"reference": "huggingface", "corrections": "in-place"},
    {"motion_aware": True, "fill_holes": 40, "window": 3},
]
# Every setting at work: memory of more frames than a window has, a correction, a going back.
BUSY = Scenario(
    "busy",
    (
        prompted(0, **BOX),
        *tracked(last=6),
        prompted(6, **CORRECTION),
        *tracked(7, 8),
        *tracked(0, 2),
    ),
)
OURS: list[dict[str, Any]] = [
    {"fill_holes": 40},
    {"window": 2},
    {"motion_aware": True},
    {"motion_aware": True, "window": 3, "corrections": "in-place"},
    {"pointer_frames": 1},
]


def arbitrary(seed: int, steps: int) -> Scenario:
    """Return prompts of all kinds, often ahead, and going back further than memory reaches."""
    rng, now = np.random.default_rng(seed), 0
    done = [prompted(0, **CLICKS)]
    while len(done) < steps:
        if rng.random() < 0.2:
            what = (CLICK, BOX, CLICKS, CORRECTION, MASK)[rng.integers(5)]
            done.append(prompted(int(rng.integers(now, min(now + 2, FRAMES))), **what))
        done += tracked(now, now)
        now += 1
        if now == FRAMES or rng.random() < 0.06:
            now = int(rng.integers(now))
    return Scenario(f"arbitrary {seed}", tuple(done))


@pytest.fixture(scope="module")
def network() -> Sam2:
    return small_network()


@pytest.fixture(scope="module")
def clip() -> list[Tensor]:
    return random_clip(3)


def same(actual: list[Record], expected: list[Record]) -> None:
    for one, other in zip(actual, expected, strict=True):
        assert one[:3] == other[:3]
        np.testing.assert_allclose(one.logits_hw, other.logits_hw, rtol=0, atol=1e-4)
        np.testing.assert_allclose(one.pointer, other.pointer, rtol=0, atol=5e-5)
        assert one.score == pytest.approx(other.score, abs=5e-5)
        assert one.iou == pytest.approx(other.iou, abs=5e-5)


@pytest.mark.parametrize(
    ("scenario", "settings"),
    [
        (next(each for each in SCENARIOS if each.name == name), SETTINGS[place])
        for name, place in QUICK
    ],
)
def test_the_reference_loop(
    scenario: Scenario, settings: dict[str, Any], network: Sam2, clip: list[Tensor]
) -> None:
    settings = dict(settings, memory_dtype="float32")
    steps = tuple(step for step in scenario.steps if step.frame < QUICK_FRAMES)
    scenario = scenario._replace(name=f"{scenario.name}, shorter", steps=steps)
    same(
        run_rules(network, clip, scenario, **settings),
        run_ours(network, clip, scenario, **settings),
    )


@pytest.fixture
def hasty_motion(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clip is too short for motion to be trusted otherwise."""
    monkeypatch.setattr(box_motion, "STEADY_FRAMES", 2)


@pytest.mark.usefixtures("hasty_motion")
@pytest.mark.parametrize("settings", OURS, ids=lambda settings: " ".join(map(str, settings)))
def test_the_reference_loop_with_each_setting(
    settings: dict[str, Any], network: Sam2, clip: list[Tensor]
) -> None:
    expected = run_ours(network, clip, BUSY, memory_dtype="float32", **settings)
    same(run_rules(network, clip, BUSY, memory_dtype="float32", **settings), expected)
    plain = run_ours(network, clip, BUSY, memory_dtype="float32")
    assert any(
        not np.array_equal(one.logits_hw, other.logits_hw)
        for one, other in zip(expected, plain, strict=True)
    )


@pytest.mark.usefixtures("hasty_motion")
@pytest.mark.parametrize(
    ("seed", "settings"),
    [(1, {}), (2, {"motion_aware": True, "corrections": "in-place"})],
)
def test_the_reference_loop_in_arbitrary_orders(
    seed: int, settings: dict[str, Any], network: Sam2, clip: list[Tensor]
) -> None:
    scenario = arbitrary(seed, 60)
    indices = [step.frame for step in scenario.steps]
    assert max(one - other for one, other in pairwise(indices)) > REWIND_FRAMES
    settings = dict(settings, memory_dtype="float32")
    same(
        run_rules(network, clip, scenario, **settings),
        run_ours(network, clip, scenario, **settings),
    )


def test_masks_are_kept_apart_alike(network: Sam2, clip: list[Tensor]) -> None:
    loaded = HOST.untrained(network, network.config)
    frames = [frame[0].permute(1, 2, 0).numpy()[..., ::-1].copy() for frame in clip[:3]]
    tracker = ReferenceTracker(loaded, SIDE, non_overlap=True, memory_dtype="float32")
    bundle = ModuleBundle(network, SIDE)
    with VideoSegmenter(bundle, non_overlap=True, memory_dtype="float32") as segmenter:
        for object_id, prompt in ((2, Prompt(**CLICKS)), (1, Prompt(**BOX))):
            one, other = (each.give(frames[0], object_id, prompt) for each in (segmenter, tracker))
            np.testing.assert_array_equal(one.mask, other.mask)
        for frame in frames:
            found = segmenter.track(frame).masks
            again = tracker.track(frame).masks
            assert found.keys() == again.keys() == {1, 2}
            for object_id, mask in found.items():
                assert np.count_nonzero(mask != again[object_id]) <= 2
            assert not (again[1] & again[2]).any()
    apart = ReferenceTracker(loaded, SIDE, memory_dtype="float32")
    shown = [apart.give(frames[0], 1, Prompt(**BOX)), apart.give(frames[0], 2, Prompt(**CLICKS))]
    assert (shown[0].mask & shown[1].mask).any()  # they would overlap


@pytest.mark.slow
@pytest.mark.usefixtures("hasty_motion")
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_reference_loop_in_everything(
    scenario: Scenario, settings: dict[str, Any], network: Sam2, clip: list[Tensor]
) -> None:
    settings = dict(settings, memory_dtype="float32")
    found = run_rules(network, clip, scenario, **settings)
    same(found, run_ours(network, clip, scenario, **settings))
    if settings.get("reference") == "huggingface":
        model = hugging_face_model(network, SIDE)
        same(found, run_hugging_face(model, clip, scenario, "float32"))
