"""Build a function of one operator with coremltools, and what coremltools computes of it itself."""

from typing import Any

import numpy as np

from sam2lite.mil.coremltools_import import import_coremltools
from sam2lite.mil.feeds import Feed
from sam2lite.mil.function import SimulatedFunction
from sam2lite.mil.ops.table import CONSTANT_HANDLERS
from sam2lite.mil.program import ConstantPool, read_program

ct = import_coremltools()

from coremltools.converters.mil.mil import Builder, Function, Placeholder, types  # noqa: E402

_MIL_TYPES = {
    "float32": types.fp32,
    "float16": types.fp16,
    "int32": types.int32,
    "int8": types.int8,
    "uint8": types.uint8,
    "uint16": types.uint16,
    "bool": types.bool,
}


# coremltools computes these only on request, so that they stay small in a package.
_NEVER_FOLDED = {"dequantize", *CONSTANT_HANDLERS}


def one_op(op: str, inputs: dict[str, Any], constants: dict[str, Any], target: str) -> Any:
    """Return the in-memory function of one operator; a list of arrays is a tuple of inputs."""
    arrays = flat(inputs)
    placeholders = {
        name: Placeholder(sym_shape=array.shape, dtype=_MIL_TYPES[array.dtype.name], name=name)
        for name, array in arrays.items()
    }
    with Function(placeholders, opset_version=ct.target[target]) as function:
        arguments = {
            key: [function.inputs[f"{key}_{index}"] for index in range(len(value))]
            if isinstance(value, list)
            else function.inputs[key]
            for key, value in inputs.items()
        }
        results = getattr(Builder, op)(**arguments, **constants)
        function.set_outputs(list(results) if isinstance(results, tuple | list) else [results])
    return function


def flat(inputs: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the arrays of a case by the names that `one_op` gives its inputs."""
    arrays: dict[str, np.ndarray] = {}
    for key, value in inputs.items():
        if isinstance(value, list):
            arrays |= {f"{key}_{index}": item for index, item in enumerate(value)}
        else:
            arrays[key] = value
    return arrays


def simulated(function: Any) -> SimulatedFunction:
    program = read_program(function, "main", ConstantPool())
    feeds = tuple(Feed(spec) for spec in program.inputs)
    outputs = tuple(spec for step in program.steps for spec in step.outputs)
    return SimulatedFunction("main", feeds, outputs, program)


def inferred(op: str, inputs: dict[str, Any], constants: dict[str, Any], target: str) -> Any:
    """Return what coremltools computes of constants (a list of arrays), or None."""
    with Function({}, opset_version=ct.target[target]):
        results = getattr(Builder, op)(**inputs, **constants)
    variables = results if isinstance(results, tuple | list) else [results]
    values = [
        variable.op.materialized_val_inference() if op in _NEVER_FOLDED else variable.val
        for variable in variables
    ]
    return None if any(value is None for value in values) else [np.asarray(v) for v in values]
