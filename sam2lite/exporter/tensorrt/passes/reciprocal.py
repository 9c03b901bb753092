"""Pass `reciprocal`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.exporter.tensorrt.passes.rewriting import Replacement, replace

if TYPE_CHECKING:
    import onnx


def reciprocal(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write Reciprocal as a division.

    **Given:**

        %y = Reciprocal(%x)

    **Result:**

        %y = Div(1, %x)

    Parity: exact.
    """
    return replace(model, "Reciprocal", _expand)


def _expand(new: Replacement) -> bool:
    x = new.input(0)
    if not new.dtype(x):
        return False
    new.add("Div", [new.scalar(1.0, new.dtype(x)), x], new.node.output[0])
    return True
