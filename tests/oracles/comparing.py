"""How far two loops are apart, and whether what they were compared on says anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tests.oracles.scenarios import Record

_FEWEST = 6  # frames of an object with a mask, of 24
_AREA = 0.01  # a mask with less of the frame, or with all but it, tells little


class Gap(NamedTuple):
    """Largest differences over all steps, and the lowest IoU of two masks."""

    logit: float
    score: float
    iou_prediction: float
    pointer: float
    min_iou: float


def gap(actual: Sequence[Record], expected: Sequence[Record]) -> Gap:
    """Compare step by step."""
    assert [each[:3] for each in actual] == [each[:3] for each in expected]
    pairs = list(zip(actual, expected, strict=True))
    return Gap(
        max(float(np.abs(a.logits_hw - e.logits_hw).max()) for a, e in pairs),
        max(abs(a.score - e.score) for a, e in pairs),
        max(abs(a.iou - e.iou) for a, e in pairs),
        max(float(np.abs(a.pointer - e.pointer).max()) for a, e in pairs),
        min(_iou(a.logits_hw > 0, e.logits_hw > 0) for a, e in pairs),
    )


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def check_telling(records: Sequence[Record]) -> None:
    """Fail unless every object has masks that say something, is absent for a while, and returns."""
    for object_id in {each.object_id for each in records}:
        steps = [each for each in records if each.object_id == object_id]
        areas = [float((each.logits_hw > 0).mean()) for each in steps if each.score > 0]
        masks = sum(_AREA < area < 1.0 - _AREA for area in areas)
        assert masks >= _FEWEST, f"object {object_id} has {masks} masks neither empty nor full"
        there = "".join("x" if each.score > 0 else "-" for each in steps)
        assert "-x" in there.lstrip("-"), f"object {object_id} is never absent and back: {there}"
