"""A bundle of SAM 2 that is nowhere on a disk: its graphs are the functions next door."""

from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from sam2lite.contracts.families.sam2 import FAMILY, LAYOUT, SlotBankLayout
from sam2lite.contracts.family import Family
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.contracts.manifest import GraphEntry, Manifest, ModelInfo, Postprocess
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.session import Session
from tests.doubles import sam2_functions

SIZES = (64, 128)


class FunctionSession(Session):
    """Runs a function; `alter` may change what it gives."""

    def __init__(self, spec: GraphSpec, runs: List[Tuple[str, Dict[str, Any]]]) -> None:
        super().__init__(spec)
        self.alter: Callable[[Dict[str, np.ndarray]], None] = lambda outputs: None
        self._runs = runs

    def _describe(self, value: Any) -> Tuple[str, Tuple[int, ...]]:
        return value.dtype.name, value.shape

    def _run(self, inputs: Any) -> Dict[str, np.ndarray]:
        self._runs.append((self.spec.name, dict(inputs)))
        outputs = dict(sam2_functions.run(self.spec.name, inputs))
        self.alter(outputs)
        return outputs

    def _close(self) -> None:
        pass


class Sam2Bundle(Bundle):
    """Opens the functions as graphs.

    Attributes:
        runs: names and inputs of all graphs that were run, in order; emptied by whoever likes.
        sessions: by key.
    """

    def __init__(
        self,
        sizes: Tuple[int, ...] = SIZES,
        aspect: Aspect = SQUARE,
        family: Family = FAMILY,
        layout: SlotBankLayout = LAYOUT,
    ) -> None:
        dims = {size: layout.dims(size, aspect) for size in sizes}
        manifest = Manifest(
            sam2lite_version="0",
            model=ModelInfo(family.name, "functions", "0" * 64, "none", True, 0, {}),
            backend="ort",
            target={"threads": 1},
            opset=17,
            rungs=sizes,
            graphs={
                key: GraphEntry(key, "fp32", graph.bind(dims[size]))
                for key, (graph, size) in family.keyed(sizes).items()
            },
            dims={str(size): each for size, each in dims.items()},
            stages=tuple(graph.name for graph in family.graphs),
            preprocess={"aspect": list(aspect)},
            postprocess=Postprocess(family.mask_stride, 0.0, 0.0, "INTER_LINEAR"),
            memory={},
            calibration=None,
            verification={},
            tools={},
            files={},
            status="",
        )
        super().__init__("sam2", manifest, "1" * 64, "ort")
        self.runs: List[Tuple[str, Dict[str, Any]]] = []
        self.sessions: Dict[str, FunctionSession] = {}

    def open_session(
        self, key: str, threads: Optional[int] = None, provider: Optional[str] = None
    ) -> FunctionSession:
        self.sessions[key] = FunctionSession(self.manifest.graphs[key].spec, self.runs)
        return self.sessions[key]

    def check_graph(self, key: str) -> None:
        pass

    def last(self, graph: str) -> Dict[str, Any]:
        """Return the inputs of a graph's last run."""
        return next(inputs for name, inputs in reversed(self.runs) if name.startswith(graph))
