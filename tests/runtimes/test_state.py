import os
import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2lite.errors import ArgumentError, BundleError, OutputError
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.segmenter import VideoSegmenter


def frame(index: int) -> np.ndarray:
    """Texture that moves to the left."""
    noise = np.random.default_rng(0).integers(0, 256, (120, 320, 3), np.uint8)
    return np.ascontiguousarray(noise[:, 4 * index : 4 * index + 160])


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return open_bundle(str(tiny_bundle))


@pytest.fixture
def segmenter(bundle: Bundle) -> Iterator[VideoSegmenter]:
    with VideoSegmenter(bundle, rung=240) as segmenter:
        yield segmenter


@pytest.fixture
def state(segmenter: VideoSegmenter, tmp_path: Path) -> Path:
    """The state of two objects after six frames; `segmenter` is the one that has it."""
    segmenter.prompt(frame(0), 1, points=[(80, 60)])
    segmenter.prompt(frame(0), 5, box=(10, 10, 60, 60))
    for index in range(6):
        segmenter.track(frame(index))
    path = tmp_path / "state.npz"
    segmenter.save_state(str(path))
    return path


def test_a_loaded_state_goes_on_as_if_nothing_had_happened(
    bundle: Bundle, segmenter: VideoSegmenter, state: Path
) -> None:
    expected = [segmenter.track(frame(index)) for index in range(6, 12)]
    with VideoSegmenter(bundle, rung=240) as other:
        other.prompt(frame(30), 9, points=[(5, 5)])  # is forgotten
        other.load_state(str(state))
        assert other.object_ids == [1, 5]
        for result in expected:
            found = other.track(frame(result.frame_index))
            assert found.frame_index == result.frame_index
            for object_id in (1, 5):
                one, two = result.objects[object_id], found.objects[object_id]
                np.testing.assert_array_equal(one.logits, two.logits)
                np.testing.assert_array_equal(one.mask, two.mask)
                assert (one.iou, one.object_score) == (two.iou, two.object_score)


def test_objects_are_followed_into_another_video(
    bundle: Bundle, segmenter: VideoSegmenter, state: Path
) -> None:
    """It counts from 0, and its frames have another size."""
    expected = segmenter.track(frame(6))
    with VideoSegmenter(bundle, rung=240) as other:
        other.load_state(str(state), continues=False)
        picture = np.ascontiguousarray(frame(6)[:60, :80])
        found = other.track(picture, frame_index=0)
        assert found.objects.keys() == expected.objects.keys()
        assert found.objects[1].mask.shape == (60, 80)
        assert found.frame_index == 0


def test_the_file_has_the_arrays_that_it_always_had(state: Path) -> None:
    columns = ("age", "ordinal", "token", "motion", "uncertainty", "anchor", "valid", "stored")
    of_object = (*columns, "key", "value", "hint")
    names = {f"{object_id}/{name}" for object_id in (1, 5) for name in of_object}
    with np.load(state) as data:
        assert set(data.files) == names | {"bundle_sha256", "next_index", "object_ids", "grey"}


def test_memory_of_another_shape_is_refused(segmenter: VideoSegmenter, state: Path) -> None:
    with np.load(state) as data:
        arrays = dict(data)
    for name in ("1/age", "5/key"):
        np.savez(state, **dict(arrays, **{name: arrays[name][..., :9]}))
        with pytest.raises(BundleError, match=rf"is not a readable state file \({name[2:]} is "):
            segmenter.load_state(str(state))


def test_a_state_of_nothing_can_be_loaded(segmenter: VideoSegmenter, tmp_path: Path) -> None:
    path = str(tmp_path / "state.npz")
    segmenter.save_state(path)
    segmenter.prompt(frame(0), points=[(80, 60)])
    segmenter.load_state(path)
    assert segmenter.object_ids == []
    assert segmenter.track(frame(0)).frame_index == 0


def test_there_is_no_frame_to_correct_after_loading(segmenter: VideoSegmenter, state: Path) -> None:
    segmenter.load_state(str(state))
    with pytest.raises(ArgumentError, match="no frame to correct yet"):
        segmenter.correct(1, points=[(80, 60)])


