"""Whether a graph takes and gives what its spec says, checked after the trace and every pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import onnx

    from sam2lite.exporter.verify.selection import Arrays


def require_contract(model: onnx.ModelProto, spec: GraphSpec, after: str) -> None:
    """Raise unless names, types and shapes of inputs and outputs are those of a bound spec.

    Raises:
        ExportError: they are not; the message names `after`, the step to blame, and both sides.
    """
    for side, values, tensors in (
        ("inputs", model.graph.input, spec.inputs),
        ("outputs", model.graph.output, spec.outputs),
    ):
        found = describe_values(values)
        if found != tensors:
            raise ExportError(
                f"{spec.name} after {after} has the {side} {_text(found)} "
                f"instead of {_text(tensors)}; the module or the pass is at fault"
            )


def describe_values(values: Iterable[onnx.ValueInfoProto]) -> tuple[TensorSpec, ...]:
    """Return name, NumPy's name of the type, and shape of inputs or outputs; `?` for unknown."""
    return tuple(
        TensorSpec(
            value.name,
            _numpy_name(value.type.tensor_type.elem_type),
            tuple(
                dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or "?")
                for dim in value.type.tensor_type.shape.dim
            ),
        )
        for value in values
    )


def _numpy_name(elem_type: int) -> str:
    import onnx

    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(elem_type))
    except KeyError:  # a sequence, an optional value, or a type of tomorrow
        return "of no type that NumPy has"


def with_types_of(model: onnx.ModelProto, spec: GraphSpec) -> GraphSpec:
    """Return a bound spec in the types that a model's inputs and outputs have."""
    values = (*model.graph.input, *model.graph.output)
    found = {tensor.name: tensor.dtype for tensor in describe_values(values)}
    return spec._replace(
        inputs=tuple(tensor._replace(dtype=found[tensor.name]) for tensor in spec.inputs),
        outputs=tuple(tensor._replace(dtype=found[tensor.name]) for tensor in spec.outputs),
    )


def in_types(feeds: Arrays, spec: GraphSpec) -> Arrays:
    """Return inputs in the types of a spec."""
    return {tensor.name: feeds[tensor.name].astype(tensor.dtype) for tensor in spec.inputs}


def _text(tensors: Iterable[TensorSpec]) -> str:
    return ", ".join(f"{t.name} {t.dtype}{list(t.shape)}" for t in tensors)
