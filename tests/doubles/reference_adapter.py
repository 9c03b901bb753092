"""An adapter that the package does not know: ONNX files by onnx's reference evaluator, slowly."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from sam2lite.contracts.tensors import GraphSpec
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.session import Session


def is_available() -> tuple[bool, str]:
    """Say that it can be used."""
    return True, "onnx's reference evaluator"


def open_session(bundle: Bundle, key: str, threads: int | None, provider: str | None) -> Session:
    """Open a graph of a bundle; threads and provider mean nothing here."""
    return ReferenceSession(bundle.manifest.graphs[key].spec, bundle.graph_path(key))


class GatherElements(OpRun):
    """onnx's own takes at most 64 rows: it is written with np.choose."""

    def _run(self, data: np.ndarray, indices: np.ndarray, axis: int) -> tuple[np.ndarray]:
        return (np.take_along_axis(data, indices, axis),)


class ReferenceSession(Session):
    """One graph; what it gives are arrays."""

    def __init__(self, spec: GraphSpec, path: str) -> None:
        super().__init__(spec)
        self._evaluator = ReferenceEvaluator(path, new_ops=[GatherElements])

    def _describe(self, value: Any) -> tuple[str, tuple[int, ...]]:
        return value.dtype.name, value.shape

    def _run(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        given = self._evaluator.run(self.spec.output_names, dict(inputs))
        return dict(zip(self.spec.output_names, given, strict=True))

    def _close(self) -> None:
        del self._evaluator
