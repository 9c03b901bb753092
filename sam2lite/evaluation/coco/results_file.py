"""Scores as nanosam2's evaluation writes them: a list with an entry for each object."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from sam2lite.contracts.arguments import shown
from sam2lite.errors import VideoError
from sam2lite.evaluation.coco.scoring import InstanceScore
from sam2lite.files.json_reading import read_json
from sam2lite.files.reading import MEBIBYTE

_MOST_BYTES = 1024 * MEBIBYTE  # COCO's training split makes 130 MB
_FORM = (
    "a list of {id, image_id, category_id, iscrowd, area, box: [x1, y1, x2, y2], iou: 0..1}, as "
    "`sam2lite eval --coco -o` and nanosam2's eval_coco.py write it"
)


class ReadResults(NamedTuple):
    """What a file of scores holds.

    Attributes:
        scores: of the objects.
        crowds: entries that stand for a crowd, which nanosam2 scores and COCO does not.
    """

    scores: list[InstanceScore]
    crowds: int


def to_records(scores: Iterable[InstanceScore]) -> list[dict[str, Any]]:
    """Return scores as JSON holds them; crowds are left out before."""
    return [
        {
            "id": score.id,
            "area": score.area,
            "category_id": score.category_id,
            "iscrowd": 0,
            "image_id": score.image_id,
            "box": list(score.box_xyxy),
            "iou": score.iou,
        }
        for score in scores
    ]


def read_results(path: Path) -> ReadResults:
    """Read a file of scores; crowds are left out and counted.

    Raises:
        VideoError: it cannot be read, is no such list, or has no object.
    """
    records = read_json(str(path), VideoError, f"give {_FORM}", _MOST_BYTES)
    if not isinstance(records, list):
        raise VideoError(f"'{path}' holds no list of scores; give {_FORM}")
    scores = []
    for place, record in enumerate(records):
        try:
            if not record["iscrowd"]:
                scores.append(_score(record))
        except (KeyError, TypeError, ValueError) as error:
            reason = f"it has no {error}" if isinstance(error, KeyError) else error
            raise VideoError(
                f"entry {place} of '{path}' is malformed: {reason}; give {_FORM}"
            ) from error
    if not scores:
        raise VideoError(f"'{path}' has no object among {len(records)} entries; give another file")
    return ReadResults(scores, len(records) - len(scores))


def _score(record: Any) -> InstanceScore:
    ids = [record[key] for key in ("id", "image_id", "category_id")]
    numbers = [record["area"], record["iou"], *record["box"]]
    if any(type(each) is not int for each in ids):
        raise ValueError(f"its ids {shown(ids)} are no whole numbers")
    if len(numbers) != 6 or any(type(each) not in (int, float) for each in numbers):
        raise ValueError(f"{shown(numbers)} are no area, IoU and box")
    area, iou, *box = map(float, numbers)
    if not 0.0 <= iou <= 1.0:
        raise ValueError(f"its IoU is {iou:g}")
    own_id, image_id, category_id = ids
    return InstanceScore(own_id, image_id, category_id, area, (box[0], box[1], box[2], box[3]), iou)
