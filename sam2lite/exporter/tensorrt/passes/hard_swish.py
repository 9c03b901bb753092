"""Pass `hard_swish`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.exporter.tensorrt.passes.rewriting import Replacement, replace

if TYPE_CHECKING:
    import onnx


def hard_swish(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write HardSwish as ONNX defines it.

    **Given:**

        %y = HardSwish(%x)

    **Result:**

        %y = Mul(%x, HardSigmoid(%x)), alpha=1/6, beta=0.5

    Parity: exact in onnxruntime.
    """
    return replace(model, "HardSwish", _expand)


def _expand(new: Replacement) -> bool:
    x = new.input(0)
    gate = new.add("HardSigmoid", [x], alpha=1.0 / 6.0, beta=0.5)
    new.add("Mul", [x, gate], new.node.output[0])
    return True
