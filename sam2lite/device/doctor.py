"""Check whether this board can run the bundle, and say what to do where it cannot."""

import argparse
import sys
from typing import Iterator, List

from sam2lite.device.board import check_clocks, check_power_mode, check_swap
from sam2lite.device.tensorrt_checks import (
    check_tensorrt_board,
    check_tensorrt_unused,
    check_trt_target,
)
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
    runtime = [onnxruntime, check_tensorrt_unused()]
    try:
        manifest, _ = read_manifest(bundle)
        python = judge_against_target(python, str(manifest.target.get("python", "")))
        if manifest.backend == "trt":
            made_for = check_trt_target(manifest)
            runtime = [*check_tensorrt_board(bundle, manifest), _unused(onnxruntime)]
        else:
            made_for = check_target(manifest)
            runtime[0] = judge_onnxruntime(onnxruntime, manifest)
    except BundleError as error:
        made_for = Check("Bundle", MISSING, str(error), "copy the bundle again", required=True)
    except ArgumentError as error:  # no target fits this machine
        made_for = Check("Bundle", MISSING, str(error), required=True)
    return [
        made_for,
        python,
        numpy,
        opencv,
        *runtime,
        video,
        check_cpu(),
        check_memory(),
        check_swap(),
        check_power_mode(),
        check_clocks(),
        check_cameras(),
    ]


def _unused(check: Check) -> Check:
    """Return a check as that of a package which this bundle does without."""
    if check.status == OK:
        return check._replace(required=False)
    return Check(check.name, OK, "not used: {}".format(check.value))


def _lines(checks: List[Check]) -> Iterator[str]:
    for check in checks:
        line = "{:<8} {:<14} {}".format(_LABELS[check.status], check.name, check.value)
        yield line + ("; " + check.remedy if check.remedy else "")
    yield (
        "Tracking with this bundle can run here."
        if can_track(checks)
        else "Tracking cannot run here until what is missing above is mended."
    )
