"""What is said about folders that are not, or not quite, a data set."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam2lite.data.datasets import open_dataset
from sam2lite.errors import VideoError

SIZE = (16, 24)


def write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A DAVIS folder with sequence `bear` of 3 frames, which shows object 1."""
    for index in range(3):
        frame = np.full((*SIZE, 3), 90, np.uint8)
        write_image(tmp_path / f"JPEGImages/480p/bear/{index:05d}.jpg", frame)
        write_image(
            tmp_path / f"Annotations/480p/bear/{index:05d}.png", np.eye(*SIZE, dtype=np.uint8)
        )
    return tmp_path


@pytest.fixture
def coco_json(tmp_path: Path) -> Path:
    """A COCO file for one image with one object."""
    write_image(tmp_path / "val/a.jpg", np.zeros((*SIZE, 3), np.uint8))
    image = {"id": 1, "file_name": "a.jpg", "height": SIZE[0], "width": SIZE[1]}
    square = [2.0, 2.0, 10.0, 2.0, 10.0, 10.0, 2.0, 10.0]
    annotation = {"image_id": 1, "area": 64.0, "segmentation": [square]}
    path = tmp_path / "annotations/instances_val.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"images": [image], "annotations": [annotation]}))
    return path


def refused(path: Path, *parts: str, kind: str | None = None) -> None:
    """Read everything, and see that the message has these parts."""
    with pytest.raises(VideoError) as caught:
        for clip in open_dataset(path, kind):
            clip.load(0, len(clip))
            _ = clip.object_ids
    for part in parts:
        assert part in str(caught.value)


def test_missing_path(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "nowhere", "check the path")


def test_empty_folder_is_answered_with_every_layout(tmp_path: Path) -> None:
    refused(
        tmp_path, str(tmp_path), "is empty", "JPEGImages/480p", "instances_val2017", "sa_1.json"
    )


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_text("x")
    refused(tmp_path / "x.zip", "it is a file")


def test_another_layout_is_named_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "labelme").mkdir()
    refused(tmp_path, "it holds labelme/")


def test_a_data_set_one_level_down_is_pointed_at(root: Path) -> None:
    folder = root / "up"
    folder.mkdir()
    for name in ("JPEGImages", "Annotations"):
        (root / name).rename(folder / name)
    refused(root, "'up' in it is davis: open that")


@pytest.mark.parametrize(
    ("kind", "tree"),
    [("sa-v", "sav_000001.mp4"), ("coco", "instances_val2017"), ("sa-1b", "sa_1.json")],
)
def test_a_forced_kind_that_does_not_fit(root: Path, kind: str, tree: str) -> None:
    refused(root, str(root), tree, kind=kind)


def test_folders_forced_on_images(coco_json: Path) -> None:
    refused(coco_json.parent.parent, "no folder 'JPEGImages'", "480p/<sequence>", kind="davis")


def no_annotations(root: Path) -> None:
    shutil.rmtree(root / "Annotations")


def no_masks_of_a_sequence(root: Path) -> None:
    shutil.rmtree(root / "Annotations/480p/bear")


def empty_masks_folder(root: Path) -> None:
    for path in (root / "Annotations/480p/bear").iterdir():
        path.unlink()


def empty_sequence(root: Path) -> None:
    for path in (root / "JPEGImages/480p/bear").iterdir():
        path.unlink()
    shutil.copytree(root / "JPEGImages/480p/bear", root / "JPEGImages/480p/a/b")


def no_sequences(root: Path) -> None:
    shutil.rmtree(root / "JPEGImages/480p")


def stray_mask(root: Path) -> None:
    (root / "JPEGImages/480p/bear/00002.jpg").unlink()


def unknown_sequence(root: Path) -> None:
    (root / "list.txt").write_text("bear wolf")


@pytest.mark.parametrize(
    ("damage", "path", "found"),
    [
        (no_annotations, "", "no folder 'Annotations'"),
        (no_masks_of_a_sequence, "", "no folder of masks for bear"),
        (empty_masks_folder, "", "it has no masks"),
        (empty_sequence, "", "no folder of masks for a"),
        (no_sequences, "", "no sequences"),
        (stray_mask, "", "00002.png have no frame"),
        (unknown_sequence, "list.txt", "no frames of wolf"),
    ],
)
def test_a_damaged_tree_is_shown_as_it_should_be(
    root: Path, damage: Callable[[Path], None], path: str, found: str
) -> None:
    damage(root)
    refused(root / path, found, "ROOT/JPEGImages/480p/<sequence>/00000.jpg")


def odd_mask(folder: Path) -> None:
    write_image(folder / "Annotations/480p/bear/00001.png", np.ones((16, 20), np.uint8))


def odd_frame(folder: Path) -> None:
    write_image(folder / "JPEGImages/480p/bear/00001.jpg", np.ones((20, 24), np.uint8))


def broken_frame(folder: Path) -> None:
    (folder / "JPEGImages/480p/bear/00001.jpg").write_text("no image")


