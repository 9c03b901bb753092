"""Bundles for OpenVINO: standard ONNX, whose Q/DQ it reads, checked in it where it is installed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from sam2lite.contracts.manifest import Manifest
from sam2lite.exporter.bundle.graph_exporter import GraphExporter
from sam2lite.exporter.onnx.passes.graph_pass import GraphPass
from sam2lite.exporter.openvino.graph_check import checked
from sam2lite.exporter.openvino.passes.rows import rows_beside
from sam2lite.exporter.openvino.precision import BFloat16
from sam2lite.exporter.precision.fp16_storage import Fp16Storage
from sam2lite.exporter.precision.int8 import INT8_LAYERS, MAX_DROP, quantized, unmeasured
from sam2lite.exporter.precision.scheme import Float32
from sam2lite.exporter.precision.schemes import RANGES, Scheme
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.registry import HOST, intel_host

if TYPE_CHECKING:
    from sam2lite.exporter.recipe import Recipe


class OpenVinoExporter(GraphExporter):
    """Makes them, and compares each graph in OpenVINO with the same in ONNX Runtime."""

    name = "openvino"
    schemes = (
        Scheme("fp32", lambda making: Float32(), exact=True),
        Scheme("fp16", lambda making: Fp16Storage()),
        Scheme("bf16", lambda making: BFloat16()),
        Scheme("int8", quantized, RANGES, trial=unmeasured, layers=INT8_LAYERS, max_drop=MAX_DROP),
    )
    default_target = HOST
    fields = GraphExporter.fields | {"opset", "fallback"}

    def target(self, recipe: Recipe) -> TargetProfile:
        """See `BackendExporter`; `host` is the CPU of this machine.

        Raises:
            ArgumentError: also where `host` is asked for on a machine that is not x86-64.
        """
        if recipe.target in (None, HOST):
            recipe = dataclasses.replace(recipe, target=intel_host().id)
        return super().target(recipe)

    def closing_passes(self) -> tuple[GraphPass, ...]:
        """See `BackendExporter`: what it would not load. Operators are those of the standard."""
        return (GraphPass(rows_beside.__name__, rows_beside),)

    def finish(self, folder: Path, target: TargetProfile, manifest: Manifest) -> Manifest:
        """Say what the bundle was checked with, and compare its graphs where that is OpenVINO."""
        manifest.verification["openvino"] = checked(folder, manifest)
        return manifest


EXPORTER = OpenVinoExporter()
