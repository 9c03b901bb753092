"""What exporters have in common whose bundles hold ONNX graphs."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sam2lite.contracts.manifest import Manifest
from sam2lite.exporter.backends import BackendExporter, ExportRequest
from sam2lite.exporter.bundle.writer import write_bundle, write_trial_bundle
from sam2lite.exporter.footage import compared
from sam2lite.exporter.onnx.passes.graph_pass import without
from sam2lite.exporter.precision.schemes import Making, Scheme
from sam2lite.exporter.verify.opening import open_here
from sam2lite.runtimes.cache import cache_dir
from sam2lite.targets.profile import TargetProfile

if TYPE_CHECKING:
    from sam2lite.exporter.bundle.writer import Report
    from sam2lite.exporter.recipe import Recipe
    from sam2lite.exporter.verify.agreement import ComparedFootage

# Beside the graphs: the loop over a clip, and what a bound costs at least.
LOOP_STEPS, BOUND_STEPS, REHEARSAL_STEPS = 1, 2, 1


class GraphExporter(BackendExporter):
    """Writes ONNX graphs, their weights stored once, each checked against PyTorch.

    Attributes:
        device_app: whether every bundle has device.pyz; else those whose recipe asks for it.
    """

    fields = frozenset({"skip_passes"})
    device_app: ClassVar[bool] = False

    def target(self, recipe: Recipe) -> TargetProfile:
        """See `BackendExporter`.

        Raises:
            ArgumentError: also where the exporter cannot write the opset.
        """
        target = super().target(recipe)
        return target if recipe.opset is None else with_opset(target, recipe.opset)

    def check(self, request: ExportRequest) -> None:
        """See `BackendExporter`.

        Raises:
            UnknownNameError: a pass that is to be skipped does not exist.
        """
        from sam2lite.exporter.onnx.passes.pipeline import steps_with

        steps = (*steps_with(self.passes_for(request.target)), *self.closing_passes())
        without(steps, request.recipe.skip_passes)

    def write(self, request: ExportRequest) -> Manifest:
        """See `BackendExporter`."""
        from sam2lite.exporter.precision.observed import observed

        scheme = self.precisions(request.target)[request.precision]
        return self.make(request, observed(request, scheme))

    def make(self, request: ExportRequest, making: Making) -> Manifest:
        """Write the bundle of a request whose scheme has seen all that it must.

        Args:
            request: the export.
            making: what its scheme is made from.

        Raises:
            CalibrationError: the ranges are of another network, or lack a size.
            OutputError, ExportError, VerificationError: as for `write`.
        """
        scheme = self.precisions(request.target)[request.precision]
        if making.ranges is not None:
            made_for = making.loaded
            making.ranges.check_fits(made_for.sha256, request.sizes, made_for.aspect)
        footage = compared(request, scheme)
        steps = len(self.keys(request)) + LOOP_STEPS + (len(footage.clips) if footage else 0)
        steps += BOUND_STEPS if scheme.max_drop is not None else 0
        steps += REHEARSAL_STEPS if _is_rehearsed(scheme) else 0
        recipe = request.recipe
        with request.progress.phase("export", steps) as report:
            verification: dict[str, Any] = {}
            if scheme.max_drop is not None:
                making, found = _bounded(request, scheme, making, report)
                verification["accuracy"] = found
            if _is_rehearsed(scheme) or (footage and not scheme.as_written):
                verification.update(_rehearsed(request, scheme, making, footage, report))
            return write_bundle(
                making.loaded,
                request.target,
                request.output,
                rungs=request.sizes,
                scheme=_Told(scheme, making),
                verification=verification,
                compare=footage.measured if footage and scheme.as_written else None,
                beside=lambda folder: self.add_beside(request, folder),
                device_app=self.device_app or recipe.device_app,
                skip=tuple(recipe.skip_passes),
                force=recipe.force,
                report=report,
            )


class _Told:
    """A scheme as it was made, and what the manifest says of how."""

    def __init__(self, scheme: Scheme, making: Making) -> None:
        made = scheme.make(making)
        self.calibration = scheme.calibration(making, made.calibration)
        self.render = made.render


def _bounded(
    request: ExportRequest, scheme: Scheme, making: Making, report: Report
) -> tuple[Making, Mapping[str, Any]]:
    """Find how a scheme holds its bound at the largest size; return what that loses."""
    from sam2lite.exporter.precision.bounded import Bound, within_bound

    assert scheme.max_drop is not None
    asked = request.recipe.max_drop
    bound = Bound(
        scheme.max_drop if asked is None else asked,
        request.loaded.host.effort(max(request.sizes)).scored_clips,
        request.recipe.accept_drop,
    )
    making, drop = within_bound(
        scheme,
        making,
        request.loaded,
        max(request.sizes),
        bound,
        cache=Path(cache_dir()) / "precision",
        report=report,
    )
    return making, drop.to_json()


def _is_rehearsed(scheme: Scheme) -> bool:
    return scheme.max_drop is None and scheme.trial is not None


def _rehearsed(
    request: ExportRequest,
    scheme: Scheme,
    making: Making,
    footage: ComparedFootage | None,
    report: Report,
) -> dict[str, Any]:
    """Follow clips in the form that computes here what the target will, at the largest size.

    Args:
        request: the export.
        scheme: with a trial.
        making: what it is made from.
        footage: real clips, if there are any.
        report: told what was done.

    Returns:
        what the manifest's verification says.
    """
    from sam2lite.exporter.verify.loop_parity import loop_parity

    assert scheme.trial is not None
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bundle"
        trial = scheme.trial(making)
        write_trial_bundle(making.loaded, request.target, max(request.sizes), trial, folder)
        bundle, found = open_here(folder), {}
        if _is_rehearsed(scheme):
            found[f"{scheme.name}_loop"] = loop_parity(bundle, making.loaded).to_json()
            report(f"loop in {scheme.name.upper()}")
        return {**found, **(footage.measured(bundle, report) if footage else {})}


def with_opset(target: TargetProfile, opset: int) -> TargetProfile:
    """Return a target whose graphs are written in another opset.

    Raises:
        ArgumentError: the exporter cannot write it.
    """
    from sam2lite.exporter.onnx.trace import check_opset

    check_opset(opset)
    sources = {**target.sources, "opset": "asked for with --opset"}
    return target._replace(opset=opset, sources=sources)
