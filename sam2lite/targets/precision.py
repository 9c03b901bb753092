"""Refusing what a target cannot run, with the reason and the nearest thing that works."""

from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.targets.profile import Precision, TargetProfile


def check_ort(profile: TargetProfile) -> None:
    """Refuse a target that is not for ONNX Runtime.

    Args:
        profile: the target.

    Raises:
        ArgumentError: it is for another runtime; the message says what works on its CPU.
    """
    if profile.backend != "ort":
        raise ArgumentError(
            "target '{}' is for TensorRT, for which there is no bundle yet; --target arm64 "
            "--device-app makes one for ONNX Runtime on the board's CPU, with --opset 15 where "
            "Python is 3.6".format(profile.id)
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
                    "target '{}' does not serve {}: {}; use --precision {}".format(
                        profile.id, precision, entry.note, entry.instead
                    )
                )
            return entry
    raise UnknownNameError("precision", precision, [entry.name for entry in profile.precisions])
