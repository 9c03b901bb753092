"""Pass `is_inf`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sam2lite.exporter.tensorrt.passes.rewriting import Replacement, replace

if TYPE_CHECKING:
    import onnx


def is_inf(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write IsInf as a comparison with infinity.

    Not with the largest finite number: that of FP32 is infinite in an engine of FP16, and nothing
    is larger.

    **Given:**

        %y: bool = IsInf(%x)
        %z: bool = IsInf(%x), detect_negative=0

    **Result:**

        %y = Equal(Abs(%x), infinity)
        %z = Equal(%x, infinity)

    One that detects neither is left as it is.

    Parity: exact.
    """
    return replace(model, "IsInf", _expand)


def _expand(new: Replacement) -> bool:
    x = new.input(0)
    negative, positive = new.attribute("detect_negative", 1), new.attribute("detect_positive", 1)
    if not new.dtype(x) or not (negative or positive):
        return False
    if negative and positive:
        x, bound = new.add("Abs", [x]), math.inf
    else:
        bound = -math.inf if negative else math.inf
    new.add("Equal", [x, new.scalar(bound, new.dtype(new.input(0)))], new.node.output[0])
    return True
