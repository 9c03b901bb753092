"""Refusing what a target cannot run, with the reason and the nearest thing that works."""

from sam2lite.contracts.backends import get_backend
from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.targets.profile import Precision, TargetProfile


def check_backend(profile: TargetProfile, backend: str) -> None:
    """Refuse a target that is for another runtime.

    Args:
        profile: the target.
        backend: name of the one that an export is for.

    Raises:
        ArgumentError: the target has another; the message says what works.
    """
    if profile.backend == backend:
        return
    instead = ""
    if profile.tensorrt is not None:
        instead = (
            "; for ONNX Runtime on the CPU beside the GPU use --target {} (with --device-app and "
            "--opset 15 where Python is 3.6)".format(
                "arm64" if profile.architecture == "aarch64" else "x86-64"
            )
        )
    raise ArgumentError(
        "target '{0}' is for {1}: sam2lite-export {2} --target {0} makes its bundle{3}".format(
            profile.id, get_backend(profile.backend).title, profile.backend, instead
        )
    )


def check_precision(profile: TargetProfile, precision: str) -> Precision:
    """Return how a target stands to a precision that it serves.

    Args:
        profile: the target.
        precision: as in `--precision`.

    Raises:
        UnknownNameError: there is no such precision.
        ArgumentError: the target does not serve it; the message names the nearest one it does.
    """
    for entry in profile.precisions:
        if entry.name == precision:
            if not entry.served:
                raise ArgumentError(
                    "target '{}' does not serve {}: {}; use --precision {}, as --fallback "
                    "does".format(profile.id, precision, entry.note, entry.instead)
                )
            return entry
    raise UnknownNameError("precision", precision, [entry.name for entry in profile.precisions])


def nearest_precision(profile: TargetProfile, precision: str) -> Precision:
    """Return how a target stands to a precision, or to the nearest one that it serves.

    Raises:
        UnknownNameError: there is no such precision.
    """
    for entry in profile.precisions:
        if entry.name == precision:
            instead = entry.instead
            return entry if instead is None else check_precision(profile, instead)
    return check_precision(profile, precision)
