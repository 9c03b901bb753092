"""Example inputs of a user's own: a `.npz` with an array for every input of a graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sam2lite.contracts.tensors import TensorSpec
from sam2lite.errors import ArgumentError
from sam2lite.exporter.onnx.passes.contract import describe_values
from sam2lite.exporter.onnx.walk import inputs_of
from sam2lite.exporter.verify.selection import Arrays
from sam2lite.files.array_reading import ArrayFile, Column

if TYPE_CHECKING:
    import onnx

READABLE = ("float16", "float32", "float64", "bool")
ROOM_BYTES = 1 << 20  # for the archive's own directory and headers


def read_feeds(path: Path, model: onnx.ModelProto) -> Arrays:
    """Return the arrays of a file, in the types and shapes of a model's inputs.

    Args:
        path: of the `.npz`, as `numpy.savez(path, name=array, ...)` writes it.
        model: with static shapes.

    Raises:
        ArgumentError: the file cannot be read, or an array is missing, unknown, of another shape or
            type than the input, or not finite.
    """
    types, columns = {}, {}
    for spec in describe_values(inputs_of(model.graph)):
        types[spec.name] = spec.dtype
        columns[spec.name] = _column(spec)
    most = sum(column.most_bytes for column in columns.values()) + ROOM_BYTES
    wanted = ", ".join(f"{k} {types[k]}{list(c.shape)}" for k, c in columns.items())
    remedy = f"--feeds needs what numpy.savez writes, with {wanted}"
    arrays = ArrayFile(str(path), "file of inputs", most, ArgumentError, remedy).read(columns)
    return {name: array.astype(types[name]) for name, array in arrays.items()}


def _column(spec: TensorSpec) -> Column:
    if not all(isinstance(side, int) for side in spec.shape):
        raise ArgumentError(
            f"--feeds goes with fixed shapes, and input {spec.name} is {list(spec.shape)}; fix it: "
            "onnxsim IN.onnx OUT.onnx --overwrite-input-shape NAME:1,3,512,512"
        )
    shape = tuple(int(side) for side in spec.shape)
    if spec.dtype.startswith("uint"):
        return Column("int64", shape, 0, min(np.iinfo(spec.dtype).max, np.iinfo(np.int64).max))
    if spec.dtype not in READABLE and not spec.dtype.startswith("int"):
        raise ArgumentError(
            f"--feeds cannot hold input {spec.name}, which is {spec.dtype}; "
            "export the model with float32 inputs"
        )
    return Column(spec.dtype, shape)
