"""An INT8 bundle: search for a precision plan, then export with it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sam2lite import __version__
from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import ArgumentError, VerificationError
from sam2lite.exporter.bundle.writer import write_bundle, write_trial_bundle
from sam2lite.exporter.precision.accuracy import Accuracy, AccuracyDrop, AccuracyTest
from sam2lite.exporter.precision.int8 import Int8
from sam2lite.exporter.precision.scheme import Float32, PrecisionScheme
from sam2lite.exporter.precision.search import Outcome, search
from sam2lite.exporter.tensorrt.precision import FIRST_LAYER, beside_fp16, rounded_beside

if TYPE_CHECKING:
    from sam2lite.calibration.calibrate import Calibration
    from sam2lite.calibration.plan import PrecisionPlan
    from sam2lite.models.checkpoint import LoadedModel
    from sam2lite.targets.profile import TargetProfile

MAX_DROP = 1.0  # points of J&F, and of the first frame's J
CLIPS = 8


@dataclass(frozen=True)
class Accuracies:
    """How accurate an INT8 bundle has to be.

    Attributes:
        max_drop: most points that may be lost against FP32, 0 or more.
        clips: that both are scored on.
        accept: keep a bundle that misses the bound.
    """

    max_drop: float = MAX_DROP
    clips: int = CLIPS
    accept: bool = False

    def __post_init__(self) -> None:
        """Check the bound.

        Raises:
            ArgumentError: it is negative, or no number.
        """
        if not self.max_drop >= 0.0:
            raise ArgumentError(f"--max-drop is {self.max_drop:g}; give points, 0 or more")


def write_int8_bundle(
    checkpoint: LoadedModel,
    target: TargetProfile,
    output: Path,
    calibration: Calibration,
    *,
    rungs: Sequence[int],
    keep_float: Sequence[str] = (),
    wanted: Accuracies,
    cache: Path,
    device_app: bool = False,
    force: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[Manifest, Outcome]:
    """Find which layers must stay in float, and write a verified bundle in INT8.

    The search scores bundles of the largest rung alone, and is found again in `cache`; the other
    rungs are exported with its outcome and their graphs' SQNR is measured.

    Args:
        checkpoint: the network.
        target: the device.
        output: the directory; it appears whole or not at all.
        calibration: of the network, at all `rungs`.
        rungs: input sides, px.
        keep_float: patterns of layers that stay in float whatever the search says.
        wanted: the accuracy.
        cache: folder for outcomes of searches.
        device_app: add the device code.
        force: replace what is there.
        report: told what was done, step by step.

    Raises:
        UnknownNameError: a pattern matches no layer.
        CalibrationError: the ranges are of another network, or lack a rung.
        VerificationError: the accuracy is missed, with a quarter of the layers in float as well.
        OutputError, ExportError: as for `write_bundle`.
    """
    from sam2lite.calibration.plan import first_plan
    from sam2lite.models.sam2lite.quantizable import quantized_layers

    ranges = calibration.ranges
    ranges.check_fits(checkpoint.sha256, rungs)
    plan = first_plan(list(quantized_layers(checkpoint.model)), ranges.spans, keep_float)
    if target.tensorrt is not None:
        plan = plan.without([FIRST_LAYER], "TensorRT may have no INT8 kernel for three channels")
    runtime = (target.runtime, target.opset, target.qdq)
    key = json.dumps([__version__, asdict(ranges), runtime, sorted(plan.int8), asdict(wanted)])
    memo = cache / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
    outcome = _remembered(memo)
    if outcome is None:
        trial = _Trial(checkpoint, target, max(rungs), wanted.clips, calibration, report)
        outcome = search(plan, trial.measure, trial.ranked, wanted.max_drop)
        _remember(memo, outcome)
    if outcome.drop.points > wanted.max_drop and not wanted.accept:
        raise VerificationError(_missed(outcome, wanted))
    manifest = write_bundle(
        checkpoint,
        target,
        output,
        rungs=rungs,
        scheme=_scheme(target, outcome.plan, calibration),
        verification={"accuracy": outcome.drop.to_json()},
        device_app=device_app,
        force=force,
        report=report,
    )
    return manifest, outcome


def _scheme(
    target: TargetProfile, plan: PrecisionPlan, calibration: Calibration
) -> PrecisionScheme:
    int8 = Int8(calibration.ranges, plan, target.qdq, calibration.recording)
    if target.tensorrt is None:
        return int8
    return beside_fp16(int8, target.tensorrt, calibration.recording, calibration.ranges.provenance)


def _trial_scheme(
    target: TargetProfile, plan: PrecisionPlan, calibration: Calibration
) -> PrecisionScheme:
    """Return a scheme to what the target computes, in a form that a CPU computes as well."""
    int8 = Int8(calibration.ranges, plan, target.qdq)
    if target.tensorrt is None:
        return int8
    return rounded_beside(int8, calibration.recording, calibration.ranges.provenance)


class _Trial:
    """Scores plans with bundles of one rung, and ranks layers."""

    def __init__(
        self,
        checkpoint: LoadedModel,
        target: TargetProfile,
        rung: int,
        clips: int,
        calibration: Calibration,
        report: Callable[[str], None],
    ) -> None:
        self._checkpoint, self._target, self._rung = checkpoint, target, rung
        self._calibration, self._report = calibration, report
        self._test = AccuracyTest(clips, rung)
        self._before: Accuracy | None = None

    def measure(self, plan: PrecisionPlan) -> AccuracyDrop:
        """Score a plan, and FP32 the first time."""
        if self._before is None:
            self._before = self._score(Float32())
            self._report("accuracy in FP32")
        after = self._score(_trial_scheme(self._target, plan, self._calibration))
        self._report(f"accuracy with {len(plan.kept)} layers in float")
        return AccuracyDrop(self._before, after, self._test.clips, self._rung)

    def ranked(self) -> list[str]:
        """Return the layers, the most sensitive first."""
        from sam2lite.exporter.precision.sensitivity import layer_sqnr
        from sam2lite.models.sam2lite.quantizable import quantized_layers

        spans = dict(self._calibration.ranges.spans)
        model = self._checkpoint.model
        layers = {path: [path] for path in quantized_layers(model) if f"{path}:input" in spans}
        found = layer_sqnr(model, spans, layers, self._calibration.recording, self._rung)
        self._report("sensitivity of every layer")
        return sorted(found, key=found.__getitem__)

    def _score(self, scheme: PrecisionScheme) -> Accuracy:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "bundle"
            write_trial_bundle(self._checkpoint, self._target, self._rung, scheme, folder)
            return self._test.score(folder)


def _missed(outcome: Outcome, wanted: Accuracies) -> str:
    drop = outcome.drop
    return (
        f"INT8 loses {drop.points:.2f} points (J&F {drop.before.jf:.2f} to {drop.after.jf:.2f}, "
        f"first frame {drop.before.first_frame_j:.2f} to {drop.after.first_frame_j:.2f}, "
        f"{drop.clips} clips), {drop.points - wanted.max_drop:.2f} more than --max-drop "
        f"{wanted.max_drop:g}; it was the best of {outcome.trials} plans with up to a quarter of "
        "the layers in float: calibrate on footage like yours, try another --observer, or keep it "
        "with --accept-drop"
    )


def _remember(memo: Path, outcome: Outcome) -> None:
    memo.parent.mkdir(parents=True, exist_ok=True)
    data = {
        "int8": sorted(outcome.plan.int8),
        "kept": dict(outcome.plan.kept),
        "drop": asdict(outcome.drop),
        "trials": outcome.trials,
    }
    staged = memo.with_suffix(".partial")
    staged.write_text(json.dumps(data), encoding="utf-8")
    staged.replace(memo)


def _remembered(memo: Path) -> Outcome | None:
    if not memo.is_file():
        return None
    from sam2lite.calibration.plan import PrecisionPlan

    data = json.loads(memo.read_text(encoding="utf-8"))
    drop = data["drop"]
    return Outcome(
        PrecisionPlan(frozenset(data["int8"]), data["kept"]),
        AccuracyDrop(
            Accuracy(**drop["before"]), Accuracy(**drop["after"]), drop["clips"], drop["rung"]
        ),
        data["trials"],
    )
