"""Which tensors of a converted graph FP16 is too small for, by its ranges on recorded calls."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.exporter.precision.fp16_ranges import LARGEST, MARGIN
from sam2lite.mil.package import load_package
from sam2lite.mil.ranges import activation_ranges

if TYPE_CHECKING:
    from sam2lite.exporter.verify.selection import Arrays

_MADE_HALF = re.compile("_(cast|to)_fp16$")  # what coremltools adds to the names of such tensors


def overflowing_in(model: Any, calls: Sequence[Arrays]) -> dict[str, float]:
    """Return the tensors that come near FP16's end, or go beyond, and how far from 0 they get.

    Args:
        model: as converted; it is evaluated in FP32, in which nothing overflows.
        calls: inputs of recorded calls, by name; images are uint8.
    """
    function = load_package(Path(model.package_path)).function()
    spans = activation_ranges(function, calls, "fp32")
    found = {}
    for step in function.program.steps:
        for output in step.outputs:
            if output.dtype == "float16" and output.name in spans:
                greatest = max(abs(end) for end in spans[output.name])
                greatest = greatest if math.isfinite(greatest) else math.inf  # a NaN, too
                if greatest * MARGIN > LARGEST:
                    found[_MADE_HALF.sub("", output.name)] = greatest
    return found
