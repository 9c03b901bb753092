"""Bundles that are written to be scored: what an assignment of layers costs."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.exporter.bundle.writer import write_trial_bundle
from sam2lite.exporter.precision.accuracy import (
    Accuracy,
    AccuracyDrop,
    AccuracyTest,
    Bits,
    mean_iou,
)
from sam2lite.exporter.precision.scheme import Float32

if TYPE_CHECKING:
    from sam2lite.calibration.assignment import PrecisionAssignment
    from sam2lite.exporter.precision.schemes import Making, Scheme
    from sam2lite.models.loaded import LoadedModel


class Trial:
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
        """Take what is to be tried.

        Args:
            scheme: whose bundles are scored.
            making: what it is made from.
            reference: the network in FP32.
            size: of the input, px.
            clips: that bundles are scored on.
            report: told what was done, step by step.
        """
        self._scheme, self._making, self._reference = scheme, making, reference
        self._size, self._clips, self._report = size, clips, report
        self._test: AccuracyTest | None = None
        self._before: tuple[Accuracy, list[Bits]] | None = None

    def measure(self, plan: PrecisionAssignment | None) -> AccuracyDrop:
        """Score an assignment, and FP32 the first time."""
        return self.compare(plan)[0]

    def compare(self, plan: PrecisionAssignment | None) -> tuple[AccuracyDrop, float | None]:
        """Return also the mean IoU of an assignment's masks with those of FP32."""
        if self._test is None or self._before is None:
            self._test = AccuracyTest(self._clips, self._size)
            self._before = self._followed(self._test, self._reference, Float32())
            self._report("accuracy in FP32")
        after, masks = self._followed(self._test, self._making.loaded, self._scheme_of(plan))
        kept = f" with {len(plan.kept)} layers in float" if plan is not None else ""
        self._report(f"accuracy{kept or ' in ' + self._scheme.name}")
        before, expected = self._before
        drop = AccuracyDrop(before, after, self._test.clips, self._size)
        return drop, mean_iou(masks, expected)

    def ranked(self) -> list[str]:
        """Return the layers, the most sensitive first."""
        assert self._scheme.layers is not None
        order = list(self._scheme.layers.ranked(self._making, self._size))
        self._report("sensitivity of every layer")
        return order

    def bytes_of(self, plan: PrecisionAssignment, sizes: Sequence[int]) -> int:
        """Return what a bundle of an assignment takes at all sizes together, manifest apart."""
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "bundle"
            first, *others = sorted(sizes, reverse=True)
            scheme = self._scheme_of(plan)
            write_trial_bundle(
                self._making.loaded, self._making.target, first, scheme, folder, others=others
            )
            graphs = folder / "graphs"
            return sum(path.stat().st_size for path in graphs.iterdir())

    def _scheme_of(self, plan: PrecisionAssignment | None) -> Any:
        making = dataclasses.replace(self._making, assignment=plan)
        return (self._scheme.trial or self._scheme.make)(making)

    def _followed(
        self, test: AccuracyTest, loaded: LoadedModel, scheme: Any
    ) -> tuple[Accuracy, list[Bits]]:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "bundle"
            write_trial_bundle(loaded, self._making.target, self._size, scheme, folder)
            return test.followed(folder)
