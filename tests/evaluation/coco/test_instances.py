"""COCO's objects one by one, and what is said about files that are not whole."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sam2lite.data.datasets.coco_instances import read_instances
from sam2lite.errors import VideoError
from tests.evaluation.coco.conftest import Write

Record = dict[str, Any]


def test_objects_are_read_one_by_one(written: Write) -> None:
    found = read_instances(written())
    assert [image.id for image in found.images] == [3, 4]
    assert found.crowds == 1
    assert found.categories == {1: "cat", 7: "dog"}
    image = found.images[0]
    assert image.read().shape == (image.height, image.width, 3)
    first, second = image.instances[:2]
    for instance in (first, second):  # a list of counts, and text
        mask_hw = image.mask(instance)
        assert mask_hw.sum() == instance.area
        y, x = np.nonzero(mask_hw)
        left, top, width, height = instance.box_xywh or (0, 0, 0, 0)
        assert (x.min(), y.min(), x.max() + 1, y.max() + 1) == (
            left,
            top,
            left + width,
            top + height,
        )
    assert not image.mask(image.instances[-1]).any()


def test_one_category(written: Write) -> None:
    found = read_instances(written()).only(7)
    assert {each.category_id for image in found.images for each in image.instances} == {7}


def test_the_file_itself_and_images_beside_it(written: Write) -> None:
    root = written()
    file = root / "annotations/instances_val2017.json"
    assert len(read_instances(file).images) == 2
    for picture in (root / "val2017").iterdir():
        picture.rename(root / "annotations" / picture.name)
    assert len(read_instances(file).images) == 2


def test_categories_need_not_be_listed(written: Write) -> None:
    assert read_instances(written(lambda record: record.pop("categories"))).categories == {}


def of_first(key: str, value: Any) -> Callable[[Record], None]:
    """Return what gives the first annotation another value."""

    def change(record: Record) -> None:
        record["annotations"][0][key] = value

    return change


def without_crowds(record: Record) -> None:
    record["annotations"] = [each for each in record["annotations"] if each["iscrowd"]]


def without_area(record: Record) -> None:
    del record["annotations"][0]["area"]


def one_image(record: Record) -> None:
    del record["images"][1]


def no_images(record: Record) -> None:
    del record["images"]


def missing_picture(record: Record) -> None:
    record["images"][1]["file_name"] = "lost.jpg"


def outside(record: Record) -> None:
    record["images"][1]["file_name"] = "../lost.jpg"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (no_images, "it has no 'images'"),
        (one_image, "are of image 4, which the file does not list"),
        (of_first("image_id", 99), "are of image 99"),
        (of_first("category_id", 5), "are of category 5"),
        (of_first("category_id", None), "'category_id' is None"),
        (of_first("id", 101), "two annotations have the id 101"),
        (of_first("area", "large"), "'area' is 'large'"),
        (of_first("bbox", [1, 2, 3]), r"'bbox' is \[1, 2, 3\]"),
        (of_first("bbox", [1, 2, 3, None]), "'bbox' is None"),
        (without_area, "it has no 'area'"),
        (without_crowds, "no object besides 1 crowds"),
        (missing_picture, r"1 of 2 images .* lost\.jpg; copy them"),
        (outside, "may leave its folder"),
        (lambda record: record.update(images={}), "are of image 3, 4"),
        (lambda record: record.update(images=[7]), "malformed"),
        (lambda record: record.update(annotations=7), "malformed"),
        (lambda record: record.update(annotations=["x"]), "malformed"),
        (lambda record: record.update(categories=[{"id": 1}]), "it has no 'name'"),
    ],
)
def test_bad_files(written: Write, change: Callable[[Record], None], named: str) -> None:
    with pytest.raises(VideoError, match=named):
        read_instances(written(change))


def test_all_pictures_are_missing(written: Write) -> None:
    root = written()
    for picture in (root / "val2017").iterdir():
        picture.unlink()
    with pytest.raises(VideoError, match=r"its image '000000000003\.png' is not in"):
        read_instances(root)


def test_a_picture_of_another_size(written: Write) -> None:
    found = read_instances(written(lambda record: record["images"][0].update(height=95)))
    with pytest.raises(VideoError, match=r"is 128x96 px, but .* says 128x95 px"):
        found.images[0].read()


def test_a_segmentation_of_another_size(written: Write) -> None:
    found = read_instances(written(of_first("segmentation", {"size": [5, 5], "counts": [0, 25]})))
    with pytest.raises(VideoError, match=r"a mask in .* is 5x5 px"):
        found.images[0].mask(found.images[0].instances[0])
