"""The expected box among SAM2-Lite's masks."""

from pathlib import Path

import numpy as np
import pytest

from sam2lite.errors import ArgumentError
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.rules.box_motion import BoxTrack, started
from sam2lite.runtimes.rules.sam2lite.memory_bank import MemoryBank
from sam2lite.runtimes.segmenter import VideoSegmenter

BOX = np.array([0.25, 0.5, 0.25, 0.25])


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return open_bundle(str(tiny_bundle))


def frame(index: int) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (120, 320, 3), np.uint8)
    return np.ascontiguousarray(noise[:, 4 * index : 4 * index + 160])


def bank(segmenter: VideoSegmenter) -> MemoryBank:
    memory = segmenter._objects[1].memory
    assert isinstance(memory, MemoryBank)
    return memory


def same(one: BoxTrack | None, other: BoxTrack | None) -> None:
    assert one is not None
    assert other is not None
    for field, expected in zip(one, other, strict=True):
        np.testing.assert_array_equal(field, expected)


def test_nobody_asks_unless_told_to(bundle: Bundle) -> None:
    with VideoSegmenter(bundle, rung=240) as segmenter:
        segmenter.prompt(frame(0), points=[(80, 60)])
        segmenter.track(frame(1))
        assert bank(segmenter).box is None
    with pytest.raises(ArgumentError, match="motion_aware is 1; it must be True or False"):
        VideoSegmenter(bundle, rung=240, motion_aware=1)


def test_a_trusted_box_has_a_say_on_tracked_frames(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with VideoSegmenter(bundle, rung=240, motion_aware=True) as segmenter:
        session = segmenter._rungs.graphs.sessions["mask_decoder"]
        run = session.run

        def two_objects(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            outputs = {name: session.numpy(each).copy() for name, each in run(inputs).items()}
            outputs["mask_logits_bmhw"][:] = -5
            outputs["mask_logits_bmhw"][0, :, 24:36, 40:52] = 5
            outputs["mask_logits_bmhw"][0, 2] = -5
            outputs["mask_logits_bmhw"][0, 2, 24:36, 9:21] = 5
            outputs["iou_bm"][:] = [[0.9, 0.2, 0.85, 0.2]]
            outputs["object_score_b1"][:] = 3
            return outputs

        monkeypatch.setattr(session, "run", two_objects)
        segmenter.prompt(frame(0), points=[(80, 60)])
        for steady, column in ((0, 40), (15, 9)):
            bank(segmenter).box = started(BOX)._replace(steady=steady)
            found = segmenter.track(frame(1 + steady)).objects[1]
            assert int(np.flatnonzero(found.logits.max(0) > 0)[0]) == column
        bank(segmenter).box = started(BOX)._replace(steady=15)
        corrected = segmenter.correct(1, points=[(80, 60)])
        assert int(np.flatnonzero(corrected.logits.max(0) > 0)[0]) == 40


def test_a_correction_finds_the_box_as_it_was(bundle: Bundle) -> None:
    memory = MemoryBank(256)
    memory.expect(started(BOX))
    memory.tick()
    before = memory.box
    memory.expect(started(BOX + 0.1))
    memory.forget_last()
    assert memory.box is before


def test_a_box_that_was_not_met_is_no_longer_trusted() -> None:
    memory = MemoryBank(256)
    memory.expect(started(BOX)._replace(steady=20))
    memory.tick()
    assert memory.box is not None
    assert memory.box.trusted
    memory.tick()
    assert not memory.box.trusted


@pytest.mark.parametrize("met", [False, True])
def test_a_state_knows_the_box(bundle: Bundle, tmp_path: Path, met: bool) -> None:
    path = str(tmp_path / "state.npz")
    with VideoSegmenter(bundle, rung=240, motion_aware=True) as segmenter:
        segmenter.prompt(frame(0), points=[(80, 60)])
        segmenter.track(frame(0))
        memory = bank(segmenter)
        memory.box = started(BOX)._replace(steady=20)
        if not met:
            memory.tick()
        segmenter.save_state(path)
        with VideoSegmenter(bundle, rung=240, motion_aware=True) as other:
            other.load_state(path)
            loaded = bank(other)
            for each in (memory, loaded):
                each.tick()
            same(loaded.box, memory.box)
