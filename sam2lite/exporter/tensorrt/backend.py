"""Bundles for TensorRT: graphs that its parser takes, and the plan of a build on the board."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.contracts.build_plan import NOT_BUILT
from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import RecipeError
from sam2lite.exporter.backends import ExportRequest
from sam2lite.exporter.bundle.graph_exporter import GraphExporter
from sam2lite.exporter.precision.int8 import MAX_DROP, ranked_layers
from sam2lite.exporter.precision.scheme import Float32
from sam2lite.exporter.precision.schemes import (
    CALLS,
    FOOTAGE_FIELDS,
    RANGES,
    LayerChoice,
    Scheme,
)
from sam2lite.exporter.tensorrt.passes.table import passes_of
from sam2lite.exporter.tensorrt.plan import write_plan
from sam2lite.exporter.tensorrt.precision import (
    beside_fp16,
    fp16,
    layers,
    rounded_beside,
    rounded_fp16,
)
from sam2lite.exporter.tensorrt.preflight import preflight_folder
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.registry import HOST
from sam2lite.targets.releases import with_jetpack, with_tensorrt
from sam2lite.targets.tensorrt.ops import read_version

if TYPE_CHECKING:
    from sam2lite.exporter.onnx.passes.graph_pass import GraphPass
    from sam2lite.exporter.precision.fp16 import Pins
    from sam2lite.exporter.recipe import Recipe


class TensorRtExporter(GraphExporter):
    """Makes them; for the target `host`, builds and checks the engines as well."""

    name = "trt"
    schemes = (
        Scheme("fp32", lambda making: Float32(), exact=True),
        Scheme("fp16", fp16, CALLS, trial=rounded_fp16, as_written=False),
        Scheme(
            "int8",
            beside_fp16,
            RANGES,
            trial=rounded_beside,
            as_written=False,
            layers=LayerChoice(layers, ranked_layers),
            max_drop=MAX_DROP,
        ),
    )
    default_precision = "fp16"
    fields = GraphExporter.fields | {"jetpack", "tensorrt", "fallback"}
    device_app = True
    readme = """\
This folder is a bundle of SAM2-Lite and runs with the Python, TensorRT and OpenCV of JetPack alone.
First:  python3 device.pyz doctor   then, once, for many minutes:  python3 device.pyz build
Then:   python3 device.pyz bench    or:  python3 device.pyz track --video FILE --point X,Y -o DIR
"""
    knows_parser = True

    def target(self, recipe: Recipe) -> TargetProfile:
        """See `BackendExporter`.

        Raises:
            DependencyError, SessionError: engines are to be built here, and cannot be.
        """
        if recipe.target == HOST:
            return _here(recipe)
        target = super().target(recipe)
        if recipe.jetpack is not None:
            return with_jetpack(target, recipe.jetpack, recipe.tensorrt)
        return target if recipe.tensorrt is None else with_tensorrt(target, recipe.tensorrt)

    def uses(self, recipe: Recipe, target: TargetProfile, scheme: Scheme) -> frozenset[str]:
        """See `BackendExporter`; engines that are built here are compared on footage."""
        used = super().uses(recipe, target, scheme)
        return used | FOOTAGE_FIELDS if recipe.target == HOST else used

    def passes_for(self, target: TargetProfile) -> tuple[GraphPass, ...]:
        """See `BackendExporter`: the rewrites that this version of TensorRT needs."""
        assert target.tensorrt is not None  # by the backend
        return passes_of(read_version(target.tensorrt.version))

    def refused(
        self, folder: Path, manifest: Manifest, target: TargetProfile
    ) -> Mapping[str, Sequence[Any]]:
        """See `BackendExporter`; the answer comes from tables."""
        assert target.tensorrt is not None
        return preflight_folder(folder, manifest, target.tensorrt.version)

    def finish(self, folder: Path, target: TargetProfile, manifest: Manifest) -> Manifest:
        """Ask the parser, estimate the memory, and write the plan of the build."""
        manifest.verification.update(write_plan(folder, target, manifest))
        return manifest._replace(status=NOT_BUILT)

    def after(self, request: ExportRequest, manifest: Manifest) -> None:
        """Build and compare the engines, where the target is this machine.

        Raises:
            SessionError: an engine cannot be built or run.
            VerificationError: one is out of its bound, and pinning layers does not mend it.
        """
        if request.recipe.target != HOST:
            return
        from sam2lite.exporter.footage import recorded
        from sam2lite.exporter.precision.observed import observed
        from sam2lite.exporter.tensorrt.engine_check import EngineTest
        from sam2lite.exporter.tensorrt.engines import EngineMaker
        from sam2lite.exporter.tensorrt.host import board_here

        scheme = self.precisions(request.target)[request.precision]
        making = observed(request, scheme)  # again: what was recorded is cached
        loaded, recording = making.loaded, making.recording
        if recording is None:
            recording, _ = recorded(dataclasses.replace(request, loaded=loaded))
        forced = dataclasses.replace(
            request, recipe=dataclasses.replace(request.recipe, force=True)
        )

        def rewrite(pins: Pins) -> None:
            self.make(forced, dataclasses.replace(making, also_pinned=pins))

        with request.progress.phase("build", len(manifest.graphs)) as step:
            maker = EngineMaker(
                request.output,
                board_here(),
                loaded,
                EngineTest(loaded, recording),
                report=request.progress.tell,
                step=step,
            )
            maker.make(None if scheme.layers is not None else rewrite)


def _here(recipe: Recipe) -> TargetProfile:
    """Return the profile of this machine; raises as `trt_target_here`.

    Raises:
        RecipeError: a release is named, where the installed one counts.
    """
    for field in ("jetpack", "tensorrt"):
        if getattr(recipe, field) is not None:
            raise RecipeError(
                f"`{field}` does not go with `target` host, which takes what is installed; leave "
                "it out, or name the target",
                field,
            )
    from sam2lite.exporter.tensorrt.host import trt_target_here

    return trt_target_here()


EXPORTER = TensorRtExporter()
