"""COCO's objects one by one, for their evaluation: overlaps stay, crowds are left out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sam2lite.contracts.arguments import shown
from sam2lite.data.datasets.coco import entry_error, image_folder, read_instances_file
from sam2lite.data.datasets.json_files import inner_path, picture_size
from sam2lite.data.datasets.layout import first_few
from sam2lite.data.datasets.masks import segmentation_mask
from sam2lite.data.datasets.pictures import read_rgb
from sam2lite.errors import VideoError


@dataclass(frozen=True)
class Instance:
    """One annotated object.

    Attributes:
        id: of the annotation.
        category_id: what it is.
        area: that the annotation states, square px; sizes are told by it.
        box_xywh: left, top, width and height, px; None where none is stated.
        segmentation: its mask, as JSON holds it.
    """

    id: int
    category_id: int
    area: float
    box_xywh: tuple[float, float, float, float] | None
    segmentation: Any


@dataclass(frozen=True)
class InstanceImage:
    """An image with its objects; nothing of it is read before it is asked for.

    Attributes:
        id: of the image.
        path: of the picture.
        height: that the annotations state, px.
        width: likewise.
        instances: its objects, in the order of the file.
        source: the file that they are from.
    """

    id: int
    path: Path
    height: int
    width: int
    instances: Sequence[Instance]
    source: Path

    def read(self) -> NDArray[np.uint8]:
        """Return the picture, uint8 [height, width, 3] RGB.

        Raises:
            VideoError: it cannot be read, or has another size than the annotations state.
        """
        image_rgb = read_rgb(self.path)
        height, width, _ = image_rgb.shape
        if (height, width) != (self.height, self.width):
            raise VideoError(
                f"'{self.path}' is {width}x{height} px, but '{self.source}' says "
                f"{self.width}x{self.height} px; take the picture that was annotated"
            )
        return image_rgb

    def mask(self, instance: Instance) -> NDArray[np.bool_]:
        """Return an object's mask, bool [height, width].

        Raises:
            VideoError: its segmentation is malformed.
        """
        return segmentation_mask(instance.segmentation, self.height, self.width, self.source)


@dataclass(frozen=True)
class InstanceSet:
    """The objects of a file of COCO's.

    Attributes:
        images: those with objects, in the order of the file.
        crowds: how many annotations stand for a crowd, and are left out.
        categories: names by id; empty where the file has no list of them.
    """

    images: Sequence[InstanceImage]
    crowds: int
    categories: Mapping[int, str]

    def only(self, category_id: int) -> Self:
        """Return the set with the objects of one category, and the images that have one."""
        kept = []
        for image in self.images:
            found = [each for each in image.instances if each.category_id == category_id]
            if found:
                kept.append(replace(image, instances=found))
        return replace(self, images=kept)


def read_instances(path: Path) -> InstanceSet:
    """Read all annotations of a data set, and see that its pictures are there.

    Args:
        path: a folder with `annotations/instances_*.json`, or that file.

    Raises:
        VideoError: the file is malformed, names an image or a category that it does not list, or a
            picture is missing.
    """
    file, record = read_instances_file(path)
    try:
        categories = {
            _whole(item, "id"): str(item["name"]) for item in record.get("categories", ())
        }
        listed = {_whole(item, "id"): item for item in record["images"]}
        crowds, objects_of = _instances(record["annotations"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise entry_error(file, _reason(error)) from error
    _check_known(file, "image", objects_of, listed)
    if "categories" in record:
        used = {each.category_id for objects in objects_of.values() for each in objects}
        _check_known(file, "category", used, categories)
    if not objects_of:
        raise VideoError(f"'{file}' has no object besides {crowds} crowds; take another file")
    try:
        names = {key: inner_path(listed[key]["file_name"]) for key in listed if key in objects_of}
        sizes = {key: picture_size(listed[key]) for key in names}
    except (KeyError, TypeError, ValueError) as error:
        raise entry_error(file, _reason(error)) from error
    folder = image_folder(file, names.values())
    missing = [name for name in names.values() if not (folder / name).is_file()]
    if missing:
        raise VideoError(
            f"{len(missing)} of {len(names)} images that '{file}' has objects for are not in "
            f"'{folder}': {first_few(missing)}; copy them, or take them out of the file"
        )
    images = [
        InstanceImage(key, folder / names[key], height, width, objects_of[key], file)
        for key, (height, width) in sizes.items()
    ]
    return InstanceSet(images, crowds, categories)


def _instances(annotations: Iterable[Any]) -> tuple[int, dict[int, list[Instance]]]:
    """Return how many crowds there are, and the other objects by image.

    Raises:
        KeyError, TypeError, AttributeError, ValueError: an entry is malformed.
    """
    crowds = 0
    objects_of: dict[int, list[Instance]] = {}
    ids: Counter[int] = Counter()
    for annotation in annotations:
        image_id, own_id = _whole(annotation, "image_id"), _whole(annotation, "id")
        ids[own_id] += 1
        if ids[own_id] > 1:
            raise ValueError(f"two annotations have the id {own_id}")
        if annotation.get("iscrowd"):
            crowds += 1
            continue
        box = annotation.get("bbox")
        found = Instance(
            own_id,
            _whole(annotation, "category_id"),
            _number(annotation["area"], "area"),
            None if box is None else _box(box),
            annotation["segmentation"],
        )
        objects_of.setdefault(image_id, []).append(found)
    return crowds, objects_of


def _whole(record: Any, key: str) -> int:
    value = record[key]
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise ValueError(f"'{key}' is {shown(value)}, no whole number")
    return value


def _number(value: object, what: str) -> float:
    if type(value) not in (int, float) or not isfinite(value):  # type: ignore[arg-type]
        raise ValueError(f"'{what}' is {shown(value)}, no number")
    return float(value)  # type: ignore[arg-type]


def _box(value: Any) -> tuple[float, float, float, float]:
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError(f"'bbox' is {shown(value)}, not [left, top, width, height]")
    left, top, width, height = (_number(each, "bbox") for each in value)
    return left, top, width, height


def _check_known(file: Path, what: str, used: Iterable[int], known: Iterable[int]) -> None:
    unknown = sorted(set(used) - set(known))
    if unknown:
        raise VideoError(
            f"annotations in '{file}' are of {what} {first_few([str(each) for each in unknown])}, "
            f"which the file does not list; take another copy of it, or take them out"
        )


def _reason(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)
