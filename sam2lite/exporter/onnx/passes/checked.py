"""What a pass did to the values of a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sam2lite.errors import VerificationError
from sam2lite.exporter.verify.parity import (
    GRAPH_TOLERANCE,
    ROUNDING_MARGIN,
    ErrorStatistics,
    compare,
    run_onnx,
)
from sam2lite.exporter.verify.selection import Arrays

if TYPE_CHECKING:
    import onnx

LAST_BIT = 2.0**-23  # of a number of FP32, relative


@dataclass(frozen=True)
class PassReport:
    """What one pass left behind.

    Attributes:
        name: of the pass.
        nodes: nodes in the graph after it.
        max_abs: largest difference of any output from that of the graph before the first pass.
        relative: the same over the output's largest value; the worst output counts.
    """

    name: str
    nodes: int
    max_abs: float
    relative: float


def check_pass(
    name: str,
    model: onnx.ModelProto,
    feeds: Arrays,
    expected: Arrays,
    tolerance: float = GRAPH_TOLERANCE,
) -> PassReport:
    """Run a graph after a pass with onnxruntime's optimisations off, and compare its outputs.

    Args:
        name: of the pass.
        model: the graph after it.
        feeds: its inputs, by name.
        expected: the outputs before the first pass, by name.
        tolerance: largest relative error.

    Raises:
        ExportError: onnxruntime cannot run the graph.
        VerificationError: an output differs by more than `tolerance`, and by more than
            `ROUNDING_MARGIN` times what the graph itself makes of a last bit of its inputs.
    """
    actual = run_onnx(model, feeds, optimise=False)
    errors = {output: _compare(actual[output], expected[output]) for output in expected}
    worst = max(errors, key=lambda output: errors[output].relative)
    if not errors[worst].relative <= tolerance:
        tolerance = max(tolerance, ROUNDING_MARGIN * _unsteadiness(model, feeds, actual)[worst])
    if not errors[worst].relative <= tolerance:
        raise VerificationError(
            f"the pass '{name}' changed {worst} of {model.graph.name} by "
            f"{errors[worst].relative:.1e} of its largest value, more than {tolerance:.0e}; this "
            "is a defect of the pass or of onnxsim's version"
        )
    return PassReport(
        name,
        len(model.graph.node),
        max(error.max_abs for error in errors.values()),
        errors[worst].relative,
    )


def _unsteadiness(model: onnx.ModelProto, feeds: Arrays, actual: Arrays) -> dict[str, float]:
    """Return how far every output moves, over its largest value, where inputs move by a last bit.

    Sharp attention multiplies roundings, of which a pass that takes sums in another order makes new
    ones; that is no fault of it.
    """
    rng = np.random.default_rng(0)
    moved = {
        name: array
        * (1 + np.float32(LAST_BIT) * rng.choice([-1, 1], array.shape)).astype(array.dtype)
        if array.dtype.kind == "f"
        else array
        for name, array in feeds.items()
    }
    found = run_onnx(model, moved, optimise=False)
    return {name: _compare(found[name], actual[name]).relative for name in actual}


def _compare(actual: np.ndarray, expected: np.ndarray) -> ErrorStatistics:
    """Compare two tensors; what is infinite or no number must be so in both."""
    if actual.shape == expected.shape and np.issubdtype(expected.dtype, np.floating):
        finite = np.isfinite(expected)
        if not finite.all() and np.array_equal(actual[~finite], expected[~finite], equal_nan=True):
            return compare(actual[finite], expected[finite])
    return compare(actual, expected)
