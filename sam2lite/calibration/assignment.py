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
        narrow: those of `lowered` that are in four bits and may have eight instead.
    """

    lowered: frozenset[str]
    kept: Mapping[str, str]
    narrow: frozenset[str] = frozenset()

    def without(self, paths: Collection[str], reason: str) -> PrecisionAssignment:
        """Return an assignment that keeps more layers in float."""
        more = {path: reason for path in paths if path in self.lowered}
        left = self.lowered.difference(more)
        return PrecisionAssignment(left, {**self.kept, **more}, self.narrow & left)

    def raised(self, steps: Sequence[str], reason: str) -> PrecisionAssignment:
        """Return an assignment in which layers have more bits.

        Args:
            steps: paths. One in four bits that may have eight gets them, any other goes to float;
                a path that is there twice takes both steps.
            reason: why layers are in float.
        """
        wide: set[str] = set()
        floats: list[str] = []
        for path in steps:
            if path in self.narrow and path not in wide:
                wide.add(path)
            else:
                floats.append(path)
        eight = PrecisionAssignment(self.lowered, self.kept, self.narrow - wide)
        return eight.without(floats, reason)


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
