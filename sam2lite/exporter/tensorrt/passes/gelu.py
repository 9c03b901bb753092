"""Pass `gelu`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sam2lite.exporter.tensorrt.passes.rewriting import Replacement, replace

if TYPE_CHECKING:
    import onnx

CUBIC = 0.044715


def gelu(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write Gelu with Erf, or with Tanh where it is the approximate one.

    **Given:**

        %y = Gelu(%x)
        %z = Gelu(%x), approximate="tanh"

    **Result:**

        %y = Mul(Mul(%x, 0.5), Add(1, Erf(Mul(%x, sqrt(1 / 2)))))
        %z = Mul(Mul(%x, 0.5), Add(1, Tanh(Mul(%x, sqrt(2 / pi) * (1 + 0.044715 * %x * %x)))))

    The cube of x is not there: with the square an activation of FP16 may overflow and Tanh still
    gives -1 or 1.

    Parity: to rounding, 1e-7 of the largest value.
    """
    return replace(model, "Gelu", _expand)


def _expand(new: Replacement) -> bool:
    x = new.input(0)
    dtype = new.dtype(x)
    if not dtype:
        return False
    one, half = new.scalar(1.0, dtype), new.scalar(0.5, dtype)
    if new.attribute("approximate", "none") == "tanh":
        root = math.sqrt(2.0 / math.pi)
        squares = new.add("Mul", [new.add("Mul", [x, x]), new.scalar(root * CUBIC, dtype)])
        slope = new.add("Add", [squares, new.scalar(root, dtype)])
        step = new.add("Tanh", [new.add("Mul", [x, slope])])
    else:
        step = new.add("Erf", [new.add("Mul", [x, new.scalar(math.sqrt(0.5), dtype)])])
    share = new.add("Add", [step, one])
    new.add("Mul", [new.add("Mul", [x, half]), share], new.node.output[0])
    return True
