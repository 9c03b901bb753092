"""Which operators of a MIL program compute in FP32: rules of ours, and what overflows FP16."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sam2lite.exporter.precision.fp16_rules import COORDINATES, SELECTION

OVERFLOW = "overflow"
_COORDINATES_IN = "_xy_"  # part of the names of inputs that hold coordinates
_PRODUCTS = {"conv", "linear", "matmul"}  # what they make of coordinates is a feature
# They pass on what they are given. coremltools moves and merges them, and their names with them.
_MOVES = {"concat", "expand_dims", "reshape", "slice_by_index", "split", "squeeze", "transpose"}
_BY_CONSUMER = {"topk": SELECTION, "sin": COORDINATES, "cos": COORDINATES}


def pinned_operators(operations: Iterable[Any], overflowing: Mapping[str, float]) -> dict[str, str]:
    """Return the operators that compute in FP32, by name, with the reason.

    What is computed from coordinates alone, because beyond column 64 of a map FP16 knows a place to
    a sixteenth of a column only; sin, cos and TopK with all that feeds them; and what overflows.

    Args:
        operations: of a function, in order, in coremltools' in-memory form.
        overflowing: tensors that FP16 may be too small for, by name, with their magnitude.
    """
    operations = list(operations)
    large = _passed_on(operations, overflowing)
    reasons: dict[str, str] = {}
    places: set[str] = set()
    for op in operations:
        if op.op_type == "const":
            continue
        sources = [var for var in _inputs(op) if var.val is None]
        placed = all(_COORDINATES_IN in var.name or var.name in places for var in sources)
        if sources and placed and op.op_type not in _PRODUCTS:
            reasons[op.name] = COORDINATES
            if op.op_type not in _BY_CONSUMER:  # waves are features again
                places |= {var.name for var in op.outputs}
        if op.op_type in _BY_CONSUMER:
            for name in _with_ancestors(op):
                reasons.setdefault(name, _BY_CONSUMER[op.op_type])
        touched = {var.name for var in (*sources, *op.outputs)} & large.keys()
        if touched:
            largest = max(touched, key=lambda name: large[name])
            reasons.setdefault(op.name, f"{OVERFLOW}: {largest} reaches {large[largest]:.3g}")
    return dict(sorted(reasons.items()))


def _passed_on(operations: list[Any], overflowing: Mapping[str, float]) -> dict[str, float]:
    """Return the overflowing tensors with those that hold them before or after a move."""
    large = dict(overflowing)
    moves = [op for op in operations if op.op_type in _MOVES]
    before = -1
    while len(large) > before:
        before = len(large)
        for op in moves:
            ends = {var.name for var in (*_inputs(op), *op.outputs) if var.val is None}
            greatest = max((large[name] for name in ends & large.keys()), default=None)
            if greatest is not None:
                large.update(dict.fromkeys(ends - large.keys(), greatest))
    return large


def _inputs(op: Any) -> list[Any]:
    found: list[Any] = []
    for value in op.inputs.values():
        found += value if isinstance(value, list | tuple) else [value]
    return found


def _with_ancestors(op: Any) -> set[str]:
    found: set[str] = set()
    waiting = [op]
    while waiting:
        current = waiting.pop()
        if current.name not in found:
            found.add(current.name)
            waiting += [
                var.op for var in _inputs(current) if var.op is not None and var.val is None
            ]
    return found
