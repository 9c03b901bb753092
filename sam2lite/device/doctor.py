"""Check whether this board can run the bundle, and say what to do where it cannot."""

import argparse
import importlib
import sys
from typing import Any, Iterator, List

from sam2lite.contracts.backends import backend_names, get_backend
from sam2lite.device.sensors.board import check_clocks, check_power_mode
from sam2lite.device.sensors.jetson import check_gstreamer, is_jetson
from sam2lite.device.swap import check_swap
from sam2lite.errors import BundleError, Sam2LiteError, SessionError
from sam2lite.runtimes.bundle import read_manifest
from sam2lite.runtimes.commands.installs import JETPACK, PIP
from sam2lite.runtimes.commands.machine_checks import (
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
    check_opencv,
    check_python,
    check_video_backends,
    sum_up,
)

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
    has_numpy = numpy.status == OK
    if has_numpy:
        opencv = check_opencv(installs)
        video = [check_video_backends(installs), *([check_gstreamer()] if on_jetson else [])]
    else:  # OpenCV imports NumPy from C++, and prints a traceback of its own where it is missing
        opencv = Check("OpenCV", MISSING, "not tried without NumPy", required=True)
        video = []
    unbuilt = None
    try:
        manifest, _ = read_manifest(bundle)
        own = _door(manifest.backend)
        made_for = own.check_target(manifest)
        runtime = own.check_runtime(bundle, manifest, has_numpy, installs)
        unbuilt = manifest if own.is_unbuilt(runtime) else None
        runtime += [
            _unused(check)
            for door in _doors()
            if door is not own
            for check in door.check_installed(has_numpy, installs)
        ]
    except Sam2LiteError as error:
        remedy = "copy the bundle again" if isinstance(error, BundleError) else ""
        made_for = Check("Bundle", MISSING, str(error), remedy, required=True)
        runtime = [
            check for door in _doors() for check in door.check_installed(has_numpy, installs)
        ]
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


def _doors() -> List[Any]:
    """Return the checks of all backends that run on a board."""
    doors = [get_backend(name).doctor for name in backend_names()]
    return [importlib.import_module(door) for door in doors if door is not None]


def _door(backend: str) -> Any:
    """Return the checks of one backend.

    Raises:
        UnknownNameError: there is no such backend.
        SessionError: its bundles do not run on a board.
    """
    known = get_backend(backend)
    if known.doctor is None:
        raise SessionError(
            "bundles for {} do not run on a board; export one that does".format(known.title)
        )
    return importlib.import_module(known.doctor)


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
