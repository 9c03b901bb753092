"""Check whether this board can run the bundle, and say what to do where it cannot."""

import argparse
import sys
from typing import Iterator, List

from sam2lite.contracts.manifest import Manifest
from sam2lite.device.sensors.board import check_clocks, check_power_mode
from sam2lite.device.sensors.jetson import check_gstreamer, is_jetson
from sam2lite.device.swap import check_swap
from sam2lite.device.tensorrt.checks import (
    check_cuda,
    check_tensorrt_board,
    check_tensorrt_unused,
    check_trt_target,
)
from sam2lite.device.versions import check_target, judge_against_target, judge_onnxruntime
from sam2lite.errors import ArgumentError, BundleError
from sam2lite.runtimes.bundle import read_manifest
from sam2lite.runtimes.commands.doctor import (
    ABSENT,
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
    sum_up,
)
from sam2lite.runtimes.commands.installs import JETPACK, PIP

_LABELS = {OK: "OK", WARNING: "warning", ABSENT: "absent", MISSING: "missing"}


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
    on_jetson = is_jetson()
    installs = JETPACK if on_jetson else PIP
    python, numpy = check_python(), check_numpy(installs)
    if numpy.status == OK:
        opencv, onnxruntime = check_opencv(installs), check_onnxruntime(installs)
        video = [check_video_backends(installs), *([check_gstreamer()] if on_jetson else [])]
    else:  # they import NumPy from C++, and print tracebacks of their own where it is missing
        opencv, onnxruntime = _untried("OpenCV"), _untried("ONNX Runtime")
        video = []
    unbuilt = None
    try:
        manifest, _ = read_manifest(bundle)
        python = judge_against_target(python, str(manifest.target.get("python", "")))
        if manifest.backend == "trt":
            made_for = check_trt_target(manifest)
            runtime = [*_tensorrt(bundle, manifest, numpy), _unused(onnxruntime)]
            is_built = any(check.name == "Engines" and check.status == OK for check in runtime)
            unbuilt = None if is_built else manifest
        else:
            made_for = check_target(manifest)
            runtime = [judge_onnxruntime(onnxruntime, manifest), *_tensorrt_unused(numpy)]
    except (BundleError, ArgumentError) as error:  # the latter where no target fits this machine
        remedy = "copy the bundle again" if isinstance(error, BundleError) else ""
        made_for = Check("Bundle", MISSING, str(error), remedy, required=True)
        runtime = [onnxruntime, *_tensorrt_unused(numpy)]
    return [
        made_for,
        python,
        numpy,
        opencv,
        *runtime,
        *video,
        check_cpu(),
        check_memory(),
        check_swap(unbuilt),
        check_power_mode(),
        check_clocks(),
        check_cameras(),
    ]


def _tensorrt(bundle: str, manifest: Manifest, numpy: Check) -> List[Check]:
    """Check what a bundle for TensorRT needs. Its module may import NumPy, which may crash."""
    if numpy.status == OK:
        return check_tensorrt_board(bundle, manifest)
    return [check_cuda(), _untried("TensorRT")]


def _tensorrt_unused(numpy: Check) -> List[Check]:
    return [check_tensorrt_unused()] if numpy.status == OK else []


def _untried(name: str) -> Check:
    return Check(name, MISSING, "not tried without NumPy", required=True)


def _unused(check: Check) -> Check:
    """Return a check as that of a package which this bundle does without."""
    if check.status == OK:
        return check._replace(required=False)
    return Check(check.name, OK, "not used: {}".format(check.value))


def _lines(checks: List[Check]) -> Iterator[str]:
    for check in checks:
        line = "{:<8} {:<14} {}".format(_LABELS[check.status], check.name, check.value)
        yield line + ("; " + check.remedy if check.remedy else "")
    yield sum_up(checks, "this bundle")
