"""Refusing what a target cannot run, with the reason and the nearest thing that works."""

from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.targets.profile import Precision, TargetProfile

_ELSEWHERE = {
    "ort": "sam2lite-export trt makes bundles for it; for ONNX Runtime on the board's CPU, "
    "--target arm64 --device-app makes one, with --opset 15 where Python is 3.6",
    "trt": "sam2lite-export ort makes bundles for it",
}


def check_backend(profile: TargetProfile, backend: str) -> None:
    """Refuse a target that is for another runtime.

    Args:
        profile: the target.
        backend: `ort` or `trt`, that an export is for.

    Raises:
        ArgumentError: the target has another; the message says what works.
    """
    if profile.backend != backend:
        raise ArgumentError(
            "target '{}' runs {}: {}".format(profile.id, profile.runtime, _ELSEWHERE[backend])
        )


def check_precision(profile: TargetProfile, precision: str) -> Precision:
    """Return how a target stands to a precision that it serves.

    Args:
        profile: the target.
        precision: `fp32`, `fp16` or `int8`.

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
