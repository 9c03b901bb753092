"""Pass `static`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.errors import ExportError

if TYPE_CHECKING:
    import onnx

_CONTROL_FLOW = "control flow, which fixed-shape compilers do not take"
_SIZE_BY_VALUE = "the size of its output depends on values"
_NOT_FOLDED = "a shape that should have become a constant"
_NOT_PORTABLE = "not on every target"

FORBIDDEN = {
    "If": _CONTROL_FLOW,
    "Loop": _CONTROL_FLOW,
    "Scan": _CONTROL_FLOW,
    "Compress": _SIZE_BY_VALUE,
    "NonMaxSuppression": _SIZE_BY_VALUE,
    "NonZero": _SIZE_BY_VALUE,
    "Unique": _SIZE_BY_VALUE,
    "Shape": _NOT_FOLDED,
    "Size": _NOT_FOLDED,
    "GridSample": _NOT_PORTABLE,
    "ScatterElements": _NOT_PORTABLE,
    "ScatterND": _NOT_PORTABLE,
}


def static(model: onnx.ModelProto) -> onnx.ModelProto:
    """Refuse what a fixed-shape compiler or an old parser would; change nothing.

    **Given:**

        %y: float32[1, 128, 15, 15] = Conv(%x, weight)
        %n: int64[2, ?] = NonZero(%y)

    **Result:**

        ExportError: node /NonZero is a NonZero: the size of its output depends on values; ...

    Parity: exact, nothing is changed.

    Raises:
        ExportError: an operator is forbidden or not a standard one, or a value has no fixed shape.
    """
    fixed = {value.name for value in model.graph.value_info if _is_fixed(value)}
    fixed.update(value.name for value in model.graph.output if _is_fixed(value))
    for node in model.graph.node:
        what = f"node {node.name} is a {node.op_type}"
        if node.domain not in ("", "ai.onnx"):
            raise ExportError(
                f"{what} of the domain {node.domain}; write it with standard operators"
            )
        if node.op_type in FORBIDDEN:
            raise ExportError(f"{what}: {FORBIDDEN[node.op_type]}; write the module without it")
        for name in node.output:
            if name and name not in fixed:
                raise ExportError(
                    f"{what} and its output {name} has no fixed shape; make shapes constants"
                )
    return model


def _is_fixed(value: onnx.ValueInfoProto) -> bool:
    tensor = value.type.tensor_type
    return tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in tensor.shape.dim)
