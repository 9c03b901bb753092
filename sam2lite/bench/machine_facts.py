"""The machine that figures were measured on, and who else was using it."""

import os
import platform
from typing import Any

import cv2
import numpy as np

from sam2lite import __version__
from sam2lite.targets.machine import read_machine


def describe_machine() -> dict[str, Any]:
    """Return processor, system and versions as plain data."""
    import onnxruntime

    machine = read_machine()
    return {
        "model": machine.model,
        "architecture": machine.architecture,
        "cores": machine.cores,
        "system": platform.platform(),
        "versions": {
            "sam2lite": __version__,
            "python": platform.python_version(),
            "onnxruntime": onnxruntime.__version__,
            "numpy": np.__version__,
            "opencv": cv2.__version__,
        },
    }


def load_average() -> float:
    """Return how many processes wanted a core in the last minute, this one included."""
    return round(os.getloadavg()[0], 2)
