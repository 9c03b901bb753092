"""A bundle that may lose no more than so many points: measured, and searched where layers can help.

The bound is on J&F over clips, and on J of their first frames; nothing here knows which precision
it is about.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite import __version__
from sam2lite.contracts.arguments import whole_number
from sam2lite.errors import ArgumentError, VerificationError
from sam2lite.exporter.precision.accuracy import Accuracy, AccuracyDrop
from sam2lite.exporter.precision.layers.sized import SizePoint, within_size
from sam2lite.exporter.precision.layers.trial import Trial
from sam2lite.exporter.precision.search import Outcome, search
from sam2lite.files.atomic import write_atomically
from sam2lite.files.json_reading import read_json

if TYPE_CHECKING:
    from sam2lite.calibration.assignment import PrecisionAssignment
    from sam2lite.exporter.precision.schemes import Making, Scheme
    from sam2lite.models.loaded import LoadedModel


@dataclass(frozen=True)
class Bound:
    """How accurate a bundle has to be.

    Attributes:
        max_drop: most points that may be lost against FP32, 0 or more.
        clips: that both are scored on.
        accept: keep a bundle that misses the bound.
    """

    max_drop: float
    clips: int
    accept: bool = False


def within_bound(
    scheme: Scheme,
    making: Making,
    reference: LoadedModel,
    size: int,
    bound: Bound,
    *,
    cache: Path,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[Making, AccuracyDrop]:
    """Measure what a scheme loses, and put layers back into float until the bound holds.

    Bundles of one size are scored; what a search among layers found is found again in `cache`.

    Args:
        scheme: one with a bound.
        making: what it is made from.
        reference: the network that it is compared with, in FP32.
        size: of the input, px.
        bound: the accuracy.
        cache: folder for outcomes of searches.
        report: told what was done, step by step.

    Returns:
        what to make the scheme from, with its assignment of layers, and what that loses.

    Raises:
        UnknownNameError: a pattern of `keep_float` matches no layer.
        VerificationError: the accuracy is missed, with a quarter of the layers in float as well.
    """
    trial = Trial(scheme, making, reference, size, bound.clips, report)
    if scheme.layers is None:
        drop = trial.measure(None)
        if drop.points > bound.max_drop and not bound.accept:
            raise VerificationError(_missed(scheme, drop, bound, "calibrate on other footage"))
        return making, drop
    plan = scheme.layers.first(making)
    memo = cache / f"{_key(scheme, making, plan, bound)}.json"
    outcome = _remembered(memo)
    if outcome is None:
        outcome = search(plan, trial.measure, trial.ranked, bound.max_drop)
        _remember(memo, outcome)
    if outcome.drop.points > bound.max_drop and not bound.accept:
        remedy = (
            f"it was the best of {outcome.trials} plans with up to a quarter of the layers in "
            "more bits: calibrate on footage like yours, try another --observer"
        )
        raise VerificationError(_missed(scheme, outcome.drop, bound, remedy))
    return dataclasses.replace(making, assignment=outcome.plan), outcome.drop


def within_bound_and_size(
    scheme: Scheme,
    making: Making,
    reference: LoadedModel,
    sizes: Sequence[int],
    bound: Bound,
    max_mb: float,
    *,
    beside: int = 0,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[Making, AccuracyDrop, list[SizePoint]]:
    """Give layers as many bits as a size allows, and measure what that loses.

    Args:
        scheme: one with a bound that knows steps.
        making: what it is made from.
        reference: the network that it is compared with, in FP32.
        sizes: of the input, all that the bundle has, px; the largest is scored.
        bound: the accuracy.
        max_mb: most megabytes of the bundle's files.
        beside: bytes of what the bundle has beside its graphs.
        report: told what was done, step by step.

    Returns:
        what to make the scheme from, what that loses, and what other sizes would.

    Raises:
        UnknownNameError: a pattern of `keep_float` matches no layer.
        VerificationError: the size cannot be held, or the accuracy is missed at it.
    """
    trial = Trial(scheme, making, reference, max(sizes), bound.clips, report)
    making, points = within_size(scheme, making, trial, sizes, max_mb, beside)
    drop = next(point.drop for point in points if point.chosen)
    if drop.points > bound.max_drop and not bound.accept:
        remedy = f"it is the best that was found for --max-mb {max_mb:g}: give more room"
        raise VerificationError(_missed(scheme, drop, bound, remedy))
    return making, drop, points


def _missed(scheme: Scheme, drop: AccuracyDrop, bound: Bound, remedy: str) -> str:
    return (
        f"{scheme.name.upper()} loses {drop.points:.2f} points (J&F {drop.before.jf:.2f} to "
        f"{drop.after.jf:.2f}, first frame {drop.before.first_frame_j:.2f} to "
        f"{drop.after.first_frame_j:.2f}, {drop.clips} clips), "
        f"{drop.points - bound.max_drop:.2f} more than --max-drop {bound.max_drop:g}; {remedy}, or "
        "keep it with --accept-drop"
    )


def _key(scheme: Scheme, making: Making, plan: PrecisionAssignment, bound: Bound) -> str:
    """Return what an outcome depends on, as a name of a file."""
    target, ranges = making.target, making.ranges
    runtime = (target.runtime, target.opset, target.qdq)
    observed = None if ranges is None else asdict(ranges)
    made = [__version__, scheme.name, making.loaded.sha256, observed, runtime]
    made.append(repr(making.quantization))
    text = json.dumps([*made, sorted(plan.lowered), sorted(plan.narrow), asdict(bound)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _remember(memo: Path, outcome: Outcome[AccuracyDrop]) -> None:
    data = {
        "lowered": sorted(outcome.plan.lowered),
        "kept": dict(outcome.plan.kept),
        "narrow": sorted(outcome.plan.narrow),
        "drop": asdict(outcome.drop),
        "trials": outcome.trials,
    }
    write_atomically(str(memo), json.dumps(data).encode())


def _remembered(memo: Path) -> Outcome[AccuracyDrop] | None:
    """Return what a search found before; None where nothing can be read, and it is done again."""
    if not memo.is_file():
        return None
    from sam2lite.calibration.assignment import PrecisionAssignment

    try:
        data = read_json(str(memo), ArgumentError, "")
        drop = data["drop"]
        layers, narrow = frozenset(data["lowered"]), frozenset(data["narrow"])
        kept = dict(data["kept"])
        if not all(isinstance(text, str) for text in (*layers, *narrow, *kept, *kept.values())):
            return None
        return Outcome(
            PrecisionAssignment(layers, kept, narrow),
            AccuracyDrop(
                _accuracy(drop["before"]),
                _accuracy(drop["after"]),
                whole_number("clips", drop["clips"], 1),
                whole_number("rung", drop["rung"], 1),
            ),
            whole_number("trials", data["trials"], 0),
        )
    except (ArgumentError, KeyError, TypeError, ValueError):
        return None


def _accuracy(data: Any) -> Accuracy:
    return Accuracy(float(data["jf"]), float(data["first_frame_j"]))
