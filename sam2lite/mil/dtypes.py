"""MIL's types, what torch holds their values in, and FP16 rounding.

Floats of every width are held in float32, integers of every width in int32: FP16 values and all
integers in question are exact in those, and torch's CPU kernels are made for them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

Precision = Literal["fp32", "fp16"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16")

# MIL's names; the others (int32, uint16, bool ...) are NumPy's already.
_NUMPY_NAMES = {"fp16": "float16", "fp32": "float32", "fp64": "float64"}

# Bits of an element, for the size of stored weights.
BITS = {
    **{f"uint{bits}": bits for bits in (1, 2, 3, 4, 6, 8, 16, 32)},
    **{f"int{bits}": bits for bits in (4, 8, 16, 32)},
    "float16": 16,
    "float32": 32,
    "bool": 8,
}


def numpy_name(mil_name: str) -> str:
    """Return NumPy's name of a type that MIL calls `fp16`, `uint4` and so on."""
    return _NUMPY_NAMES.get(mil_name, mil_name)


def storage(dtype: str) -> torch.dtype:
    """Return the torch type that holds the values of a type."""
    if dtype.startswith("float"):
        return torch.float32
    return torch.bool if dtype == "bool" else torch.int32


def from_numpy(values: np.ndarray, dtype: str) -> Tensor:
    """Return an array as the tensor that holds its type."""
    plain = {torch.float32: np.float32, torch.int32: np.int32, torch.bool: np.bool_}
    return torch.from_numpy(np.array(values, dtype=plain[storage(dtype)]))


def round_to_half(values: Tensor) -> Tensor:
    """Round to the nearest FP16 value, ties to even; beyond 65504 it becomes infinite."""
    return values.to(torch.float16).to(torch.float32)


def integer_range(dtype: str) -> tuple[int, int]:
    """Return the smallest and largest value of an integer type."""
    bits = BITS[dtype]
    return (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
