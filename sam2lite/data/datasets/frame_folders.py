"""DAVIS 2017, YouTube-VOS and MOSE: a folder of JPEGs and one of label PNGs for each sequence."""

from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.datasets.clip import DatasetClip
from sam2lite.data.datasets.dataset import Dataset
from sam2lite.data.datasets.label_png import read_label_png
from sam2lite.data.datasets.layout import Layout, files_in, first_few, layout_error, subfolders
from sam2lite.data.datasets.pictures import ImageFrames
from sam2lite.errors import VideoError
from sam2lite.files.reading import MEBIBYTE, read_text
from sam2lite.runtimes.video.files import IMAGE_SUFFIXES

_IMAGES, _MASKS = "JPEGImages", "Annotations"
_MOST_BYTES = 16 * MEBIBYTE  # of a list of sequences
_RESOLUTION = "480p"  # of DAVIS, taken where there are several
_VOID = 255

_DAVIS_TREE = """\
  ROOT/JPEGImages/480p/<sequence>/00000.jpg ...
  ROOT/Annotations/480p/<sequence>/00000.png ...   (palette PNG: the pixel is the object)
  ROOT/ImageSets/2017/val.txt                      (open this file for its sequences alone)
or, for one sequence,
  ROOT/JPEGImages/00000.jpg ...
  ROOT/Annotations/00000.png ..."""
_PLAIN_TREE = """\
  ROOT/JPEGImages/<video>/00000.jpg ...
  ROOT/Annotations/<video>/00000.png ...           (not every frame needs one)"""
_YOUTUBE_TREE = _PLAIN_TREE + "\n  ROOT/meta.json"

Folders = Mapping[str, tuple[Path, Path]]  # name: frames, masks


def _has_resolutions(root: Path) -> bool:
    """Return whether a level of folders lies between `JPEGImages` and the sequences."""
    for folder in subfolders(root / _IMAGES):
        if files_in(folder, IMAGE_SUFFIXES):
            return False
        if subfolders(folder):
            return True
    return False


def _root(path: Path) -> Path:
    """Return the folder that holds `JPEGImages`; a list of sequences may lie anywhere below it."""
    if path.suffix != ".txt":
        return path
    return next((folder for folder in path.parents if (folder / _IMAGES).is_dir()), path)


def _is_plain(path: Path) -> bool:
    images = path / _IMAGES
    is_deep = not files_in(images, IMAGE_SUFFIXES) and not _has_resolutions(path)
    return is_deep and bool(subfolders(images))


def _is_davis(path: Path) -> bool:
    root = _root(path)
    return (root / _IMAGES).is_dir() and (root != path or not _is_plain(root))


def _is_youtube_vos(path: Path) -> bool:
    return _is_plain(path) and (path / "meta.json").is_file()


def _sequences(root: Path, tree: str) -> Folders:
    images, masks = root / _IMAGES, root / _MASKS
    for folder in (images, masks):
        if not folder.is_dir():
            raise layout_error(root, f"it has no folder '{folder.name}'", tree)
    if files_in(images, IMAGE_SUFFIXES):
        return {root.resolve().name: (images, masks)}
    if _has_resolutions(root):
        names = [folder.name for folder in subfolders(images)]
        resolution = _RESOLUTION if _RESOLUTION in names else names[0]
        images, masks = images / resolution, masks / resolution
    return {folder.name: (folder, masks / folder.name) for folder in subfolders(images)}


def _open(kind: str, tree: str, path: Path) -> Dataset:
    root = _root(path)
    folders = _sequences(root, tree)
    names = list(folders)
    if path.is_file():
        names = read_text(str(path), _MOST_BYTES, VideoError, "it lists sequences").split()
    if not names:
        raise layout_error(path, "it has no sequences", tree)
    unknown = [name for name in names if name not in folders]
    if unknown:
        raise layout_error(path, f"there are no frames of {first_few(unknown)}", tree)
    bare = [name for name in names if not folders[name][1].is_dir()]
    if bare:
        raise layout_error(path, f"there is no folder of masks for {first_few(bare)}", tree)
    return Dataset(kind, names, partial(_open_clip, folders, tree))


def frames_and_maps(images: Path, masks: Path, tree: str) -> tuple[list[Path], dict[int, Path]]:
    """Return the frames of a clip in order, and its label maps by the frames that they are of.

    Args:
        images: folder of the frames.
        masks: folder of PNGs, which are named like their frames; not every frame needs one.
        tree: of the layout, for messages.

    Raises:
        VideoError: there are no frames or no maps, or a map has no frame.
    """
    frames = files_in(images, IMAGE_SUFFIXES)
    label_maps = files_in(masks, (".png",))
    for folder, files, what in ((images, frames, "frames"), (masks, label_maps, "masks")):
        if not files:
            raise layout_error(folder, f"it has no {what}", tree)
    index_of = {path.stem: index for index, path in enumerate(frames)}
    strays = [path.name for path in label_maps if path.stem not in index_of]
    if strays:
        raise layout_error(masks, f"{first_few(strays)} have no frame of the same name", tree)
    return frames, {index_of[path.stem]: path for path in label_maps}


def _open_clip(folders: Folders, tree: str, name: str) -> DatasetClip:
    frames, maps = frames_and_maps(*folders[name], tree)
    first = maps[min(maps)]
    readers = {index: partial(_read_labels, path, first) for index, path in maps.items()}
    return DatasetClip(name, ImageFrames(frames), readers)


def _read_labels(path: Path, first: Path) -> NDArray[np.uint8]:
    """Read a label map of the clip whose first one is `first`.

    DAVIS 2016 writes its one object as 255, which in later data sets is void: no object's.
    """
    labels = read_label_png(path)
    if not _is_of_one_object(first):
        labels[labels == _VOID] = 0
    return labels


@lru_cache(maxsize=1024)
def _is_of_one_object(path: Path) -> bool:
    return set(np.unique(read_label_png(path))) <= {0, _VOID}


DAVIS = Layout(_DAVIS_TREE, _is_davis, partial(_open, "davis", _DAVIS_TREE))
YOUTUBE_VOS = Layout(_YOUTUBE_TREE, _is_youtube_vos, partial(_open, "youtube-vos", _YOUTUBE_TREE))
MOSE = Layout(_PLAIN_TREE, _is_plain, partial(_open, "mose", _PLAIN_TREE))
