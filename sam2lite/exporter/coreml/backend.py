"""Bundles for Core ML: packages, each read again and evaluated by simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.contracts.manifest import Manifest
from sam2lite.exporter.backends import BackendExporter, ExportRequest
from sam2lite.exporter.coreml.compress import PRECISIONS, Compressed
from sam2lite.exporter.precision.schemes import CALLS, Making, Scheme

if TYPE_CHECKING:
    from collections.abc import Callable


def _always(precision: Compressed) -> Callable[[Making], Compressed]:
    return lambda making: precision


class CoremlExporter(BackendExporter):
    """Makes them. A scheme of another precision makes a `Compressed`, and has no bound on J&F."""

    name = "coreml"
    schemes = tuple(
        Scheme(precision.name, _always(precision), CALLS, block_size=precision.block_size)
        for precision in PRECISIONS.values()
    )
    default_target = "ios17"
    default_precision = "fp16"
    fields = frozenset({"fallback"})
    packages = ("torch", "safetensors")
    extra = "coreml"

    def write(self, request: ExportRequest) -> Manifest:
        """See `BackendExporter`.

        Raises:
            DependencyError, SessionError: coremltools is missing, or of an untested version.
        """
        # Before minutes of work, and not after.
        from sam2lite.mil.coremltools_import import import_coremltools

        import_coremltools()
        from sam2lite.exporter.coreml.bundle import steps, write_coreml_bundle
        from sam2lite.exporter.footage import compared
        from sam2lite.exporter.precision.observed import observed

        scheme = self.precisions(request.target)[request.precision]
        making = observed(request, scheme)
        footage = compared(request, scheme)
        count = steps(len(self.keys(request))) + (len(footage.clips) if footage else 0)
        with request.progress.phase("export", count) as report:
            return write_coreml_bundle(
                making.loaded,
                request.target,
                request.output,
                scheme.make(making),
                making.footage,
                rungs=request.sizes,
                calibration=scheme.calibration(making, None),
                compare=footage.measured if footage else None,
                force=request.recipe.force,
                report=report,
            )


EXPORTER = CoremlExporter()
