"""BDD100K's segmentation tracking: a folder of JPEGs and one of RGBA PNGs for each video.

In a PNG, red is the category, the two lowest bits of green mark crowds and what is to be ignored,
and 256 times blue plus alpha is the object, the same through a video. After "Label Format" in
BDD100K's documentation, https://doc.bdd100k.com/format.html#bitmask
"""

from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.datasets.clip import DatasetClip
from sam2lite.data.datasets.dataset import Dataset
from sam2lite.data.datasets.frame_folders import frames_and_maps
from sam2lite.data.datasets.label_png import read_rgba_png
from sam2lite.data.datasets.layout import Layout, first_few, layout_error, subfolders
from sam2lite.data.datasets.masks import largest
from sam2lite.data.datasets.pictures import ImageFrames

_IMAGES = Path("images/seg_track_20")
_MASKS = Path("labels/seg_track_20/bitmasks")
_CROWD_OR_IGNORED = 0b11
_MOST_IDS = 1 << 16
_TREE = f"""\
  ROOT/{_IMAGES}/train/<video>/<video>-0000001.jpg ...
  ROOT/{_MASKS}/train/<video>/<video>-0000001.png ...   (RGBA)
  (open ROOT/{_IMAGES}/val for that split)"""


def _root(path: Path) -> tuple[Path, str]:
    """Return the folder that holds `images`, and the split: train unless the path is of another."""
    if path.parent.parts[-2:] == _IMAGES.parts:
        return path.parents[2], path.name
    return path, "train"


def _matches(path: Path) -> bool:
    root, split = _root(path)
    return (root / _IMAGES / split).is_dir()


def _open(path: Path) -> Dataset:
    root, split = _root(path)
    names = [folder.name for folder in subfolders(root / _IMAGES / split)]
    if not names:
        raise layout_error(path, f"it has no videos of the split {split}", _TREE)
    bare = [name for name in names if not (root / _MASKS / split / name).is_dir()]
    if bare:
        raise layout_error(path, f"there is no folder of masks for {first_few(bare)}", _TREE)
    return Dataset("bdd100k", names, partial(_open_clip, root, split))


def _open_clip(root: Path, split: str, name: str) -> DatasetClip:
    parts = Path(split) / name
    frames, maps = frames_and_maps(root / _IMAGES / parts, root / _MASKS / parts, _TREE)
    whole = tuple(maps.values())
    readers = {index: partial(_read_labels, path, whole) for index, path in maps.items()}
    return DatasetClip(name, ImageFrames(frames), readers)


def _read_labels(path: Path, clip: tuple[Path, ...]) -> NDArray[np.uint8]:
    """Read one label map of a clip.

    Args:
        path: of the map.
        clip: all maps of the clip, which say what objects there are.
    """
    return _label_of_id(clip)[_read_ids(path)]


@lru_cache(maxsize=64)
def _label_of_id(clip: tuple[Path, ...]) -> NDArray[np.uint8]:
    """Return the label of every number that an object may have, uint8 [65536]: 0 for none."""
    areas = np.zeros(_MOST_IDS, np.int64)
    for path in clip:
        areas += np.bincount(_read_ids(path).ravel(), minlength=_MOST_IDS)
    areas[0] = 0
    there = np.flatnonzero(areas)
    labels = np.zeros(_MOST_IDS, np.uint8)
    kept = there[largest(areas[there].tolist())]
    labels[kept] = np.arange(1, len(kept) + 1)
    return labels


def _read_ids(path: Path) -> NDArray[np.int64]:
    rgba_hw4 = read_rgba_png(path).astype(np.int64)
    ids: NDArray[np.int64] = (rgba_hw4[..., 2] << 8) + rgba_hw4[..., 3]
    ids[(rgba_hw4[..., 1] & _CROWD_OR_IGNORED) > 0] = 0
    return ids


BDD100K = Layout(_TREE, _matches, _open)
