"""Which layers compute in the lower precision, and why the others do not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from sam2lite.calibration.observers import Range
from sam2lite.errors import UnknownNameError


@dataclass(frozen=True)
class PrecisionAssignment:
    """Which of the layers that may be quantized are.

    Attributes:
        lowered: paths of the layers in the lower precision, such as INT8 or four bits.
        kept: why each of the others stays in float, by path.
    """

    lowered: frozenset[str]
    kept: Mapping[str, str]

    def without(self, paths: Collection[str], reason: str) -> PrecisionAssignment:
        """Return an assignment that keeps more layers in float."""
        more = {path: reason for path in paths if path in self.lowered}
        return PrecisionAssignment(self.lowered - more.keys(), {**self.kept, **more})


def first_assignment(
    layers: Collection[str], ranges: Mapping[str, Range], keep_float: Sequence[str]
) -> PrecisionAssignment:
    """Lower every layer but those that were never run, and those the user wants in float.

    Args:
        layers: paths of the layers that may be quantized.
        ranges: by `<path>:input` and `<path>:output`.
        keep_float: patterns of paths, as for the shell.

    Raises:
        UnknownNameError: a pattern matches no layer.
    """
    assignment = PrecisionAssignment(frozenset(layers), {})
    unseen = [path for path in layers if f"{path}:input" not in ranges]
    assignment = assignment.without(unseen, "nothing but zeros reached it while calibrating")
    return kept_by_user(assignment, layers, keep_float)


def kept_by_user(
    assignment: PrecisionAssignment, layers: Collection[str], keep_float: Sequence[str]
) -> PrecisionAssignment:
    """Return an assignment with the layers in float that the user wants there.

    Args:
        assignment: so far.
        layers: paths of all that may be lowered.
        keep_float: patterns of paths, as for the shell.

    Raises:
        UnknownNameError: a pattern matches no layer.
    """
    for pattern in keep_float:
        chosen = [path for path in layers if fnmatchcase(path, pattern)]
        if not chosen:
            raise UnknownNameError("layer, or pattern of layers,", pattern, sorted(layers))
        assignment = assignment.without(chosen, f"--keep-float {pattern}")
    return assignment
