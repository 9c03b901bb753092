"""The expected box among masks that look alike."""

from collections.abc import Iterator

import numpy as np
import pytest

from sam2lite.runtimes.rules.box_motion import started
from sam2lite.runtimes.rules.interface import Chosen
from sam2lite.runtimes.rules.sam2.candidates import Candidates, Choice
from sam2lite.runtimes.rules.sam2.motion import choose_by_motion, motion_after
from sam2lite.runtimes.rules.sam2.slot_bank import SlotBank
from sam2lite.runtimes.segmenter import VideoSegmenter
from tests.doubles.sam2_bundle import Sam2Bundle
from tests.runtimes.rules.sam2.clip import clip

FRAMES = clip(40, step=1)


def mask_at(column: int, side: int = 16) -> np.ndarray:
    logits = np.full((side, side), -5.0, np.float32)
    logits[6:10, column : column + 4] = 5.0
    return logits


def candidates(best: float = 0.9) -> Candidates:
    masks = np.stack([mask_at(0), mask_at(12), mask_at(2), mask_at(7)])
    iou = np.array([0.1, best, 0.85, 0.2], np.float32)
    return Candidates(masks, iou, np.zeros((4, 256), np.float32), 1.0)


def test_the_mask_that_meets_the_box_is_chosen_once_the_box_is_trusted() -> None:
    box = started(np.array([4 / 16, 0.5, 0.25, 0.25]))
    by_iou = Choice(1, 1)
    assert choose_by_motion(candidates(), by_iou, box) == by_iou
    assert choose_by_motion(candidates(), by_iou, box._replace(steady=15)) == (2, 2)
    assert choose_by_motion(candidates(best=1.05), by_iou, box._replace(steady=15)) == by_iou


@pytest.mark.parametrize(
    ("column", "iou", "present", "steady", "good"),
    [
        (2, 0.9, True, 16, True),
        (2, 0.4, True, 16, False),  # good enough for the box, not for memory
        (2, 0.2, True, 0, False),
        (2, 0.9, False, 0, False),
        (12, 0.9, True, 16, False),  # elsewhere altogether
    ],
)
def test_what_a_frame_says_of_the_box(
    column: int, iou: float, present: bool, steady: int, good: bool
) -> None:
    expected = started(np.array([4 / 16, 0.5, 0.25, 0.25]))._replace(steady=15)
    chosen = Chosen(mask_at(column), iou, 1.0, present, False, None)
    track, is_good = motion_after(expected, chosen, prompted=False)
    assert track is not None
    assert (track.steady, is_good) == (steady, good)


def test_a_prompt_starts_the_box_anew() -> None:
    expected = started(np.array([0.9, 0.9, 0.1, 0.1]))._replace(steady=15)
    chosen = Chosen(mask_at(2), 0.1, 1.0, True, False, None)
    track, good = motion_after(expected, chosen, prompted=True)
    assert track is not None
    assert good
    np.testing.assert_allclose(track.place, [4 / 16, 0.5, 0.25, 0.25])
    assert track.steady == 0
    nothing = chosen._replace(logits=np.full((16, 16), -1024, np.float32), present=False)
    assert motion_after(None, nothing, prompted=True) == (None, True)
    assert motion_after(None, nothing, prompted=False) == (None, False)


class Twins:
    """Two objects: one moves on evenly, the other, which scores higher, waits at the right."""

    def __init__(self) -> None:
        self.at = 0.0
        self.twin = False

    def __call__(self, outputs: dict[str, np.ndarray]) -> None:
        outputs["masks"][:] = mask_at(int(self.at))
        outputs["iou_predictions"][:] = [[0.5, 0.8, 0.3, 0.3]]
        if self.twin:
            outputs["masks"][0, 2] = mask_at(12)
            outputs["iou_predictions"][0, 2] = 0.85
        outputs["object_score_logits"][:] = 3.0


@pytest.fixture(params=[False, True])
def segmenter(request: pytest.FixtureRequest) -> Iterator[VideoSegmenter]:
    with VideoSegmenter(Sam2Bundle(), rung=64, motion_aware=request.param) as segmenter:
        yield segmenter


def test_the_object_is_followed_past_its_twin(segmenter: VideoSegmenter) -> None:
    bundle, twins = segmenter.bundle, Twins()
    assert isinstance(bundle, Sam2Bundle)
    bundle.sessions["mask_decoder@64"].alter = twins
    segmenter.prompt(FRAMES[0], points=[(10, 30)])
    for index, frame in enumerate(FRAMES[:30]):
        twins.at, twins.twin = 0.2 * index, index >= 25
        found = segmenter.track(frame, frame_index=index).objects[1]
    column = int(np.flatnonzero(found.logits.max(0) > 0)[0])
    memory = segmenter._objects[1].memory
    assert isinstance(memory, SlotBank)
    assert column == (int(twins.at) if memory.motion is not None else 12)
    corrected = segmenter.correct(1, points=[(10, 30)])  # a user is not overruled
    assert int(np.flatnonzero(corrected.logits.max(0) > 0)[0]) == 12


def test_correcting_leaves_the_box_as_it_was_before_the_frame() -> None:
    with VideoSegmenter(Sam2Bundle(), rung=64, motion_aware=True) as segmenter:
        bundle, twins = segmenter.bundle, Twins()
        assert isinstance(bundle, Sam2Bundle)
        bundle.sessions["mask_decoder@64"].alter = twins
        segmenter.prompt(FRAMES[0], points=[(10, 30)])
        for index, frame in enumerate(FRAMES[:10]):
            segmenter.track(frame, frame_index=index)
        memory = segmenter._objects[1].memory
        assert isinstance(memory, SlotBank)
        before = memory.motion
        segmenter.correct(1, points=[(10, 30)])
        assert memory.motion is before
        segmenter.track(FRAMES[10], frame_index=10)
        assert memory.motion is not None
        assert memory.motion.steady == 0  # a prompt starts anew
