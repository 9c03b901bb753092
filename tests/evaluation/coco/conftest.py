"""A small data set in COCO's layout, whose entries tests may change before it is written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sam2lite.data.clips import Clip, ClipConfig, generate_clip
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.network import build
from sam2lite.runtimes import rle
from tests.conftest import MINI

HEIGHT, WIDTH = 96, 128
CONFIG = ClipConfig(height=HEIGHT, width=WIDTH, frames=1, objects=(3, 3), object_size=(0.2, 0.6))
CATEGORIES = [{"id": 1, "name": "cat"}, {"id": 7, "name": "dog"}]


def entry(own_id: int, image_id: int, mask_hw: np.ndarray, **more: Any) -> dict[str, Any]:
    """Return the annotation of a mask."""
    x, y, width, height = cv2.boundingRect(mask_hw.astype(np.uint8))
    return {
        "id": own_id,
        "image_id": image_id,
        "category_id": (1, 7)[own_id % 2],
        "iscrowd": 0,
        "area": float(mask_hw.sum()),
        "bbox": [float(x), float(y), float(width), float(height)],
        "segmentation": rle.encode(mask_hw),
        **more,
    }


def runs_of(mask_hw: np.ndarray) -> dict[str, Any]:
    """Return a mask as COCO writes crowds: a list of counts."""
    changes = np.flatnonzero(np.diff(mask_hw.ravel(order="F"), prepend=False))
    counts = np.diff([0, *changes, mask_hw.size]).tolist()
    return {"size": list(mask_hw.shape), "counts": counts}


def record_of(clips: dict[int, Clip]) -> dict[str, Any]:
    """Return what the file of instances holds: every object, one crowd, one without a pixel."""
    annotations: list[dict[str, Any]] = []
    for image_id, clip in clips.items():
        for object_id in clip.object_ids:
            mask_hw = clip.labels_thw[0] == object_id
            annotations.append(entry(100 + len(annotations), image_id, mask_hw))
    everything = np.ones((HEIGHT, WIDTH), bool)
    annotations[0]["segmentation"] = runs_of(clips[3].labels_thw[0] == clips[3].object_ids[0])
    annotations += [
        entry(900, 3, everything, iscrowd=1, segmentation=runs_of(everything)),
        entry(901, 3, everything, segmentation=[]),
    ]
    images = [
        {"id": key, "file_name": f"{key:012d}.png", "height": HEIGHT, "width": WIDTH}
        for key in clips
    ]
    return {"images": images, "annotations": annotations, "categories": CATEGORIES}


Write = Callable[..., Path]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Writes the data set into a new folder after `change` was given the record."""
    clips = {seed: generate_clip(seed, CONFIG) for seed in (3, 4)}

    def write(change: Callable[[dict[str, Any]], object] = lambda record: None) -> Path:
        root: Path = tmp_path_factory.mktemp("coco")
        record = record_of(clips)
        change(record)
        for folder in ("annotations", "val2017"):
            (root / folder).mkdir()
        for key, clip in clips.items():
            picture = clip.frames_rgb_thwc[0, ..., ::-1]
            assert cv2.imwrite(str(root / f"val2017/{key:012d}.png"), picture)
        file = root / "annotations/instances_val2017.json"
        file.write_text(json.dumps(record))
        return root

    return write


@pytest.fixture(scope="session")
def mini_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a small network's checkpoint."""
    folder: Path = tmp_path_factory.mktemp("model") / "mini"
    save_checkpoint(build(MINI, 3), folder)
    return str(folder)
