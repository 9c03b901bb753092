"""How far an engine is from ONNX Runtime on the graph that it was built from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2lite.exporter.onnx.trace import example_inputs, feeds_of
from sam2lite.exporter.precision.fp16 import LEAST_SQNR_DB, MOST_CALLS
from sam2lite.exporter.tensorrt.precision import LEAST_SQNR_BESIDE_INT8_DB
from sam2lite.exporter.verify.parity import (
    ErrorStatistics,
    compare_calls,
    module_parity,
    onnx_runner,
)
from sam2lite.exporter.verify.selection import Arrays
from sam2lite.runtimes.backends.tensorrt.session import TrtSession

if TYPE_CHECKING:
    from pathlib import Path

    from sam2lite.calibration.recorder import Recording
    from sam2lite.contracts.tensors import GraphSpec
    from sam2lite.models.loaded import LoadedModel

# Of every output, by the precision of its graph, dB. Products in TF32 have the mantissa of FP16 and
# some 66 dB, so that FP32 shows that it is FP32.
LEAST_DB = {"fp32": 80.0, "fp16": LEAST_SQNR_DB, "int8": LEAST_SQNR_BESIDE_INT8_DB}
SEEDS = 4  # sets of example inputs, where calls are not what is compared on
ONNXRUNTIME, PYTORCH = "onnxruntime", "pytorch"

Run = Callable[[Arrays], Arrays]


@dataclass(frozen=True)
class EngineCheck:
    """How far the outputs of an engine are from what they should be.

    Attributes:
        sqnr_db: of every output, dB; infinite where it is equal, minus infinity where it is not
            finite or another choice.
        least_db: the bound.
        reference: what it was compared with: `ONNXRUNTIME`, or `PYTORCH`.
        calls: on how many sets of inputs.
        ties: rows chosen differently because their scores are equal.
    """

    sqnr_db: dict[str, float]
    least_db: float
    reference: str
    calls: int
    ties: int = 0

    @property
    def worst(self) -> str:
        """Name of the output that is farthest off."""
        return min(self.sqnr_db, key=lambda name: self.sqnr_db[name])

    @property
    def worst_db(self) -> float:
        """SQNR of that output, dB."""
        return self.sqnr_db[self.worst]

    @property
    def holds(self) -> bool:
        """Whether every output is within the bound."""
        return self.worst_db >= self.least_db

    def describe(self) -> str:
        """Return the worst output and its SQNR as words."""
        if math.isfinite(self.worst_db):
            return f"{self.worst} is at {self.worst_db:.1f} dB"
        return "all outputs are equal" if self.holds else f"{self.worst} is not finite, or wrong"

    def to_json(self) -> dict[str, Any]:
        """Return plain data; an output that is equal has the SQNR `equal`, a wrong one `wrong`."""
        return {
            "holds": self.holds,
            "least_db": self.least_db,
            "sqnr_db": {name: _figure(ratio) for name, ratio in self.sqnr_db.items()},
            "reference": self.reference,
            "calls": self.calls,
            "ties": self.ties,
        }


class EngineTest:
    """Runs engines on what their graphs were fed while the float loop tracked.

    Outputs that a TopK selected are compared as sets, with PyTorch: another order, or another one
    of equals, is no error, and which scores are equal is known only there.
    """

    def __init__(self, checkpoint: LoadedModel, recording: Recording) -> None:
        """Take over what to compare with.

        Args:
            checkpoint: the network of the bundle.
            recording: of the network at the rungs of the bundle. A graph of which nothing was
                recorded is run on example inputs.
        """
        self._checkpoint, self._recording = checkpoint, recording

    def check(
        self, spec: GraphSpec, rung: int, precision: str, run: Run, file: Path
    ) -> EngineCheck:
        """Compare an engine.

        Args:
            spec: the graph's bound spec.
            rung: input side, px.
            precision: of the graph, as in the manifest.
            run: the engine.
            file: the graph that it was built from.

        Raises:
            SessionError: the engine cannot be run.
            ExportError: onnxruntime refuses the graph.
        """
        least_db = LEAST_DB[precision]
        if spec.ranks:
            module = self._checkpoint.module(spec.name)
            found = [module_parity(module, run, spec, seed) for seed in range(SEEDS)]
            worst = {name: min((f[name] for f in found), key=_ratio) for name in found[0]}
            ties = max(error.ties for each in found for error in each.values())
            ratios = {name: _ratio(error) for name, error in worst.items()}
            return EngineCheck(ratios, least_db, PYTORCH, SEEDS, ties)
        calls = self._calls(spec, rung)
        expected = onnx_runner(file, int8_kernels=False)  # Q/DQ as the engine has it
        errors = compare_calls([run(feeds) for feeds in calls], [expected(f) for f in calls])
        ratios = {name: _ratio(error) for name, error in errors.items()}
        return EngineCheck(ratios, least_db, ONNXRUNTIME, len(calls))

    def _calls(self, spec: GraphSpec, rung: int) -> Sequence[Arrays]:
        recorded = self._recording.sample(spec.name, rung, MOST_CALLS)
        inputs = recorded or [example_inputs(spec, seed) for seed in range(SEEDS)]
        return [feeds_of(spec, tensors) for tensors in inputs]


@contextmanager
def engine_runner(spec: GraphSpec, path: str) -> Iterator[Run]:
    """Open an engine file and give a function from its inputs to its outputs, by name.

    Raises:
        SessionError: it cannot be opened.
    """
    with TrtSession(spec, path) as session:

        def run(feeds: Arrays) -> Arrays:
            return {name: session.numpy(h).copy() for name, h in session.run(feeds).items()}

        yield run


def _ratio(error: ErrorStatistics) -> float:
    return error.sqnr_db


def _figure(ratio: float) -> float | str:
    if math.isfinite(ratio):
        return round(ratio, 2)
    return "equal" if ratio > 0.0 else "wrong"
