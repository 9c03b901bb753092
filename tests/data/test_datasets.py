"""Every layout, written in miniature and read back."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam2lite.data.clips import Clip, ClipConfig, generate_clip, write_davis, write_video
from sam2lite.data.clips.palette_png import encode_palette_png
from sam2lite.data.datasets import KINDS, open_dataset, split
from sam2lite.errors import ArgumentError, UnknownNameError, VideoError
from sam2lite.runtimes import rle

HEIGHT, WIDTH, FRAMES = 48, 64, 6


@pytest.fixture(scope="module")
def clip() -> Clip:
    return generate_clip(1, ClipConfig(height=HEIGHT, width=WIDTH, frames=FRAMES))


def write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def write_frames(clip: Clip, folder: Path) -> None:
    for index, frame_rgb in enumerate(clip.frames_rgb_thwc):
        write_image(folder / f"{index:05d}.jpg", frame_rgb[..., ::-1])


def write_labels(clip: Clip, folder: Path, frames: range) -> None:
    folder.mkdir(parents=True)
    for index in frames:
        encoded = encode_palette_png(clip.labels_thw[index])
        (folder / f"{index:05d}.png").write_bytes(encoded)


def write_json(path: Path, record: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


def davis(clip: Clip, root: Path) -> None:
    for name in ("bear", "camel"):
        write_davis(clip, root, name)


def one_sequence(clip: Clip, root: Path) -> None:
    write_frames(clip, root / "JPEGImages")
    write_labels(clip, root / "Annotations", range(FRAMES))


def mose(clip: Clip, root: Path) -> None:
    write_frames(clip, root / "JPEGImages/0a1b")
    write_labels(clip, root / "Annotations/0a1b", range(0, FRAMES, 5))


def youtube_vos(clip: Clip, root: Path) -> None:
    mose(clip, root)
    write_json(root / "meta.json", {"videos": {}})


def masklets(clip: Clip) -> dict[str, object]:
    masks = [[clip.labels_thw[t] == k for k in clip.object_ids] for t in range(0, FRAMES, 4)]
    return {
        "video_frame_count": float(FRAMES),
        "video_height": float(HEIGHT),
        "video_width": float(WIDTH),
        "masklet": [[rle.encode(mask) for mask in frame] for frame in masks],
        "masklet_id": list(range(len(clip.object_ids))),
        "masklet_size_abs": [1.0] * len(clip.object_ids),
    }


def sa_v_videos(clip: Clip, root: Path) -> None:
    (root / "sav_000").mkdir(parents=True)
    write_video(clip, root / "sav_000/sav_000001.mp4")
    write_json(root / "sav_000/sav_000001_manual.json", masklets(clip))


def sa_v_folders(clip: Clip, root: Path) -> None:
    write_frames(clip, root / "JPEGImages_24fps/sav_000262")
    for position, object_id in enumerate(clip.object_ids):
        for t in range(0, FRAMES, 4):
            path = root / f"Annotations_6fps/sav_000262/{position:03d}/{t:05d}.png"
            write_image(path, np.uint8(255) * (clip.labels_thw[t] == object_id))


def bdd100k(clip: Clip, root: Path) -> None:
    """Objects have numbers above 255 in blue and alpha; a crowd lies in the first columns."""
    ids = clip.labels_thw.astype(int) * 200
    for index, (frame_rgb, ids_hw) in enumerate(zip(clip.frames_rgb_thwc, ids, strict=True)):
        name = f"0000f77c/0000f77c-{index + 1:07d}"
        write_image(root / f"images/seg_track_20/train/{name}.jpg", frame_rgb[..., ::-1])
        if index % 5 == 0:
            red, green = np.where(ids_hw, 3, 0), np.where(ids_hw, 4, 0)  # a car, covered in part
            blue, alpha = ids_hw >> 8, ids_hw & 255
            crowd = clip.labels_thw[index] == 0
            crowd[:, 9:] = False
            green[crowd], alpha[crowd] = 2, 77
            bgra = np.stack([blue, green, red, alpha], -1).astype(np.uint8)
            write_image(root / f"labels/seg_track_20/bitmasks/train/{name}.png", bgra)


def annotations(clip: Clip, image_id: int) -> list[dict[str, object]]:
    masks = [clip.labels_thw[0] == object_id for object_id in clip.object_ids]
    return [
        {
            "id": 1000 + index,
            "image_id": image_id,
            "iscrowd": 0,
            "area": int(mask.sum()),
            "segmentation": rle.encode(mask),
        }
        for index, mask in enumerate(masks)
    ]


IMAGE = {"id": 139, "file_name": "000000000139.jpg", "height": HEIGHT, "width": WIDTH}


def coco(clip: Clip, root: Path) -> None:
    write_image(root / "val2017/000000000139.jpg", clip.frames_rgb_thwc[0, ..., ::-1])
    empty = IMAGE | {"id": 7, "file_name": "never_copied.jpg"}
    record = {"images": [empty, IMAGE], "annotations": annotations(clip, 139)}
    write_json(root / "annotations/instances_val2017.json", record)


def sa_1b(clip: Clip, root: Path) -> None:
    write_image(root / "sa_000000/sa_1.jpg", clip.frames_rgb_thwc[0, ..., ::-1])
    record = {"image": IMAGE, "annotations": annotations(clip, 139)}
    write_json(root / "sa_000000/sa_1.json", record)


LAYOUTS = [  # what writes it, its kind, its clips, its annotated frames
    (davis, "davis", ["bear", "camel"], [0, 1, 2, 3, 4, 5]),
    (one_sequence, "davis", ["root"], [0, 1, 2, 3, 4, 5]),
    (youtube_vos, "youtube-vos", ["0a1b"], [0, 5]),
    (mose, "mose", ["0a1b"], [0, 5]),
    (bdd100k, "bdd100k", ["0000f77c"], [0, 5]),
    (sa_v_videos, "sa-v", ["sav_000/sav_000001"], [0, 4]),
    (sa_v_folders, "sa-v", ["sav_000262"], [0, 4]),
    (coco, "coco", ["000000000139"], [0]),
    (sa_1b, "sa-1b", ["sa_000000/sa_1"], [0]),
]


def difference(frames: np.ndarray, other: np.ndarray) -> float:
    """Return the mean difference, without the noise that compression adds."""
    smooth, other_smooth = (
        np.stack([cv2.blur(np.ascontiguousarray(frame), (5, 5)) for frame in some]).astype(int)
        for some in (frames, other)
    )
    return float(np.abs(smooth - other_smooth).mean())


def renumbered(labels: np.ndarray, clip: Clip) -> np.ndarray:
    """Number the objects from 1, as layouts do that have a mask for each."""
    return np.searchsorted([0, *clip.object_ids], labels).astype(np.uint8)


@pytest.mark.parametrize(("write", "kind", "names", "annotated"), LAYOUTS)
def test_a_layout_is_recognised_and_reads_back(
    tmp_path: Path,
    clip: Clip,
    write: Callable[[Clip, Path], None],
    kind: str,
    names: list[str],
    annotated: list[int],
) -> None:
    write(clip, tmp_path / "root")
    dataset = open_dataset(tmp_path / "root")
    assert (dataset.kind, list(dataset.names), len(dataset)) == (kind, names, len(names))
    assert [item.name for item in dataset] == names
    item = dataset[-1]
    assert np.flatnonzero(item.annotated_t).tolist() == annotated
    count = 1 if kind in ("coco", "sa-1b") else FRAMES
    frames, labels = item.frames_rgb_thwc, item.labels_thw
    assert (frames.shape, frames.dtype) == ((count, HEIGHT, WIDTH, 3), np.uint8)  # type: ignore[comparison-overlap]
    truth_frames = clip.frames_rgb_thwc[:count]
    assert difference(frames, truth_frames) < 8
    assert difference(frames, truth_frames) < difference(frames[..., ::-1], truth_frames)
    is_numbered = kind in ("bdd100k", "sa-v", "coco", "sa-1b")
    truth = renumbered(clip.labels_thw, clip) if is_numbered else clip.labels_thw
    assert np.array_equal(labels[annotated], truth[annotated])
    assert not labels[~item.annotated_t].any()
    assert item.object_ids == np.unique(truth[annotated])[1:].tolist()
    same = open_dataset(tmp_path / "root", kind)[-1]
    assert np.array_equal(same.labels_thw, labels)
    assert pickle.loads(pickle.dumps(dataset)).names == dataset.names


@pytest.mark.parametrize("write", [davis, sa_v_videos])
@pytest.mark.parametrize(
    ("first", "count", "stride"), [(0, 6, 1), (1, 3, 2), (5, 3, -2), (4, 1, 9)]
)
def test_a_part_is_the_same_as_that_part_of_the_whole(
    tmp_path: Path,
    clip: Clip,
    write: Callable[[Clip, Path], None],
    first: int,
    count: int,
    stride: int,
) -> None:
    write(clip, tmp_path)
    item = open_dataset(tmp_path)[0]
    frames, labels = item.load(first, count, stride)
    indices = [first + step * stride for step in range(count)]
    assert np.array_equal(frames, item.frames_rgb_thwc[indices])
    assert np.array_equal(labels, item.labels_thw[indices])


@pytest.mark.parametrize(
    ("first", "count", "stride"), [(0, 7, 1), (2, 3, 2), (-1, 1, 1), (1, 3, -1)]
)
def test_a_part_beyond_the_clip_is_refused(
    tmp_path: Path, clip: Clip, first: int, count: int, stride: int
) -> None:
    davis(clip, tmp_path)
    with pytest.raises(ArgumentError, match="frames 0 to 5"):
        open_dataset(tmp_path)[0].load(first, count, stride)


@pytest.mark.parametrize(("count", "stride"), [(0, 1), (2, 0)])
def test_a_part_without_frames_is_refused(
    tmp_path: Path, clip: Clip, count: int, stride: int
) -> None:
    davis(clip, tmp_path)
    with pytest.raises(ArgumentError):
        open_dataset(tmp_path)[0].load(0, count, stride)


def test_a_list_of_davis_sequences_opens_these_alone(tmp_path: Path, clip: Clip) -> None:
    davis(clip, tmp_path)
    names = tmp_path / "ImageSets/2017/train.txt"
    names.write_text("camel\n")
    assert list(open_dataset(names).names) == ["camel"]


def test_the_one_object_of_davis_2016_is_an_object_and_void_of_2017_is_none(
    tmp_path: Path, clip: Clip
) -> None:
    (first, *_), labels = clip.object_ids, clip.labels_thw.copy()
    only = np.where(labels == first, 255, 0).astype(np.uint8)
    labels[:, :4] = 255
    for name, maps in (("2016", only), ("2017", labels)):
        write_davis(clip, tmp_path, name)
        for index, label_map in enumerate(maps):
            path = tmp_path / f"Annotations/480p/{name}/{index:05d}.png"
            path.write_bytes(encode_palette_png(label_map))
    one, several = open_dataset(tmp_path)
    assert one.object_ids == [255]
    np.testing.assert_array_equal(one.labels_thw, only)
    assert 255 not in several.object_ids
    np.testing.assert_array_equal(several.labels_thw, np.where(labels == 255, 0, labels))


def test_a_split_of_bdd100k_opens_by_its_folder(tmp_path: Path, clip: Clip) -> None:
    bdd100k(clip, tmp_path)
    for part in ("images/seg_track_20", "labels/seg_track_20/bitmasks"):
        (tmp_path / part / "train").rename(tmp_path / part / "val")
    with pytest.raises(VideoError, match="expected one of"):
        open_dataset(tmp_path)
    opened = open_dataset(tmp_path / "images/seg_track_20/val")
    assert (opened.kind, list(opened.names)) == ("bdd100k", ["0000f77c"])
    first = tmp_path / "labels/seg_track_20/bitmasks/val/0000f77c/0000f77c-0000001.png"
    first.write_bytes(encode_palette_png(clip.labels_thw[0]))
    with pytest.raises(VideoError, match="kind P; they must be RGBA of 8 bits, of which blue and"):
        opened[0].load(0, 1)


def test_one_of_several_coco_files_is_opened_by_its_path(tmp_path: Path, clip: Clip) -> None:
    coco(clip, tmp_path)
    file = tmp_path / "annotations/instances_val2017.json"
    (tmp_path / "annotations/instances_train2017.json").write_text("{}")
    assert list(open_dataset(file).names) == ["000000000139"]


def test_coco_crowds_are_not_objects(tmp_path: Path, clip: Clip) -> None:
    coco(clip, tmp_path)
    file = tmp_path / "annotations/instances_val2017.json"
    record = json.loads(file.read_text())
    record["annotations"][0]["iscrowd"] = 1
    file.write_text(json.dumps(record))
    assert len(open_dataset(tmp_path)[0].object_ids) == len(np.unique(clip.labels_thw[0])) - 2


def test_a_mask_one_pixel_off_is_fitted(tmp_path: Path, clip: Clip) -> None:
    one_sequence(clip, tmp_path)
    narrow = clip.labels_thw[0][:, 1:]
    (tmp_path / "Annotations/00000.png").write_bytes(encode_palette_png(narrow))
    labels = open_dataset(tmp_path)[0].labels_thw[0]
    assert labels.shape == (HEIGHT, WIDTH)
    assert (labels == clip.labels_thw[0]).mean() > 0.95
    assert set(np.unique(labels)) <= {0, *clip.object_ids}


def test_unpadded_frame_numbers_are_in_order(tmp_path: Path) -> None:
    for index in range(12):
        for folder, suffix in (("JPEGImages", "png"), ("Annotations", "png")):
            grey = np.full((8, 8), index + 1, np.uint8)
            write_image(tmp_path / folder / f"{index}.{suffix}", grey)
    item = open_dataset(tmp_path)[0]
    assert item.labels_thw[:, 0, 0].tolist() == list(range(1, 13))
    assert item.frames_rgb_thwc[:, 0, 0, 0].tolist() == list(range(1, 13))


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=KINDS[0]):
        open_dataset(tmp_path, "imagenet")


def test_the_split_is_by_name_and_stays_when_clips_come_or_go(tmp_path: Path, clip: Clip) -> None:
    davis(clip, tmp_path)
    dataset = open_dataset(tmp_path).only([f"clip{index}" for index in range(1000)])
    train, validation = split(dataset, seed=3)
    assert sorted([*train.names, *validation.names]) == sorted(dataset.names)
    assert 160 < len(validation) < 240
    fewer = split(dataset.only(dataset.names[::2]), seed=3)[1]
    assert set(fewer.names) == set(validation.names) & set(dataset.names[::2])
    assert set(split(dataset, seed=4)[1].names) != set(validation.names)
