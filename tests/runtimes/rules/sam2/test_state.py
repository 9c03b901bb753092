from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2lite.errors import BundleError
from sam2lite.runtimes.segmenter import VideoSegmenter
from tests.doubles.sam2_bundle import Sam2Bundle
from tests.runtimes.rules.sam2.clip import clip

CLICK, BOX = [(30, 20)], (20, 10, 55, 50)
FRAMES = clip(24)


@pytest.fixture
def segmenter() -> Iterator[VideoSegmenter]:
    with VideoSegmenter(Sam2Bundle(), rung=64, motion_aware=True) as segmenter:
        yield segmenter


@pytest.fixture
def state(segmenter: VideoSegmenter, tmp_path: Path) -> Path:
    """The state of two objects after twelve frames, one of them of two sizes."""
    segmenter.prompt(FRAMES[0], 1, points=CLICK)
    segmenter.prompt(FRAMES[0], 5, box=BOX)
    for index, frame in enumerate(FRAMES[:12]):
        segmenter.set_rung(128 if index == 10 else 64)
        segmenter.track(frame)
    segmenter.prompt(FRAMES[11], 5, points=CLICK)
    path = tmp_path / "state.npz"
    segmenter.save_state(str(path))
    return path


def same(one: Any, other: Any, atol: float = 0.0) -> None:
    assert one.objects.keys() == other.objects.keys()
    for object_id in one.objects:
        logits = one.objects[object_id].logits, other.objects[object_id].logits
        np.testing.assert_allclose(*logits, rtol=0, atol=atol)


def test_a_loaded_state_goes_on_as_if_nothing_had_happened(
    segmenter: VideoSegmenter, state: Path
) -> None:
    expected = [segmenter.track(frame) for frame in FRAMES[12:]]
    with VideoSegmenter(Sam2Bundle(), rung=64, motion_aware=True) as other:
        other.load_state(str(state))
        for frame, result in zip(FRAMES[12:], expected, strict=True):
            found = other.track(frame)
            assert found.frame_index == result.frame_index
            same(found, result)


def test_saving_leaves_the_frame_open_for_corrections(
    segmenter: VideoSegmenter, tmp_path: Path
) -> None:
    for saves in (False, True):
        segmenter.reset()
        segmenter.prompt(FRAMES[0], points=CLICK)
        for frame in FRAMES[:6]:
            segmenter.track(frame)
        if saves:
            segmenter.save_state(str(tmp_path / "state.npz"))
        segmenter.correct(1, box=BOX)
        result = segmenter.track(FRAMES[6])
        if not saves:
            expected = result
    same(result, expected)


def test_a_loaded_state_goes_back(segmenter: VideoSegmenter, state: Path) -> None:
    segmenter.rewind()
    expected = [segmenter.track(frame) for frame in FRAMES[:14]]
    segmenter.load_state(str(state))
    segmenter.rewind()
    for frame, result in zip(FRAMES[:14], expected, strict=True):
        same(segmenter.track(frame), result)


def test_a_bank_of_a_picture_follows_the_object_in_another_video(tmp_path: Path) -> None:
    """Its frames have another size, and count from 0."""
    path = str(tmp_path / "state.npz")
    picture = clip(1, seed=9)[0][:40, :50]
    video = clip(8)
    with VideoSegmenter(Sam2Bundle(), rung=64) as segmenter:
        segmenter.prompt(picture, points=[(20, 20)])
        segmenter.save_state(path)
    # What should come of it: the picture is the frame before the first one.
    with VideoSegmenter(Sam2Bundle(), rung=64) as plain:
        plain.load_state(path)
        expected = [plain.track(frame) for frame in video]
    bundle = Sam2Bundle()
    with VideoSegmenter(bundle, rung=64) as other:
        other.load_state(path, continues=False)
        for index, (frame, result) in enumerate(zip(video, expected, strict=True)):
            found = other.track(frame, frame_index=index)
            same(found, result, atol=1e-5)
            assert found.objects[1].mask.shape == frame.shape[:2]
        assert bundle.runs[1][0] == "memory_attention_2"
        other.save_state(path)
        other.load_state(path, continues=False)  # frames before the first one, and again
        other.rewind()
        assert other.track(video[0], frame_index=0).objects.keys() == {1}


