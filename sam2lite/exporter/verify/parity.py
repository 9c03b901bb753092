"""Graph parity: how far a graph's outputs are from its PyTorch module's."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import onnxruntime as ort

from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import ExportError, VerificationError
from sam2lite.exporter.onnx.skeleton import without_weights
from sam2lite.exporter.onnx.trace import example_inputs, feeds_of
from sam2lite.exporter.verify.selection import Arrays, Ranking, match_rows, run_unpruned
from sam2lite.runtimes.backends.ort.session import session_options
from sam2lite.targets.machine import read_machine

if TYPE_CHECKING:
    import onnx
    from torch import nn

# Largest relative error of an FP32 graph; rounding alone makes some 1e-6 of it.
GRAPH_TOLERANCE = 1e-5
ROUNDING_MARGIN = 4.0  # times what rounding alone does to an output


@dataclass(frozen=True)
class ErrorStatistics:
    """How far one tensor is from the one it should be.

    Attributes:
        max_abs: largest absolute difference.
        relative: `max_abs` over the largest absolute value that was expected.
        sqnr_db: signal to quantisation noise ratio, dB; infinite if the tensors are equal.
        ties: rows chosen differently because their scores are equal up to `selection.TIE`.
    """

    max_abs: float
    relative: float
    sqnr_db: float
    ties: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return plain data; JSON has no infinity, so an infinite figure is None."""
        return {name: value if math.isfinite(value) else None for name, value in vars(self).items()}


UNUSABLE = ErrorStatistics(math.inf, math.inf, -math.inf)


def compare(actual: np.ndarray, expected: np.ndarray) -> ErrorStatistics:
    """Compare two tensors element by element, in FP64.

    What is not finite, on either side, makes the error infinite.

    Raises:
        VerificationError: the shapes differ.
    """
    if actual.shape != expected.shape:
        raise VerificationError(
            f"cannot compare tensors of shapes {list(actual.shape)} and {list(expected.shape)}"
        )
    if not (np.isfinite(actual).all() and np.isfinite(expected).all()):
        return UNUSABLE
    wanted = expected.astype(np.float64)
    error = actual.astype(np.float64) - wanted
    max_abs = float(np.abs(error).max(initial=0.0))
    if max_abs == 0.0:
        return ErrorStatistics(0.0, 0.0, math.inf)
    signal = float(np.square(wanted).sum())
    if signal == 0.0:
        return UNUSABLE
    return ErrorStatistics(
        max_abs,
        max_abs / float(np.abs(wanted).max()),
        10.0 * math.log10(signal / float(np.square(error).sum())),
    )


def compare_calls(
    actual: Sequence[Arrays], expected: Sequence[Arrays]
) -> dict[str, ErrorStatistics]:
    """Compare the outputs of several calls of a graph, each output over all calls together.

    Together, because one call's object score may be next to 0 by chance.

    Raises:
        VerificationError: the shapes differ.
    """
    return {
        name: compare(
            *(np.concatenate([call[name] for call in side]) for side in (actual, expected))
        )
        for name in expected[0]
    }


def run_onnx(model: onnx.ModelProto | Path, feeds: Arrays, *, optimise: bool = True) -> Arrays:
    """Return a graph's outputs by name for one call; see `onnx_runner`."""
    return onnx_runner(model, optimise=optimise)(feeds)


