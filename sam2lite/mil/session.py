"""A graph of a bundle as a session of the frame loop, evaluated by simulation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sam2lite.contracts.tensors import GraphSpec
from sam2lite.mil.package import load_package
from sam2lite.runtimes.session import Session


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

    def _describe(self, value: Any) -> tuple[str, tuple[int, ...]]:
        return value.dtype.name, value.shape

    def _run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        given: dict[str, np.ndarray] = self._function.run(inputs, "fp16")
        return {name: given[name] for name in self.spec.output_names}

    def _close(self) -> None:
        del self._function


def open_simulated(spec: GraphSpec, path: str, function: str | None) -> Session:
    """Open a graph by simulation; what `Bundle.simulate` takes."""
    return SimulatedSession(spec, path, function)
