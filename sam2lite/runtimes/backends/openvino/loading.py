"""OpenVINO's package: imported without what it reports to its makers, and judged by its version."""

import re
import sys
from typing import Any, Optional, Tuple

from sam2lite.errors import SessionError, install_extra

LEAST = (2025, 0)  # the oldest that was tried
_REPORTER = "openvino_telemetry"
_EXTRA = "openvino"


def import_openvino() -> Any:
    """Import OpenVINO's package, and let it tell nobody.

    From 2024.1 on its import sends an event to an analytics service, and leaves an id of the user
    in the home folder, unless the package that does it cannot be imported. There is no variable
    against it. A program that has imported OpenVINO before us has made its own choice.

    Raises:
        ImportError: it is not installed, or does not fit its libraries.
    """
    if sys.modules.get("openvino") is not None:
        return sys.modules["openvino"]
    hidden = _REPORTER not in sys.modules
    if hidden:
        sys.modules[_REPORTER] = None  # type: ignore[assignment]  # what makes an import fail
    try:
        import openvino
    finally:
        if hidden:
            del sys.modules[_REPORTER]
    return openvino


def judge_openvino() -> Tuple[bool, str]:
    """Say whether there is an OpenVINO that can be used, and which one or why not."""
    try:
        openvino = import_openvino()
    except Exception as error:  # absent, or at odds with its libraries
        return False, "OpenVINO cannot be imported ({}); run: {}{}".format(
            error, install_extra(_EXTRA), ", or run its bundles with --backend ort"
        )
    text = str(getattr(openvino, "__version__", "of an unknown version"))
    found = _version(text)
    if found is None or found < LEAST:
        return False, "OpenVINO {} is too old, {}.{} is needed; run: {} --upgrade".format(
            text, LEAST[0], LEAST[1], install_extra(_EXTRA)
        )
    return True, "OpenVINO {}".format(text.split("-")[0])


def require_openvino() -> Any:
    """Return OpenVINO's package.

    Raises:
        SessionError: it is not there, or too old.
    """
    available, reason = judge_openvino()
    if not available:
        raise SessionError(reason)
    return import_openvino()


def message_of(error: Exception) -> str:
    """Return the line of one of OpenVINO's errors that says what is wrong, and not where in it."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if line and not line.startswith("Exception from")), "")


def _version(text: str) -> Optional[Tuple[int, int]]:
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else None
