"""Every other file of text that a user may have from somebody else."""

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from fuzz.kind import CORRECT, Kind
from fuzz.mutations import mutated_json, mutated_text, no_file

from sam2lite.bench.ablations.ablation import SCHEMA_VERSION, _open_results
from sam2lite.bench.ablations.table import cells
from sam2lite.calibration.ranges import load_ranges
from sam2lite.data.datasets import open_dataset
from sam2lite.data.stills import open_stills
from sam2lite.exporter.precision.bounded import _remembered
from sam2lite.exporter.recipe import Recipe
from sam2lite.runtimes.commands.prompt_flags import parse_prompts

_HEIGHT, _WIDTH = 24, 32
_SETTINGS = {"clips": 4, "steps": 5, "minutes": None}
_RUN = {"variant": "full", "seed": 0, "steps": 5, "jf": 50.0, "first_frame_j": 60.0}


class Reader(NamedTuple):
    """A file of a folder, and what reads it.

    Attributes:
        file: its name in the folder.
        data: what a good one holds; text where it is no JSON.
        read: opens what lies in the folder.
    """

    file: str
    data: Any
    read: Callable[[Path], object]


def _read_prompts(folder: Path) -> None:
    prompts = parse_prompts([], [], [], folder / "prompts.json")
    for by_object in prompts.values():
        for prompt in by_object.values():
            prompt.slots(_WIDTH, _HEIGHT)


def _read_dataset(folder: Path) -> None:
    dataset = open_dataset(str(folder))
    for index in range(min(len(dataset), 2)):
        clip = dataset[index]
        clip.load(0, 1)
        clip.object_ids  # noqa: B018 (reads every mask)


def _read_ranges(folder: Path) -> None:
    load_ranges(folder / "ranges.json").check_fits("0" * 64, (240,))


def _read_results(folder: Path) -> None:
    cells(_open_results(folder, _SETTINGS, resume=True))


def _read_recipe(folder: Path) -> None:
    replace(Recipe.load(folder / "recipe.yaml"), output="never")


_RLE = {"size": [_HEIGHT, _WIDTH], "counts": [100, 50, _HEIGHT * _WIDTH - 150]}
_OUTLINE = [[2, 2, 20, 2, 20, 20, 2, 20]]
_COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "height": _HEIGHT, "width": _WIDTH}],
    "annotations": [
        {"id": 1, "image_id": 1, "area": 300, "iscrowd": 0, "segmentation": _OUTLINE},
        {"id": 2, "image_id": 1, "area": 50, "iscrowd": 0, "segmentation": _RLE},
    ],
}
_SA_1B = {
    "image": {"height": _HEIGHT, "width": _WIDTH, "file_name": "a.jpg"},
    "annotations": [{"id": 1, "area": 50, "segmentation": _RLE}],
}
_SA_V = {
    "video_frame_count": 5.0,
    "video_height": float(_HEIGHT),
    "video_width": float(_WIDTH),
    "masklet_size_abs": [50, 40],
    "masklet": [[_RLE, _RLE], [_RLE, _RLE]],
}
_RANGES = {
    "schema_version": 1,
    "provenance": {
        "model": "mini",
        "checkpoint_sha256": "0" * 64,
        "rungs": [240],
        "observer": "minmax",
        "source": "generated",
        "data_sha256": "0" * 64,
        "frames": 8,
        "seed": 0,
        "sam2lite_version": "0",
    },
    "ranges": {"a:input": [-1.0, 1.0], "b:output": [0.0, 3.5]},
}
_PROMPTS = {
    "prompts": [
        {"frame": 0, "object": 1, "points": [[3, 4], [5, 6]], "labels": [1, 0]},
        {"frame": 2, "object": 2, "box": [1, 2, 20, 20]},
        {"frame": 3, "object": 1, "mask": "mask.png"},
    ]
}
_ACCURACY = {"jf": 70.0, "first_frame_j": 80.0}
_MEMO = {
    "int8": ["a", "b"],
    "kept": {"c": "why"},
    "drop": {"before": _ACCURACY, "after": _ACCURACY, "clips": 8, "rung": 240},
    "trials": 3,
}
_RESULTS = {
    "schema_version": SCHEMA_VERSION,
    "settings": _SETTINGS,
    "runs": [{**_RUN, "j_last4": 40.0, "jf_stderr": 1.0}],
}
_STILLS = {"stills": [{"source": "s", "id": "a"}], "clips": [{"source": "s", "clip": "c"}]}
_RECIPE = "model: tiny\nbackend: ort\nprecision: int8\nsizes: [240]\nkeep_float: ['a.*']\n"
_READERS = (
    Reader("prompts.json", _PROMPTS, _read_prompts),
    Reader("ranges.json", _RANGES, _read_ranges),
    Reader("annotations/instances_val.json", _COCO, _read_dataset),
    Reader("a.json", _SA_1B, _read_dataset),
    Reader("a_manual.json", _SA_V, _read_dataset),
    Reader("index.json", _STILLS, open_stills),
    Reader("results.json", _RESULTS, _read_results),
    Reader("memo.json", _MEMO, lambda folder: _remembered(folder / "memo.json")),
    Reader("recipe.yaml", _RECIPE, _read_recipe),
)


def prepare(folder: Path) -> Any:
    """Make the pictures that annotations are about, a folder for each reader."""
    picture = np.random.default_rng(0).integers(0, 256, (_HEIGHT, _WIDTH, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    mask = cv2.imencode(".png", np.eye(_HEIGHT, _WIDTH, dtype=np.uint8))[1].tobytes()
    for index, reader in enumerate(_READERS):
        (folder / str(index) / reader.file).parent.mkdir(parents=True)
    (folder / "0" / "mask.png").write_bytes(mask)
    (folder / "2" / "val").mkdir()
    (folder / "2" / "val" / "a.jpg").write_bytes(jpeg)
    (folder / "3" / "a.jpg").write_bytes(jpeg)
    writer = cv2.VideoWriter(
        str(folder / "4" / "a.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 24, (_WIDTH, _HEIGHT)
    )
    for _ in range(5):
        writer.write(picture)
    writer.release()
    (folder / "5" / "stills").mkdir()
    (folder / "5" / "SOURCES.md").write_text("| source | class |\n|-|-|\n| s | permissive |\n")
    return folder


def mutate(base: Any, rng: random.Random, folder: Path) -> Path:
    """Write one of the files with a change; its folder's name says which."""
    index = rng.randrange(len(_READERS))
    reader = _READERS[index]
    target = folder / str(index)
    shutil.copytree(base / str(index), target)
    file = target / reader.file
    if rng.random() < 0.02:
        no_file(file, rng)
    elif isinstance(reader.data, str):
        file.write_bytes(mutated_text(reader.data.encode(), rng))
    elif rng.random() < 0.02:
        file.write_text(json.dumps(reader.data))
    else:
        file.write_bytes(mutated_json(reader.data, rng))
    return target


def attempt(base: Any, path: Path) -> str:
    """Read it."""
    _READERS[int(path.name)].read(path)
    return CORRECT


KIND = Kind("json", 6000, prepare, mutate, attempt)
