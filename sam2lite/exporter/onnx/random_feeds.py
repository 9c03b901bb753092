"""Inputs for a model of which nothing is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sam2lite.errors import ExportError
from sam2lite.exporter.onnx.passes.contract import describe_values
from sam2lite.exporter.onnx.walk import inputs_of
from sam2lite.exporter.verify.selection import Arrays

if TYPE_CHECKING:
    import onnx


def random_feeds(model: onnx.ModelProto, seed: int = 0) -> Arrays:
    """Return seeded inputs for a model of which nothing is known: types and shapes decide.

    Floats are normally distributed, bytes are any, other integers 0 or 1 (so that they may be
    indices of whatever has two rows), flags are either.

    Raises:
        ExportError: an input has a type that NumPy does not have.
    """
    rng = np.random.default_rng(seed)
    feeds = {}
    for spec in describe_values(inputs_of(model.graph)):
        shape = [int(side) for side in spec.shape]
        values: np.ndarray[Any, Any]
        if spec.dtype in ("float16", "float32", "float64"):
            values = rng.standard_normal(shape)
        elif spec.dtype == "uint8":
            values = rng.integers(0, 256, shape)
        elif spec.dtype == "bool" or spec.dtype.startswith(("int", "uint")):
            values = rng.integers(0, 2, shape)
        else:
            raise ExportError(
                f"input {spec.name} is {spec.dtype}, and onnxruntime takes no values of it here; "
                "export the model with float32 inputs"
            )
        feeds[spec.name] = np.asarray(values).astype(spec.dtype)
    return feeds