def rewritten(path: Path, **changes: Any) -> Path:
    """Write a state with other arrays; None takes one away."""
    with np.load(path) as data:
        arrays = {**data, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def memory(cells: int, channels: int = 64, value: float = 0.0) -> np.ndarray:
    return np.full((cells, channels), value, np.float32)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"1/frame": None}, "1/frame is missing"),
        ({"1/frame": np.zeros(12, np.int64)}, "object 1: a frame is there twice"),
        ({"1/frame": np.arange(12) + 2**40}, "frame has numbers outside"),
        ({"1/frame": np.arange(99)}, r"frame is \[99\]"),
        ({"1/frame": np.arange(11)}, "object 1: conditioning has 12 frames, not 11"),
        ({"1/good": np.ones(3, bool)}, "object 1: good has 3 frames, not 12"),
        ({"1/good": np.ones(12)}, "good is float64, not bool"),
        ({"1/iou": np.full(12, np.nan)}, "iou has numbers that are not finite"),
        ({"1/score": np.full(12, 1e30)}, "score has numbers outside"),
        ({"1/pointer": np.zeros((12, 255), np.float32)}, r"pointer is \[12, 255\]"),
        ({"1/pointer": np.full((12, 256), 1e30, np.float32)}, "pointer has numbers outside"),
        ({"1/memory_0": None}, "the prompted frame 0 lacks its memory or its mask"),
        ({"1/logits_0": None}, "the prompted frame 0 lacks its memory or its mask"),
        ({"1/memory_0": memory(25)}, r"memory_0 is \[25, 64\], not \[16 or 64, 64\]"),
        ({"1/memory_0": memory(16, 63)}, r"memory_0 is \[16, 63\]"),
        ({"1/memory_0": memory(16, value=np.inf)}, "memory_0 has numbers that are not finite"),
        ({"1/memory_20": memory(16)}, "object 1: memory_20 belongs to no frame"),
        ({"1/memory_99": memory(16)}, "'1/memory_99' is unknown"),
        ({"1/logits_0": np.zeros((16, 32), np.float32)}, r"logits_0 is \[16, 32\]"),
        ({"1/logits_0": np.zeros((15, 15), np.float32)}, r"logits_0 is \[15, 15\]"),
        ({"1/box_place": None}, "of the box's motion, only"),
        ({"1/box_place_variance": np.full(4, -1.0)}, "box_place_variance has numbers outside"),
        ({"1/box_steady": np.array(-1)}, "box_steady has numbers outside"),
    ],
)
def test_what_could_not_be_tracked_with_is_refused_first(
    segmenter: VideoSegmenter, state: Path, changes: dict[str, Any], fault: str
) -> None:
    rewritten(state, **changes)
    with pytest.raises(BundleError, match=f"is not a readable state file.*{fault}"):
        segmenter.load_state(str(state))
    assert segmenter.object_ids == [1, 5]
    assert segmenter.track(FRAMES[12]).frame_index == 12


def test_too_many_prompted_frames_are_refused(segmenter: VideoSegmenter, state: Path) -> None:
    count = 17
    arrays = {f"1/memory_{place}": memory(16) for place in range(count)}
    arrays.update({f"1/logits_{place}": np.zeros((16, 16), np.float32) for place in range(count)})
    flags = dict.fromkeys(("conditioning", "initial", "settled", "good"), np.ones(count, bool))
    rewritten(
        state,
        **arrays,
        **{f"1/{name}": flag for name, flag in flags.items()},
        **{"1/frame": np.arange(count), "1/iou": np.ones(count), "1/score": np.ones(count)},
        **{"1/pointer": np.zeros((count, 256), np.float32)},
    )
    with pytest.raises(BundleError, match="object 1: 17 prompted frames are too many"):
        segmenter.load_state(str(state))


def test_the_largest_numbers_that_are_read_can_be_tracked_with(
    segmenter: VideoSegmenter, state: Path
) -> None:
    """Nothing that a state may say makes the loop fail or warn."""
    changes: dict[str, Any] = {}
    with np.load(state) as data:
        for name, array in data.items():
            column = name.partition("/")[2]
            if column in ("iou", "score", "pointer") or column.startswith(("memory", "logits")):
                changes[name] = np.full_like(array, 1e9)
            elif column.startswith("box_") and column != "box_steady":
                changes[name] = np.full_like(array, 0.0 if "variance" in column else -1e9)
            elif column == "frame":
                changes[name] = array - 2**31
    rewritten(state, **changes)
    for continues in (True, False):
        segmenter.load_state(str(state), continues=continues)
        for frame in FRAMES[:3]:
            segmenter.track(frame)
        segmenter.rewind()
        segmenter.track(FRAMES[0])
