"""COCO: one JSON file with the outlines of the objects in a folder of images."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.datasets.clip import DatasetClip
from sam2lite.data.datasets.dataset import Dataset
from sam2lite.data.datasets.json_files import inner_path, picture_size, read_json
from sam2lite.data.datasets.layout import Layout, first_few, layout_error
from sam2lite.data.datasets.masks import largest, painted, segmentation_mask
from sam2lite.data.datasets.pictures import ImageFrames
from sam2lite.errors import VideoError

_PREFIX = "instances_"
_TREE = """\
  ROOT/annotations/instances_val2017.json          (open this file if there are several)
  ROOT/[images/]val2017/000000000139.jpg ..."""

Record = Mapping[str, Any]


def read_annotations(
    image: Record, annotations: Sequence[Record], source: Path
) -> NDArray[np.uint8]:
    """Paint the annotations of an image, numbered from 1 in their order.

    Args:
        image: with `height` and `width`, px.
        annotations: with `segmentation` and `area`; only the largest 255 are taken.
        source: the file that they are from, for messages.

    Returns:
        uint8 [height, width].

    Raises:
        VideoError: they are malformed.
    """
    try:
        height, width = picture_size(image)
        kept = largest([annotation["area"] for annotation in annotations])
        segmentations = [annotations[index]["segmentation"] for index in kept]
    except (KeyError, TypeError, ValueError) as error:
        raise VideoError(
            f"'{source}' is malformed ({type(error).__name__}: {error}); an image has 'height' and "
            "'width', an annotation has 'area' and 'segmentation'"
        ) from error
    masks = (segmentation_mask(item, height, width, source) for item in segmentations)
    return painted(masks, height, width)


def read_instances_file(path: Path) -> tuple[Path, dict[str, Any]]:
    """Return the one file of instances of a data set and what it holds, its entries unchecked.

    Args:
        path: of the data set, or of the file itself.

    Raises:
        VideoError: there is none or more than one, or it is no such file.
    """
    files = _files(path)
    if len(files) != 1:
        names = [file.name for file in files]
        found = f"it has {first_few(names)}; open one of them" if names else "it has no instances"
        raise layout_error(path, found, _TREE)
    return files[0], read_json(files[0], ("images", "annotations"), _TREE)


def entry_error(file: Path, error: object) -> VideoError:
    """Return the error for an entry of a file of instances."""
    return layout_error(file, f"an entry is malformed: {error}", _TREE)


def image_folder(file: Path, image_names: Iterable[str]) -> Path:
    """Return the folder with the images of a file of instances.

    Args:
        file: with the instances.
        image_names: that the folder has one of.

    Raises:
        VideoError: none of them is in any of the usual places.
    """
    root = file.parent.parent
    split = file.stem.removeprefix(_PREFIX)
    folders = (root / split, root / "images" / split, root / "images", root, file.parent)
    names = list(image_names)
    for name in names:
        for folder in folders:
            if (folder / name).is_file():
                return folder
    looked = ", ".join(f"'{folder}'" for folder in folders)
    raise layout_error(file, f"its image '{names[0]}' is not in {looked}", _TREE)


def _files(path: Path) -> list[Path]:
    if path.suffix == ".json":
        return [path]
    return sorted((path / "annotations").glob(f"{_PREFIX}*.json"))


def _matches(path: Path) -> bool:
    return bool(_files(path))


def _open(path: Path) -> Dataset:
    file, record = read_instances_file(path)
    annotations_of: dict[int, list[Record]] = defaultdict(list)
    try:
        for annotation in record["annotations"]:
            if not annotation.get("iscrowd"):
                annotations_of[annotation["image_id"]].append(annotation)
        images = {
            Path(inner_path(image["file_name"])).with_suffix("").as_posix(): image
            for image in record["images"]
            if image["id"] in annotations_of
        }
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise entry_error(file, error) from error
    if not images:
        raise layout_error(file, "none of its images has an object", _TREE)
    folder = image_folder(file, (image["file_name"] for image in images.values()))
    return Dataset("coco", list(images), partial(_open_clip, file, folder, images, annotations_of))


def _open_clip(
    file: Path,
    folder: Path,
    images: Mapping[str, Record],
    annotations_of: Mapping[int, Sequence[Record]],
    name: str,
) -> DatasetClip:
    image = images[name]
    read = partial(read_annotations, image, annotations_of[image["id"]], file)
    return DatasetClip(name, ImageFrames([folder / image["file_name"]]), {0: read})


COCO = Layout(_TREE, _matches, _open)
