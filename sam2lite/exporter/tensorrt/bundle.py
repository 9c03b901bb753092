"""A bundle for TensorRT in floating point."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.exporter.bundle.writer import write_bundle, write_trial_bundle
from sam2lite.exporter.precision.fp16 import Fp16, Pins
from sam2lite.exporter.precision.scheme import Float32, PrecisionScheme
from sam2lite.exporter.tensorrt.precision import form_of
from sam2lite.exporter.verify.loop_parity import loop_parity
from sam2lite.runtimes.bundle import open_bundle

if TYPE_CHECKING:
    from sam2lite.calibration.ranges import Provenance
    from sam2lite.calibration.recorder import Recording
    from sam2lite.contracts.manifest import Manifest
    from sam2lite.models.checkpoint import LoadedModel
    from sam2lite.targets.profile import TargetProfile


def write_trt_bundle(
    checkpoint: LoadedModel,
    target: TargetProfile,
    output: Path,
    precision: str,
    recording: tuple[Recording, Provenance],
    *,
    rungs: Sequence[int],
    also_pinned: Pins | None = None,
    force: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Write a verified bundle in FP32 or FP16 from which engines are built.

    In FP16, a clip is tracked by graphs of the largest rung that round every value as the engines
    will; how far that is from PyTorch stands in the manifest.

    Args:
        checkpoint: the network and where it comes from.
        target: with TensorRT.
        output: the directory; it appears whole or not at all.
        precision: `fp32` or `fp16`.
        recording: of the network at the rungs, and where it comes from.
        rungs: input sides, px.
        also_pinned: in FP16, what computes in FP32 beside what the rules and ranges say.
        force: replace what is there.
        report: told the name of each step when it is done.

    Raises:
        CalibrationError: nothing was recorded of a graph.
        OutputError, ExportError, VerificationError: as for `write_bundle`; also where FP16 loses
            too much, or the target's parser would not take a graph.
    """
    assert target.tensorrt is not None  # by the backend
    scheme: PrecisionScheme = Float32()
    verification: dict[str, Any] = {}
    if precision == "fp16":
        scheme = Fp16(*recording, form_of(target.tensorrt), also_pinned=also_pinned)
        rounded = Fp16(*recording, "rounded", also_pinned=also_pinned)
        verification["fp16_loop"] = _rounded_loop(checkpoint, target, max(rungs), rounded)
        report("loop in FP16")
    return write_bundle(
        checkpoint,
        target,
        output,
        rungs=rungs,
        scheme=scheme,
        verification=verification,
        device_app=True,
        force=force,
        report=report,
    )


def _rounded_loop(
    checkpoint: LoadedModel, target: TargetProfile, rung: int, rounded: Fp16
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bundle"
        write_trial_bundle(checkpoint, target, rung, rounded, folder)
        return loop_parity(open_bundle(str(folder), "ort"), checkpoint.model).to_json()
