"""Check whether this board can run the bundle, and say what to do where it cannot."""

import argparse
import sys
from typing import Iterator, List

from sam2lite.device.board import check_clocks, check_power_mode, check_swap
from sam2lite.device.versions import check_target, judge_against_target, judge_onnxruntime
from sam2lite.errors import ArgumentError, BundleError
from sam2lite.runtimes.bundle import read_manifest
from sam2lite.runtimes.doctor import (
    MISSING,
    OK,
    WARNING,
    Check,
    can_track,
    check_cameras,
    check_cpu,
    check_memory,
    check_numpy,
    check_onnxruntime,
    check_opencv,
    check_python,
    check_video_backends,
)

_LABELS = {OK: "OK", WARNING: "warning", MISSING: "missing"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no options: there is nothing to choose."""


def run(arguments: argparse.Namespace) -> int:
    """Print every check; return 0 if tracking can run here, or else 1."""
    checks = run_checks(arguments.bundle)
    sys.stdout.write("\n".join(_lines(checks)) + "\n")
    return 0 if can_track(checks) else 1


def run_checks(bundle: str) -> List[Check]:
    """Run every check, in the order in which they are shown.

    Args:
        bundle: its folder. What a version should be is not known where it cannot be read.
    """
    python, numpy = check_python(), check_numpy()
    if numpy.status == OK:
        opencv, onnxruntime, video = check_opencv(), check_onnxruntime(), check_video_backends()
    else:  # they import NumPy from C++, and print tracebacks of their own where it is missing
        opencv, onnxruntime, video = (
            Check(name, MISSING, "not tried without NumPy", required=True)
            for name in ("OpenCV", "ONNX Runtime", "Video input")
        )
    try:
        manifest, _ = read_manifest(bundle)
        made_for = check_target(manifest)
        python = judge_against_target(python, str(manifest.target.get("python", "")))
        onnxruntime = judge_onnxruntime(onnxruntime, manifest)
    except BundleError as error:
        made_for = Check("Bundle", MISSING, str(error), "copy the bundle again", required=True)
    except ArgumentError as error:  # no target fits this machine
        made_for = Check("Bundle", MISSING, str(error), required=True)
    return [
        made_for,
        python,
        numpy,
        opencv,
        onnxruntime,
        check_tensorrt(),
        video,
        check_cpu(),
        check_memory(),
        check_swap(),
        check_power_mode(),
        check_clocks(),
        check_cameras(),
    ]


def check_tensorrt() -> Check:
    """Look for TensorRT, which bundles for ONNX Runtime do not need."""
    try:
        import tensorrt
    except Exception as error:  # absent, or at odds with its libraries
        return Check("TensorRT", OK, "not used: {}".format(error))
    return Check("TensorRT", OK, str(tensorrt.__version__))


def _lines(checks: List[Check]) -> Iterator[str]:
    for check in checks:
        line = "{:<8} {:<14} {}".format(_LABELS[check.status], check.name, check.value)
        yield line + ("; " + check.remedy if check.remedy else "")
    yield (
        "Tracking with this bundle can run here."
        if can_track(checks)
        else "Tracking cannot run here until what is missing above is mended."
    )
