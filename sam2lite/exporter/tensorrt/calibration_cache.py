"""TensorRT's calibration cache, for INT8 without Q/DQ: a text with the scale of every tensor.

Written by hand where TensorRT would write it after running a calibrator: a line that names version
and calibrator, then `name: scale`, the scale as the hexadecimal digits of its FP32 bits. The form
is that of caches in public repositories (`TRT-8502-EntropyCalibration2` of 8.5.2, `TRT-7103` of
7.1.3); no TensorRT has read one of ours.
"""

import struct
from collections.abc import Mapping

from sam2lite.errors import CalibrationError


def cache_text(scales: Mapping[str, float], tensorrt: str) -> str:
    """Return the text of a cache.

    Args:
        scales: of a code, by the name of the tensor in the graph.
        tensorrt: version that will read it, as in `8.2.1`; one before 10.

    Raises:
        CalibrationError: a scale is not positive and finite in FP32.
    """
    major, minor, patch = (int(part) for part in tensorrt.split(".")[:3])
    lines = [f"TRT-{1000 * major + 100 * minor + patch}-EntropyCalibration2"]
    for name, scale in scales.items():
        bits = struct.pack(">f", scale)
        if not 0.0 < struct.unpack(">f", bits)[0] < float("inf"):
            raise CalibrationError(
                f"the scale of {name} is {scale:g}; calibrate on frames that show something"
            )
        lines.append(f"{name}: {bits.hex()}")
    return "\n".join(lines) + "\n"
