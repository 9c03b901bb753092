"""Refusing what a target cannot run, with the reason and the nearest thing that works."""

from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.targets.profile import Precision, TargetProfile


def check_backend(profile: TargetProfile, backend: str) -> None:
    """Refuse a target that is for another runtime.

    Args:
        profile: the target.
        backend: `ort`, `trt` or `coreml`, that an export is for.

    Raises:
        ArgumentError: the target has another; the message says what works.
    """
    if profile.backend == backend:
        return
    if profile.backend == "ort":
        raise ArgumentError(
            "target '{0}' runs ONNX Runtime: sam2lite-export ort --target {0} makes its "
            "bundle".format(profile.id)
        )
    if profile.backend == "coreml":
        raise ArgumentError(
            "target '{0}' is for Core ML: sam2lite-export coreml --target {0} makes its "
            "bundle".format(profile.id)
        )
    cpu = "arm64" if profile.architecture == "aarch64" else "x86-64"
    raise ArgumentError(
        "target '{0}' is for TensorRT: sam2lite-export trt --target {0} makes its bundle; for "
        "ONNX Runtime on the CPU beside the GPU use --target {1} (with --device-app and "
        "--opset 15 where Python is 3.6)".format(profile.id, cpu)
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