def test_a_state_of_another_bundle_is_refused(
    segmenter: VideoSegmenter, state: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other"
    shutil.copytree(tiny_bundle, path)
    manifest = path / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    with VideoSegmenter(str(path), rung=240) as other:
        other.prompt(frame(0), 3, points=[(80, 60)])
        with pytest.raises(BundleError, match="saved with another bundle"):
            other.load_state(str(state))
        assert other.object_ids == [3]


def test_what_is_no_state_is_refused(segmenter: VideoSegmenter, state: Path) -> None:
    folder = state.parent
    (folder / "empty.npz").write_bytes(b"")
    (folder / "text.npz").write_text("not a state")
    (folder / "short.npz").write_bytes(state.read_bytes()[:-100])
    np.savez(folder / "other.npz", numbers=np.arange(3))
    np.save(folder / "array.npy", np.arange(3))
    np.save(folder / "pickled.npy", np.array([{}], object), allow_pickle=True)
    for name in ("empty.npz", "text.npz", "short.npz", "other.npz", "array.npy", "pickled.npy"):
        with pytest.raises(BundleError, match=rf"{name} is not a readable state file"):
            segmenter.load_state(str(folder / name))
    with pytest.raises(BundleError, match="missing"):
        segmenter.load_state(str(folder / "missing.npz"))
    assert segmenter.object_ids == [1, 5]
    assert segmenter.track(frame(6)).frame_index == 6


def test_no_state_is_left_where_none_can_be_written(
    segmenter: VideoSegmenter, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match="cannot write the state"):
        segmenter.save_state(str(tmp_path / "missing" / "state.npz"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot write the state"):
        segmenter.save_state(str(tmp_path / "folder"))
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def rewritten(path: Path, **changes: Any) -> Path:
    """Write a state with other arrays; None takes one away."""
    with np.load(path) as data:
        arrays = {**data, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def column(value: float, dtype: str = "int64") -> np.ndarray:
    return np.full(256, value, dtype)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"object_ids": np.array([1, 1])}, "an object's id is there twice"),
        ({"object_ids": np.array([1.5, 5.0])}, "object_ids is float64, not int64"),
        ({"object_ids": np.arange(17)}, r"object_ids is \[17\]"),
        ({"object_ids": np.array([1])}, "'5/age' is unknown"),
        ({"next_index": np.array(-1)}, "next_index has numbers outside"),
        ({"next_index": np.array(2**40)}, "next_index has numbers outside"),
        ({"1/age": None}, "1/age is missing"),
        ({"1/age": column(-5)}, "age has numbers outside"),
        ({"1/age": column(2**62)}, "age has numbers outside"),
        ({"1/token": column(32)}, "token has numbers outside 0 to 31"),
        ({"1/valid": column(1)}, "valid is int64, not bool"),
        ({"1/motion": column(np.nan, "float32")}, "motion has numbers that are not finite"),
        ({"1/ordinal": column(99), "1/valid": column(1, "bool")}, "was not stored"),
        ({"1/hint": np.zeros((60, 61), np.float32)}, "hint is"),
        ({"1/hint": np.zeros((7, 7), np.float32)}, r"hint is \[7, 7\], not"),
        ({"1/hint": np.full((60, 60), 1e38, np.float32)}, "hint has numbers outside"),
        ({"1/key": np.zeros((1, 256, 256), np.complex64)}, "key has"),
        ({"grey": np.full((60, 60), 1e6, np.float32)}, "grey has numbers outside"),
        ({"stranger": np.zeros(2)}, "'stranger' is unknown"),
    ],
)
def test_what_could_not_be_tracked_with_is_refused_first(
    segmenter: VideoSegmenter, state: Path, changes: dict[str, Any], fault: str
) -> None:
    rewritten(state, **changes)
    with pytest.raises(BundleError, match=f"is not a readable state file.*{fault}"):
        segmenter.load_state(str(state))
    assert segmenter.object_ids == [1, 5]
    assert segmenter.track(frame(6)).frame_index == 6


def test_other_widths_and_byte_orders_of_the_same_numbers_are_read(
    segmenter: VideoSegmenter, state: Path
) -> None:
    expected = segmenter.track(frame(6)).objects[1].logits
    with np.load(state) as data:
        age, key = data["1/age"], data["1/key"]
    changes = {"1/age": age.astype(">i4"), "1/key": np.asfortranarray(key.astype(np.float64))}
    rewritten(state, **changes, next_index=np.array(6, np.int32))
    segmenter.load_state(str(state))
    np.testing.assert_array_equal(segmenter.track(frame(6)).objects[1].logits, expected)


def test_a_state_is_not_unpacked_before_its_sizes_are_known(
    segmenter: VideoSegmenter, state: Path
) -> None:
    with np.load(state) as data:
        arrays = dict(data)
    arrays["1/age"] = np.zeros(1 << 24, np.int64)
    np.savez_compressed(state, **arrays)
    assert state.stat().st_size < 1 << 23
    tracemalloc.start()
    with pytest.raises(BundleError, match="1/age has 134217856 bytes"):
        segmenter.load_state(str(state))
    assert tracemalloc.get_traced_memory()[1] < 1 << 26
    tracemalloc.stop()


def test_a_state_is_a_regular_file(segmenter: VideoSegmenter, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(BundleError, match=r"no regular file|cannot read"):
            segmenter.load_state(str(path))
