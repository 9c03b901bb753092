"""A graph of a bundle as a session of the frame loop, evaluated by simulation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.mil.package import load_package
from sam2lite.runtimes.session import Session, check_claim


class SimulatedSession(Session):
    """One function of a package, every FP16 tensor rounded; for accuracy only."""

    def __init__(self, spec: GraphSpec, path: str, function: str | None) -> None:
        """Open a package.

        Args:
            spec: the graph's bound spec.
            path: of the package.
            function: its name; the only one if None.

        Raises:
            BundleError, DependencyError, SessionError, UnknownNameError: as of `load_package`.
        """
        super().__init__(spec)
        package = load_package(Path(path), None if function is None else [function])
        self._function = package.function(function)
        found = [(tensor, True) for tensor in self._function.inputs]
        found += [(tensor, False) for tensor in self._function.outputs]
        # FP16 is computed with in FP32 here, and given so.
        check_claim(spec, [(_as_given(tensor), is_input) for tensor, is_input in found], path)

    def _describe(self, value: Any) -> tuple[str, tuple[int, ...]]:
        return value.dtype.name, value.shape

    def _run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        given: dict[str, np.ndarray] = self._function.run(inputs, "fp16")
        return {name: given[name] for name in self.spec.output_names}

    def _close(self) -> None:
        del self._function


def _as_given(tensor: TensorSpec) -> TensorSpec:
    return tensor._replace(dtype="float32") if tensor.dtype == "float16" else tensor


def open_simulated(spec: GraphSpec, path: str, function: str | None) -> Session:
    """Open a graph by simulation; what `Bundle.simulate` takes."""
    return SimulatedSession(spec, path, function)
