"""SA-1B: a JSON file with run-length masks beside each image."""

from functools import partial
from pathlib import Path

from sam2lite.data.datasets.clip import DatasetClip
from sam2lite.data.datasets.coco import read_annotations
from sam2lite.data.datasets.dataset import Dataset
from sam2lite.data.datasets.json_files import read_json
from sam2lite.data.datasets.layout import Layout, first_few, layout_error, stems_in
from sam2lite.data.datasets.pictures import ImageFrames

_IMAGE, _ANNOTATIONS = ".jpg", ".json"
_TREE = """\
  ROOT/[sa_000000/]sa_1.jpg ...
  ROOT/[sa_000000/]sa_1.json ..."""


def _matches(path: Path) -> bool:
    return bool(set(stems_in(path, _IMAGE)) & set(stems_in(path, _ANNOTATIONS)))


def _open(path: Path) -> Dataset:
    names = stems_in(path, _IMAGE)
    if not names:
        raise layout_error(path, "it has no images", _TREE)
    annotated = set(stems_in(path, _ANNOTATIONS))
    bare = [name for name in names if name not in annotated]
    if bare:
        raise layout_error(path, f"there are no masks for {first_few(bare)}", _TREE)
    return Dataset("sa-1b", names, partial(_open_clip, path))


def _open_clip(root: Path, name: str) -> DatasetClip:
    path = root / (name + _ANNOTATIONS)
    record = read_json(path, ("image", "annotations"), _TREE)
    read = partial(read_annotations, record["image"], record["annotations"], path)
    return DatasetClip(name, ImageFrames([root / (name + _IMAGE)]), {0: read})


SA_1B = Layout(_TREE, _matches, _open)