def onnx_runner(
    model: onnx.ModelProto | Path, *, optimise: bool = True, int8_kernels: bool = True
) -> Callable[[Arrays], Arrays]:
    """Return a function from a graph's inputs to its outputs by name, by onnxruntime on the CPU.

    Args:
        model: the graph; one in memory must not have external data, so pass the path of such.
        optimise: as onnxruntime does by default.
        int8_kernels: see `session_options`.

    Raises:
        ExportError: onnxruntime refuses the graph or, when the function is called, the inputs.
    """
    options = session_options(None, read_machine().cores, int8_kernels=int8_kernels)
    options.log_severity_level = 4  # what goes wrong is raised
    if not optimise:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        # One call does not pay for a copy of all weights in another order.
        options.add_session_config_entry("session.disable_prepacking", "1")
    values = []
    if isinstance(model, Path):
        source: str | bytes = str(model)
    else:
        light, weights = without_weights(model)
        source = light.SerializeToString()
        values = [ort.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
    with _as_export_error():
        session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(feeds: Arrays, weights: Sequence[ort.OrtValue] = values) -> Arrays:
        # The session reads the weights where they are: they must live as long as it does.
        with _as_export_error():
            return dict(zip(names, session.run(names, feeds), strict=True))

    return run


@contextmanager
def _as_export_error() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # onnxruntime's own errors share no base class
        raise ExportError(f"onnxruntime {ort.__version__} cannot run the graph: {error}") from error


def graph_parity(
    module: nn.Module, model: onnx.ModelProto | Path, spec: GraphSpec, seed: int = 0
) -> dict[str, ErrorStatistics]:
    """Run a module and the graph made from it on the same inputs; see `module_parity`.

    Args:
        module: the module as it was trained, in evaluation mode; not its fused copy.
        model: the graph, or the path of one.
        spec: its bound spec.
        seed: of the inputs.
    """
    return module_parity(module, onnx_runner(model), spec, seed)


def module_parity(
    module: nn.Module, run: Callable[[Arrays], Arrays], spec: GraphSpec, seed: int = 0
) -> dict[str, ErrorStatistics]:
    """Run a module and whatever was made from it on the same seeded inputs; see `calls_parity`.

    Args:
        module: the module as it was trained, in evaluation mode; not its fused copy.
        run: from the inputs to the outputs, by name.
        spec: its bound spec.
        seed: of the inputs.

    Returns:
        The error of every output, by name.
    """
    return calls_parity(module, run, spec, [feeds_of(spec, example_inputs(spec, seed))])


def calls_parity(
    module: nn.Module, run: Callable[[Arrays], Arrays], spec: GraphSpec, calls: Sequence[Arrays]
) -> dict[str, ErrorStatistics]:
    """Run a module and whatever was made from it on the same calls, compare the outputs.

    Each output is compared over all calls together, as in `compare_calls`, and those that a TopK
    selected as sets: each row with the candidate it is.

    Args:
        module: the module as it was trained, in evaluation mode; not its fused copy.
        run: from the inputs to the outputs, by name.
        spec: its bound spec.
        calls: inputs by name, in the spec's types.

    Returns:
        The error of every output, by name.
    """
    compared = [_outputs_compared(module, run, spec, feeds) for feeds in calls]
    return {name: _over_all([call[name] for call in compared]) for name in spec.output_names}


def own_rounding(module: nn.Module, spec: GraphSpec, seed: int = 0) -> dict[str, float]:
    """Return how far a module in FP32 is from itself in FP64, relative, by output.

    Args:
        module: in evaluation mode; stays as it is.
        spec: its bound spec.
        seed: of the inputs, which are those of `module_parity`.
    """
    import torch

    inputs = example_inputs(spec, seed)
    doubled = [x.double() if x.is_floating_point() else x for x in inputs]
    with torch.no_grad():
        single, double = module(*inputs), copy.deepcopy(module).double()(*doubled)
    return {
        name: compare(a.numpy(), b.numpy()).relative
        for name, a, b in zip(spec.output_names, single, double, strict=True)
    }


class _Compared(NamedTuple):
    """One output of one call.

    Attributes:
        actual: as it was given.
        expected: PyTorch's, rows in the order of the actual ones; None where no order fits.
        ties: as in `ErrorStatistics`.
    """

    actual: np.ndarray
    expected: np.ndarray | None
    ties: int = 0


def _over_all(calls: Sequence[_Compared]) -> ErrorStatistics:
    expected = [call.expected for call in calls if call.expected is not None]
    if len(expected) < len(calls):
        return UNUSABLE
    error = compare(np.stack([call.actual for call in calls]), np.stack(expected))
    return dataclasses.replace(error, ties=sum(call.ties for call in calls))


def _outputs_compared(
    module: nn.Module, run: Callable[[Arrays], Arrays], spec: GraphSpec, feeds: Arrays
) -> dict[str, _Compared]:
    import torch

    actual = run(feeds)
    outputs, ranking = run_unpruned(
        module, [torch.from_numpy(feeds[name]) for name in spec.input_names]
    )
    expected = {name: x.numpy() for name, x in zip(spec.output_names, outputs, strict=True)}
    if ranking is None:
        return {name: _Compared(actual[name], expected[name]) for name in spec.output_names}
    return _selected(actual, expected, ranking)


def _selected(actual: Arrays, expected: Arrays, ranking: Ranking) -> dict[str, _Compared]:
    """Pair outputs whose expected side holds all candidates; see `run_unpruned`."""
    candidates, kept = len(ranking.scores_n), ranking.kept
    pruned = candidates - kept
    selected = [n for n in actual if expected[n].shape[1] - actual[n].shape[1] == pruned]
    # The candidates' indices tell them apart best; without them, their keys do.
    identity = min(selected, key=lambda name: actual[name].dtype.kind != "i")
    match = match_rows(
        actual[identity].reshape(actual[identity].shape[1], -1)[:kept],
        expected[identity].reshape(expected[identity].shape[1], -1)[:candidates],
        ranking,
    )
    paired = {}
    for name in actual:
        if name not in selected:
            paired[name] = _Compared(actual[name], expected[name])
        elif match.wrong:
            paired[name] = _Compared(actual[name], None)
        else:
            after = expected[name].shape[1] - candidates
            rows = np.append(match.candidate_k, candidates + np.arange(after))
            paired[name] = _Compared(actual[name], expected[name][:, rows], match.ties)
    return paired


def require_parity(
    parity: dict[str, ErrorStatistics],
    where: str,
    rounding: Callable[[], dict[str, float]] = dict,
) -> None:
    """Raise unless every output is within `GRAPH_TOLERANCE`, or as exact as PyTorch itself.

    Sharp attention, as trained networks have it, turns the last bit of a score into more than the
    tolerance, in PyTorch as well: two exact programs then differ by what each of them rounds.

    Args:
        parity: what `graph_parity` returned.
        where: graph, rung and opset, for the message.
        rounding: asked only where the tolerance is missed: relative error of PyTorch's own FP32 of
            each output, by name; `ROUNDING_MARGIN` times that is allowed.

    Raises:
        VerificationError: one is not; the worst is named, with its error.
    """
    if all(error.relative <= GRAPH_TOLERANCE for error in parity.values()):
        return
    allowed = {name: ROUNDING_MARGIN * error for name, error in rounding().items()}
    excess = {
        name: error.relative / max(GRAPH_TOLERANCE, allowed.get(name, 0.0))
        for name, error in parity.items()
    }
    worst = max(excess, key=lambda name: excess[name])
    relative = parity[worst].relative
    if not excess[worst] <= 1.0:
        bound = max(GRAPH_TOLERANCE, allowed.get(worst, 0.0))
        raise VerificationError(
            f"{where}: {worst} is {relative:.1e} of its largest value away from PyTorch, more than "
            f"{bound:.0e}; try another opset, and benchmarks/graph_parity.py to see which of them "
            "hold"
        )
