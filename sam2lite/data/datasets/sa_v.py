"""SA-V: videos with run-length masks (training), or JPEGs with a PNG for each object (validation).

The masks are of every fourth frame, and they overlap. After `sav_dataset/README.md` of
facebookresearch/sam2.
"""

from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam2lite.contracts.arguments import whole_number
from sam2lite.data.datasets.clip import DatasetClip
from sam2lite.data.datasets.dataset import Dataset
from sam2lite.data.datasets.json_files import picture_size, read_json
from sam2lite.data.datasets.label_png import read_label_png
from sam2lite.data.datasets.layout import (
    Layout,
    files_in,
    first_few,
    layout_error,
    stems_in,
    subfolders,
)
from sam2lite.data.datasets.masks import largest, painted, segmentation_mask
from sam2lite.data.datasets.pictures import ImageFrames, VideoFrames
from sam2lite.errors import ArgumentError, VideoError
from sam2lite.runtimes.video.files import IMAGE_SUFFIXES

_MOST_FRAMES = 1 << 24  # six days at 30 a second
_STRIDE = 4  # from one annotated frame of a video to the next
_VIDEO = ".mp4"
_ANNOTATIONS = ("_manual.json", "_auto.json")  # the first that there is
_IMAGES, _MASKS = "JPEGImages_24fps", "Annotations_6fps"
_TREE = f"""\
  ROOT/[sav_000/]sav_000001.mp4 ...
  ROOT/[sav_000/]sav_000001_manual.json ...        (or _auto.json)
or
  ROOT/{_IMAGES}/<video>/00000.jpg ...
  ROOT/{_MASKS}/<video>/<object>/00000.png, 00004.png ..."""


def _matches(path: Path) -> bool:
    has_masks = (_annotations(path, name).is_file() for name in stems_in(path, _VIDEO))
    return (path / _IMAGES).is_dir() or any(has_masks)


def _open(path: Path) -> Dataset:
    has_folders = (path / _IMAGES).is_dir()
    if has_folders:
        names = [folder.name for folder in subfolders(path / _IMAGES)]
        bare = [name for name in names if not subfolders(path / _MASKS / name)]
    else:
        names = stems_in(path, _VIDEO)
        bare = [name for name in names if not _annotations(path, name).is_file()]
    if not names:
        raise layout_error(path, "it has no videos", _TREE)
    if bare:
        raise layout_error(path, f"there are no masks for {first_few(bare)}", _TREE)
    return Dataset("sa-v", names, partial(_open_folders if has_folders else _open_video, path))


def _annotations(root: Path, name: str) -> Path:
    paths = [root / (name + ending) for ending in _ANNOTATIONS]
    return next((path for path in paths if path.is_file()), paths[0])


def _open_video(root: Path, name: str) -> DatasetClip:
    path = _annotations(root, name)
    keys = ("video_frame_count", "video_height", "video_width", "masklet", "masklet_size_abs")
    record = read_json(path, keys, _TREE)
    areas, count = record["masklet_size_abs"], record["video_frame_count"]
    try:
        height, width = picture_size(record, *keys[1:3])
        kept = largest(areas)
        masklet = [list(segmentations) for segmentations in record["masklet"]]
        if isinstance(count, float) and count.is_integer():  # as Meta's files have it
            count = int(count)
        count = whole_number("video_frame_count", count, 0, _MOST_FRAMES)
    except (ArgumentError, KeyError, TypeError, ValueError) as error:
        raise layout_error(path, f"an entry is malformed: {error}", _TREE) from error
    readers = {}
    for index, segmentations in enumerate(masklet):
        frame = index * _STRIDE
        if len(segmentations) != len(areas) or frame >= count:
            raise VideoError(
                f"'{path}' has {len(segmentations)} masks for frame {frame}, but says that there "
                f"are {len(areas)} objects and {count} frames; copy it again"
            )
        chosen = [segmentations[position] for position in kept]
        readers[frame] = partial(_read_masks, chosen, height, width, path)
    return DatasetClip(name, VideoFrames(root / (name + _VIDEO), count), readers)


def _read_masks(
    segmentations: list[Any], height: int, width: int, source: Path
) -> NDArray[np.uint8]:
    masks = (segmentation_mask(item, height, width, source) for item in segmentations)
    return painted(masks, height, width)


def _open_folders(root: Path, name: str) -> DatasetClip:
    frames = files_in(root / _IMAGES / name, IMAGE_SUFFIXES)
    index_of = {path.stem: index for index, path in enumerate(frames)}
    paths_of_frame: dict[int, list[tuple[int, Path]]] = defaultdict(list)
    for label, folder in enumerate(subfolders(root / _MASKS / name), 1):
        for path in files_in(folder, (".png",)):
            if path.stem not in index_of:
                raise layout_error(folder, f"{path.name} has no frame of the same name", _TREE)
            paths_of_frame[index_of[path.stem]].append((label, path))
    if not paths_of_frame:
        raise layout_error(root / _MASKS / name, "it has no masks", _TREE)
    readers = {index: partial(_read_pngs, paths) for index, paths in paths_of_frame.items()}
    return DatasetClip(name, ImageFrames(frames), readers)


def _read_pngs(paths: list[tuple[int, Path]]) -> NDArray[np.uint8]:
    masks = {label: read_label_png(path) > 0 for label, path in paths}
    shapes = {mask.shape for mask in masks.values()}
    if len(shapes) > 1:
        raise VideoError(
            f"'{paths[0][1]}' and the masks of other objects in that frame differ in size; "
            "a mask must have the size of its frame"
        )
    height, width = shapes.pop()
    nothing = np.zeros((height, width), bool)
    in_order = (masks.get(label, nothing) for label in range(1, max(masks) + 1))
    return painted(in_order, height, width)


SA_V = Layout(_TREE, _matches, _open)
