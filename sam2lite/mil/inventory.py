"""What a package is made of: operators and weights of every function."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sam2lite.mil.archive import blobs, operations, read_specification
from sam2lite.mil.coremltools_import import import_coremltools


@dataclass(frozen=True)
class FunctionInventory:
    """One function of a package.

    Attributes:
        ops: how many operators it has of each type; plain constants are not counted, compressed
            ones are.
        float32_ops: how many of them give FP32.
        weight_bytes: what it uses of the weights file. Functions share constants, so these do not
            add up to the file.
    """

    ops: dict[str, int]
    float32_ops: int
    weight_bytes: int


def read_inventory(path: Path) -> dict[str, FunctionInventory]:
    """Return the inventory of every function of a saved package, by name.

    Raises:
        BundleError: the path is no package, or it is damaged.
        DependencyError, SessionError: coremltools is missing, or another version.
    """
    specification = read_specification(path)
    return {
        name: _function_inventory(function, path)
        for name, function in sorted(specification.mlProgram.functions.items())
    }


def _function_inventory(function: Any, path: Path) -> FunctionInventory:
    ops = [op for op in operations(function) if op.type != "const"]
    return FunctionInventory(
        dict(Counter(op.type for op in ops)),
        sum(_gives_float32(op) for op in ops),
        sum(blob.bytes for blob in blobs(function, path)),
    )


def _gives_float32(op: Any) -> bool:
    float32 = import_coremltools().proto.MIL_pb2.DataType.Value("FLOAT32")
    return any(output.type.tensorType.dataType == float32 for output in op.outputs)
