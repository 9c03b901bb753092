"""A bundle that may lose no more than so many points: measured, and searched where layers can help.

The bound is on J&F over clips, and on J of their first frames; nothing here knows which precision
it is about.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite import __version__
from sam2lite.contracts.arguments import whole_number
from sam2lite.errors import ArgumentError, VerificationError
from sam2lite.exporter.bundle.writer import write_trial_bundle
from sam2lite.exporter.precision.accuracy import Accuracy, AccuracyDrop, AccuracyTest
from sam2lite.exporter.precision.scheme import Float32
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
    trial = _Trial(scheme, making, reference, size, bound.clips, report)
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
            "float: calibrate on footage like yours, try another --observer"
        )
        raise VerificationError(_missed(scheme, outcome.drop, bound, remedy))
    return dataclasses.replace(making, assignment=outcome.plan), outcome.drop


class _Trial:
    """Scores assignments with bundles of one size, and ranks layers."""

    def __init__(
        self,
        scheme: Scheme,
        making: Making,
        reference: LoadedModel,
        size: int,
        clips: int,
        report: Callable[[str], None],
    ) -> None:
        self._scheme, self._making, self._reference = scheme, making, reference
        self._size, self._clips, self._report = size, clips, report
        self._test: AccuracyTest | None = None
        self._before: Accuracy | None = None

    def measure(self, plan: PrecisionAssignment | None) -> AccuracyDrop:
        """Score an assignment, and FP32 the first time."""
        if self._test is None or self._before is None:
            self._test = AccuracyTest(self._clips, self._size)
            self._before = self._score(self._test, self._reference, Float32())
            self._report("accuracy in FP32")
        making = dataclasses.replace(self._making, assignment=plan)
        make = self._scheme.trial or self._scheme.make
        after = self._score(self._test, making.loaded, make(making))
        kept = f" with {len(plan.kept)} layers in float" if plan is not None else ""
        self._report(f"accuracy{kept or ' in ' + self._scheme.name}")
        return AccuracyDrop(self._before, after, self._test.clips, self._size)

    def ranked(self) -> list[str]:
        """Return the layers, the most sensitive first."""
        assert self._scheme.layers is not None
        order = list(self._scheme.layers.ranked(self._making, self._size))
        self._report("sensitivity of every layer")
        return order

    def _score(self, test: AccuracyTest, loaded: LoadedModel, scheme: Any) -> Accuracy:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "bundle"
            write_trial_bundle(loaded, self._making.target, self._size, scheme, folder)
            return test.score(folder)


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
    text = json.dumps([*made, sorted(plan.lowered), asdict(bound)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _remember(memo: Path, outcome: Outcome[AccuracyDrop]) -> None:
    data = {
        "lowered": sorted(outcome.plan.lowered),
        "kept": dict(outcome.plan.kept),
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
        layers, kept = frozenset(data["lowered"]), dict(data["kept"])
        if not all(isinstance(text, str) for text in (*layers, *kept, *kept.values())):
            return None
        return Outcome(
            PrecisionAssignment(layers, kept),
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
