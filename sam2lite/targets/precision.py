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
