"""Folders of stills: what is read, what is kept apart, and every kind of bad input."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sam2lite.data.clips.palette_png import encode_palette_png
from sam2lite.data.stills import (
    check_stills,
    is_stills,
    open_stills,
    read_picture,
    split_clips,
    split_stills,
)
from sam2lite.data.stills.terms import may_be_released
from sam2lite.errors import VideoError
from tests.doubles.stills_folder import make_stills


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stills(tmp_path_factory.mktemp("real"))


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "real"))


def test_a_folder_lists_its_stills_and_clips(made: Path) -> None:
    assert is_stills(made)
    assert not is_stills(made / "stills")
    folder = open_stills(made)
    assert len(folder.stills) == 56
    assert folder.stills[0].name == "clothes/000"
    assert [clip.name for clip in folder.clips] == ["videos/run", "videos/walk"]
    assert {still.source for still in folder.stills if not still.releasable} == {"secret"}
    assert all(clip.releasable for clip in folder.clips)


def test_parts_are_one_object(made: Path) -> None:
    by_name = {still.name: still for still in open_stills(made).stills}
    whole = read_picture(by_name["clothes/003"])
    assert whole.objects == 1
    assert whole.parts_hw.max() == 2
    assert np.array_equal(whole.parts_hw > 0, whole.labels_hw > 0)
    several = read_picture(by_name["things/003"])
    assert several.objects == 2
    assert not several.parts_hw.any()


def test_no_still_is_trained_on_and_validated_on(made: Path) -> None:
    stills = open_stills(made).stills
    training, validation = split_stills(stills)
    assert not set(training) & set(validation)
    assert set(training) | set(validation) == set(stills)
    assert {still.source for still in training} == {"things", "clothes"}
    assert {still.source for still in validation} > {"few", "secret"}
    assert split_stills(stills) == (training, validation)
    assert split_stills(stills, seed=1)[1] != validation


def test_unclear_terms_are_never_trained_on(root: Path) -> None:
    terms = root / "SOURCES.md"
    terms.write_text(terms.read_text().replace("| clothes |", "| clouds |"))
    assert {still.source for still in split_stills(open_stills(root).stills)[0]} == {"things"}
    for refused in ("unclear", "research-only", "permissive for research", ""):
        assert not may_be_released(refused)
    terms.write_text(terms.read_text().replace("customary", "research-only"))
    assert split_clips(open_stills(root).clips)[0] == []


def test_half_of_the_clips_are_kept_apart(made: Path) -> None:
    training, validation = split_clips(open_stills(made).clips)
    assert len(training) == len(validation) == 1
    assert training != validation


def test_gaps_small_objects_and_unknown_pixels(root: Path) -> None:
    labels = np.zeros((96, 128), np.uint8)
    labels[10:30, 10:30] = 7
    labels[40:60, 40:60] = 200
    labels[80:87, 80:87] = 3  # 49 px
    labels[0:5] = 255
    (root / "stills/things/000.png").write_bytes(encode_palette_png(labels))
    by_name = {still.name: still for still in open_stills(root).stills}
    picture = read_picture(by_name["things/000"])
    assert np.unique(picture.labels_hw).tolist() == [0, 1, 2]
    assert (picture.labels_hw == 2).sum() == 400
    assert picture.left_out == 1


def break_jpeg(stem: Path) -> None:
    stem.with_suffix(".jpg").write_bytes(b"\xff\xd8\xff nothing")


def cut_jpeg(stem: Path) -> None:
    path = stem.with_suffix(".jpg")
    path.write_bytes(path.read_bytes()[:40])


def other_size(stem: Path) -> None:
    stem.with_suffix(".png").write_bytes(encode_palette_png(np.ones((50, 60), np.uint8)))


def empty_mask(stem: Path) -> None:
    stem.with_suffix(".png").write_bytes(encode_palette_png(np.zeros((96, 128), np.uint8)))


def tiny_object(stem: Path) -> None:
    labels = np.zeros((96, 128), np.uint8)
    labels[3:10, 3:10] = 1
    stem.with_suffix(".png").write_bytes(encode_palette_png(labels))


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (break_jpeg, "000.jpg' cannot be read: it is damaged"),
        (cut_jpeg, "000.jpg' cannot be read: it is damaged"),
        (lambda stem: stem.with_suffix(".jpg").unlink(), "000.jpg' cannot be read: it does not"),
        (lambda stem: stem.with_suffix(".png").unlink(), "000.png' cannot be read"),
        (lambda stem: stem.with_suffix(".png").write_bytes(b"PNG"), "000.png' cannot be read"),
        (other_size, "000.png' is 60x50 px, but its picture is 128x96 px"),
        (empty_mask, "000.png' has no object of 64 px or more"),
        (tiny_object, "000.png' has no object of 64 px or more"),
    ],
)
def test_bad_stills_are_named_skipped_and_counted(root: Path, spoil, named: str) -> None:  # type: ignore[no-untyped-def]
    spoil(root / "stills/things/000")
    stills = open_stills(root).stills
    others = [still for still in stills if still.name != "things/000"]
    checked = check_stills([*stills, *others])
    assert len(checked.reasons) == 1
    assert named in checked.summary()
    assert checked.summary().startswith("1 stills cannot be used")
    assert list(checked.usable) == [*others, *others]


def test_too_many_bad_stills_are_refused(root: Path) -> None:
    for number in range(2):
        break_jpeg(root / f"stills/things/{number:03d}")
    with pytest.raises(VideoError, match="2 of 56 stills cannot be used, more than 1 %"):
        check_stills(open_stills(root).stills)


def test_a_good_folder_has_nothing_to_tell(made: Path) -> None:
    stills = open_stills(made).stills
    checked = check_stills(stills)
    assert (list(checked.usable), checked.reasons) == (list(stills), [])


@pytest.mark.parametrize(
    ("index", "named"),
    [
        ("{", "damaged or not JSON"),
        ("{}", "no 'stills'"),
        ('{"stills": []}', "lists no stills"),
        ('{"stills": [{"id": "1"}]}', "'source'"),
        ('{"stills": [7]}', "an entry lacks or misuses"),
    ],
)
def test_a_bad_index_is_named(root: Path, index: str, named: str) -> None:
    (root / "index.json").write_text(index)
    with pytest.raises(VideoError, match=named):
        open_stills(root)


def test_terms_must_be_there(root: Path) -> None:
    (root / "SOURCES.md").write_text("ask me")
    with pytest.raises(VideoError, match="no table of sources"):
        open_stills(root)
    (root / "SOURCES.md").unlink()
    with pytest.raises(VideoError, match="under which terms"):
        open_stills(root)


def test_another_folder_is_no_folder_of_stills(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="index"):
        open_stills(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({"stills": []}))
    assert not is_stills(tmp_path)