def broken_mask(folder: Path) -> None:
    (folder / "Annotations/480p/bear/00001.png").write_text("no image")


def short_mask(folder: Path) -> None:
    path = folder / "Annotations/480p/bear/00001.png"
    path.write_bytes(path.read_bytes()[:-20])


def coloured_mask(folder: Path) -> None:
    write_image(folder / "Annotations/480p/bear/00001.png", np.ones((*SIZE, 3), np.uint8))


def deep_mask(folder: Path) -> None:
    write_image(folder / "Annotations/480p/bear/00001.png", np.full(SIZE, 300, np.uint16))


def nothing_there(folder: Path) -> None:
    for path in (folder / "Annotations/480p/bear").iterdir():
        write_image(path, np.zeros(SIZE, np.uint8))


@pytest.mark.parametrize(
    ("damage", "parts"),
    [
        (odd_mask, ("bear", "frame 1 is 20x16 px", "24x16", "nearest")),
        (odd_frame, ("00001.jpg", "24x20", "24x16")),
        (broken_frame, ("00001.jpg", "damaged")),
        (broken_mask, ("00001.png", "damaged")),
        (short_mask, ("00001.png", "cut short")),
        (coloured_mask, ("00001.png", "palette")),
        (deep_mask, ("00001.png", "16 bits", "255")),
        (nothing_there, ("bear", "no objects", "3 label maps")),
    ],
)
def test_a_damaged_file_is_named(
    root: Path, damage: Callable[[Path], None], parts: tuple[str, ...]
) -> None:
    damage(root)
    refused(root, *parts)


def test_several_coco_files_are_listed(coco_json: Path) -> None:
    shutil.copy(coco_json, coco_json.with_name("instances_train.json"))
    refused(coco_json.parent.parent, "instances_train.json, instances_val.json", "open one")


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("annotations", [], "none of its images has an object"),
        ("annotations", [{}], "'image_id'"),
        ("annotations", [{"image_id": 1, "area": 1.0}], "'segmentation'"),
        ("annotations", [{"image_id": 1, "segmentation": []}], "'area'"),
        ("annotations", [{"image_id": 1, "area": 1, "segmentation": [[1, 2, 3]]}], "malformed"),
        (
            "annotations",
            [{"image_id": 1, "area": 1, "segmentation": {"size": [16, 24], "counts": "~"}}],
            "malformed",
        ),
        (
            "annotations",
            [{"image_id": 1, "area": 1, "segmentation": {"size": [8, 8], "counts": [60, 4]}}],
            "8x8 px, but its frame is 24x16",
        ),
        ("images", [{"id": 1, "file_name": "b.jpg"}], "'b.jpg' is not in"),
        ("images", [{"id": 1}], "'file_name'"),
    ],
)
def test_a_damaged_coco_file(coco_json: Path, key: str, value: list[object], found: str) -> None:
    record = json.loads(coco_json.read_text())
    coco_json.write_text(json.dumps(record | {key: value}))
    refused(coco_json, str(coco_json), found)


@pytest.mark.parametrize(
    ("text", "found"), [("[1, 2", "not valid JSON"), ("{}", "no 'images', 'ann")]
)
def test_what_is_no_coco_file(coco_json: Path, text: str, found: str) -> None:
    coco_json.write_text(text)
    refused(coco_json, str(coco_json), found, "val2017")


@pytest.mark.parametrize(("kind", "suffix"), [("sa-v", "mp4"), ("sa-1b", "jpg")])
def test_media_without_annotations(tmp_path: Path, kind: str, suffix: str) -> None:
    for index in range(9):
        (tmp_path / f"x{index}.{suffix}").write_text("")
    refused(tmp_path, "no masks for x0", "and 3 more", kind=kind)


@pytest.mark.parametrize(
    ("masklet", "frames", "found"),
    [
        ([[None, None]], 4, "2 masks for frame 0"),
        ([[None], [None]], 4, "frame 4"),
        ([[None]], 4, "cannot be opened"),
    ],
)
def test_a_damaged_sa_v_pair(
    tmp_path: Path, masklet: list[object], frames: int, found: str
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    record = {"video_frame_count": frames, "video_height": 16, "video_width": 24}
    record |= {"masklet": masklet, "masklet_size_abs": [1.0]}  # type: ignore[dict-item]
    (tmp_path / "a_auto.json").write_text(json.dumps(record))
    refused(tmp_path, "a", found)


def test_a_video_shorter_than_its_annotations(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 24, (32, 16))
    for _ in range(3):
        writer.write(np.zeros((16, 32, 3), np.uint8))
    writer.release()
    record = {"video_frame_count": 8.0, "video_height": 16.0, "video_width": 32.0}
    record |= {"masklet": [[None]], "masklet_size_abs": [1.0]}  # type: ignore[dict-item]
    (tmp_path / "a_manual.json").write_text(json.dumps(record))
    refused(tmp_path, "a.mp4", "has 3 frames", "say 8")
