"""A bundle of no more than so many bytes: more bits where they help most, measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2lite.errors import VerificationError
from sam2lite.exporter.precision.layers.steps import affordable

if TYPE_CHECKING:
    from sam2lite.calibration.assignment import PrecisionAssignment
    from sam2lite.exporter.precision.accuracy import AccuracyDrop
    from sam2lite.exporter.precision.layers.steps import Step
    from sam2lite.exporter.precision.layers.trial import Trial
    from sam2lite.exporter.precision.schemes import Making, Scheme

MEGABYTE = 1e6
_CAUTION = 1.1  # room is given back for what nodes take that a step was not counted with
_MEASURED = (0.0, 0.33, 0.67, 1.0)  # of the bytes that all steps together take


@dataclass(frozen=True)
class SizePoint:
    """One choice of bits.

    Attributes:
        megabytes: of the bundle: of the chosen one as written, of others as predicted.
        plan: the choice.
        drop: what it loses.
        mean_iou: of its masks with those of FP32; None where neither shows any.
        eight_bit_layers: how many there are beside four bits.
        chosen: whether it is the bundle's.
    """

    megabytes: float
    plan: PrecisionAssignment
    drop: AccuracyDrop
    mean_iou: float | None
    eight_bit_layers: int
    chosen: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain data, for the manifest."""
        return {
            "mb": round(self.megabytes, 3),
            "four_bit_layers": len(self.plan.lowered) - self.eight_bit_layers,
            "eight_bit_layers": self.eight_bit_layers,
            "float_layers": len(self.plan.kept),
            "jf": self.drop.after.jf,
            "first_frame_j": self.drop.after.first_frame_j,
            "mean_iou": self.mean_iou,
            "chosen": self.chosen,
        }


def within_size(
    scheme: Scheme,
    making: Making,
    trial: Trial,
    sizes: Sequence[int],
    max_mb: float,
    beside: int,
) -> tuple[Making, list[SizePoint]]:
    """Give layers as many bits as fit, and measure what that, less and more would do.

    Args:
        scheme: one that knows steps.
        making: what it is made from.
        trial: scores assignments.
        sizes: of the input, all that the bundle has, px.
        max_mb: most megabytes of the bundle's files.
        beside: bytes of what the bundle has beside its graphs.

    Returns:
        what to make the scheme from, with its assignment of layers, and all that was measured, by
        size.

    Raises:
        VerificationError: even with the fewest bits it is larger; the message says how large.
    """
    assert scheme.layers is not None
    assert scheme.layers.steps is not None
    first = scheme.layers.first(making)
    smallest, most = trial.bytes_of(first, sizes) + beside, max_mb * MEGABYTE
    if smallest > most:
        raise VerificationError(
            f"--max-mb {max_mb:g} cannot be held: with the fewest bits that {scheme.name} has for "
            f"every layer, the bundle has {_up(smallest)} MB; give --max-mb {_up(smallest)} or "
            "more, or fewer --rungs"
        )
    steps = list(scheme.layers.steps(making, max(sizes)))
    room = most - smallest
    plan, size = first, smallest
    while taken := affordable(steps, room):
        plan = _raised(first, taken)
        size = trial.bytes_of(plan, sizes) + beside
        if size <= most:
            break
        room -= _CAUTION * (size - most)
        plan, size = first, smallest
    points = {_key(plan): _measured(trial, first, plan, size, chosen=True)}
    every = sum(max(0, step.bytes) for step in steps)
    for share in _MEASURED:
        taken = affordable(steps, share * every)
        other = _raised(first, taken)
        if _key(other) not in points:
            predicted = smallest + sum(step.bytes for step in taken)
            points[_key(other)] = _measured(trial, first, other, predicted, chosen=False)
    found = sorted(points.values(), key=lambda point: point.megabytes)
    return dataclasses.replace(making, assignment=plan), found


def _raised(first: PrecisionAssignment, taken: Sequence[Step]) -> PrecisionAssignment:
    return first.raised([step.path for step in taken], "more bits help most here for their size")


def _key(plan: PrecisionAssignment) -> tuple[frozenset[str], frozenset[str]]:
    return plan.lowered, plan.narrow


def _measured(
    trial: Trial,
    first: PrecisionAssignment,
    plan: PrecisionAssignment,
    size: float,
    *,
    chosen: bool,
) -> SizePoint:
    eight = len(plan.lowered - plan.narrow) if first.narrow else 0
    return SizePoint(size / MEGABYTE, plan, *trial.compare(plan), eight, chosen)


def _up(size: float) -> str:
    """Return megabytes of some bytes, rounded up to a hundredth."""
    return f"{-(-size // (MEGABYTE / 100)) / 100:.2f}"
