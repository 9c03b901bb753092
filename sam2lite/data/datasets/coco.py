"""COCO: one JSON file with the outlines of the objects in a folder of images."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
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


def _files(path: Path) -> list[Path]:
    if path.suffix == ".json":
        return [path]
    return sorted((path / "annotations").glob(f"{_PREFIX}*.json"))


def _matches(path: Path) -> bool:
    return bool(_files(path))


def _open(path: Path) -> Dataset:
    files = _files(path)
    if len(files) != 1:
        names = [file.name for file in files]
        found = f"it has {first_few(names)}; open one of them" if names else "it has no instances"
        raise layout_error(path, found, _TREE)
    record = read_json(files[0], ("images", "annotations"), _TREE)
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
        raise layout_error(files[0], f"an entry is malformed: {error}", _TREE) from error
    if not images:
        raise layout_error(files[0], "none of its images has an object", _TREE)
    folder = _image_folder(files[0], next(iter(images.values()))["file_name"])
    return Dataset(
        "coco", list(images), partial(_open_clip, files[0], folder, images, annotations_of)
    )


def _image_folder(file: Path, image_name: str) -> Path:
    root = file.parent.parent
    split = file.stem.removeprefix(_PREFIX)
    folders = (root / split, root / "images" / split, root / "images", root, file.parent)
    for folder in folders:
        if (folder / image_name).is_file():
            return folder
    looked = ", ".join(f"'{folder}'" for folder in folders)
    raise layout_error(file, f"its image '{image_name}' is not in {looked}", _TREE)


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
