"""Runs `lower` over the models of ONNX's own backend tests, and compares what it accepts.

Every model of onnx.backend.test is lowered for a TensorRT of each age, on the inputs that come with
it. What is written must give the outputs that come with it; what is refused must be refused by an
error of ours or by findings; and no operator of another domain may be in it that was not there.
Models are tried in worker processes, which are replaced after a crash or thirty seconds.

    python checks/lower_onnx_cases.py [--versions 8.2.1,8.6.1,10.3.0] [--every 1] [--only NAME]
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

VERSIONS = "8.2.1,8.6.1,10.3.0"
ANSWER_S = 30.0
ACCEPTED, REFUSED, FINDINGS = "accepted", "refused", "findings"
FINE = (ACCEPTED, REFUSED, FINDINGS)
# Largest difference from the outputs that come with a model, over the largest value.
TOLERANCE = 1e-3
# Outputs that are drawn at random, so that no two runs agree.
DRAWN = ("bernoulli", "dropout", "multinomial", "random")


class Case(NamedTuple):
    """A model with inputs and the outputs that belong to them, in the graph's order."""

    name: str
    model: Any
    inputs: list[Any]
    outputs: list[Any]


def cases(every: int = 1, only: str = "") -> Iterator[Case]:
    """Yield the models of ONNX's node tests, every so many, in the order of their names."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = sorted(collect_testcases(None), key=lambda case: case.name)
    for index, case in enumerate(found):
        if only not in case.name or index % every or case.model is None or not case.data_sets:
            continue
        inputs, outputs = case.data_sets[0]
        yield Case(case.name, case.model, list(inputs), list(outputs))


def attempt(case: Case, version: str) -> str:
    """Lower a model, and return what became of it; one of `FINE`, or what is wrong."""
    from sam2lite.errors import Sam2LiteError
    from sam2lite.exporter.onnx.passes.optimizers import new_domains
    from sam2lite.exporter.onnx.walk import inputs_of
    from sam2lite.exporter.tensorrt.lower import lower
    from sam2lite.exporter.tensorrt.preflight import preflight
    from sam2lite.exporter.verify.parity import run_onnx

    names = [value.name for value in inputs_of(case.model.graph)]
    given = dict(zip(names, case.inputs, strict=False))
    usable = all(isinstance(value, np.ndarray) for value in given.values())
    feeds = given if usable and len(given) == len(names) else None
    try:
        lowered = lower(case.model, version, feeds)
        if new_domains(case.model, lowered.model):
            return f"brought operators of {new_domains(case.model, lowered.model)}"
        if lowered.findings:
            return FINDINGS
        if preflight(lowered.model, version):
            return "written with findings"
        if feeds is None or any(word in case.name for word in DRAWN):
            return ACCEPTED
        types = {value.name: value for value in inputs_of(lowered.model.graph)}
        taken = {
            name: array.astype(_dtype(types[name]))
            for name, array in feeds.items()
            if name in types
        }
        actual = list(run_onnx(lowered.model, taken, optimise=False).values())
    except Sam2LiteError:
        return REFUSED
    return _compared(actual, case.outputs)


def _dtype(value: Any) -> Any:
    from onnx import helper

    return helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)


def _compared(actual: list[Any], expected: list[Any]) -> str:
    for got, wanted in zip(actual, expected, strict=False):
        if not isinstance(wanted, np.ndarray):
            continue
        if got.shape != wanted.shape:
            return f"has the shape {got.shape} instead of {wanted.shape}"
        got, wanted = got.astype(np.float64), wanted.astype(np.float64)
        finite = np.isfinite(wanted)
        if not np.array_equal(got[~finite], wanted[~finite], equal_nan=True):
            return "differs where values are not finite"
        if finite.any():
            scale = max(float(np.abs(wanted[finite]).max()), 1.0)
            worst = float(np.abs(got[finite] - wanted[finite]).max()) / scale
            if not worst <= TOLERANCE:
                return f"differs by {worst:.1e} of the largest value"
    return ACCEPTED


def work(connection: Connection, every: int, only: str) -> None:
    """Answer (index, version) with what became of that model, until None comes."""
    listed = list(cases(every, only))
    connection.send(len(listed))
    while (asked := connection.recv()) is not None:
        index, version = asked
        try:
            connection.send(attempt(listed[index], version))
        except BaseException as error:  # that is what is looked for
            connection.send(f"{type(error).__name__}: {str(error).splitlines()[:1]}")


class Worker:
    """A process that lowers models, started anew after a crash or a hang."""

    def __init__(self, every: int, only: str) -> None:
        """Start it."""
        self._arguments = every, only
        self.start()

    def start(self) -> None:
        """Start a fresh process."""
        from sam2lite.data.spawning import spawn_context

        self._connection, theirs = multiprocessing.Pipe()
        self._process = spawn_context().Process(
            target=work, args=(theirs, *self._arguments), daemon=True
        )
        self._process.start()
        self.count: int = self._connection.recv()

    def ask(self, index: int, version: str) -> str:
        """Return what became of a model."""
        self._connection.send((index, version))
        try:
            if self._connection.poll(ANSWER_S):
                return str(self._connection.recv())
            problem = f"no answer in {ANSWER_S:.0f} s"
        except (EOFError, OSError):
            problem = "the process died"
        self._process.kill()
        self._process.join()
        self.start()
        return problem

    def close(self) -> None:
        """End the process."""
        self._connection.send(None)
        self._process.join()


def main() -> int:
    """Print a table of versions and verdicts, and every model that is not fine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", default=VERSIONS)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    worker = Worker(arguments.every, arguments.only)
    names = [case.name for case in cases(arguments.every, arguments.only)]
    wrong = 0
    print(
        f"{'TensorRT':9} {'models':>6} {'accepted':>8} {'findings':>8} {'refused':>7} {'wrong':>5}"
    )
    for version in arguments.versions.split(","):
        tally: Counter[str] = Counter()
        for index, name in enumerate(names):
            verdict = worker.ask(index, version)
            tally[verdict if verdict in FINE else "wrong"] += 1
            if verdict not in FINE:
                print(f"  {version} {name}: {verdict}", file=sys.stderr, flush=True)
        wrong += tally["wrong"]
        figures = [tally[ACCEPTED], tally[FINDINGS], tally[REFUSED], tally["wrong"]]
        print("{:9} {:6} {:8} {:8} {:7} {:5}".format(version, len(names), *figures), flush=True)
    worker.close()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
