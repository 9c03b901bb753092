"""What is shown of a manifest that anybody may have written: what is there, and not too much."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

MOST = 64  # parts of a line; tables of many thousand rows take minutes to draw
MOST_ROWS = 200
_MOST_TEXT = 300


def holds(report: Mapping[str, Any] | None, *names: str) -> bool:
    """Return whether a part of a manifest is there, and has what is to be shown of it."""
    return report is not None and all(name in report for name in names)


def choices(loop: Mapping[str, Any]) -> str:
    """Say how often a loop chose another candidate than PyTorch, and by how much.

    Args:
        loop: a comparison of loops, as manifests have it; older ones know of ties alone.
    """
    if "choices" not in loop:
        return f"{loop.get('tied_choices', 0)} tied candidates"
    told = (_flips(measure, count) for measure, count in sorted(loop["choices"].items()))
    return "; ".join(first(told)) or "no choices among masks"


def _flips(measure: str, count: Mapping[str, Any]) -> str:
    flipped, largest = count.get("flipped", 0), count.get("largest_flip")
    text = f"{flipped} of {count.get('made', 0)} choices by {measure} differ"
    if not flipped or largest is None:
        return text
    return f"{text}, by up to {largest:.4f}, {count.get('tied', 0)} of them within rounding"


def first(parts: Iterable[str], most: int = MOST) -> list[str]:
    """Return the first of some texts, each cut where it is too long, and an ellipsis for more."""
    seen = list(islice(parts, most + 1))
    return [_cut(part) for part in seen[:most]] + (["..."] if len(seen) > most else [])


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 3] + "..."
