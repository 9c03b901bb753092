"""Which layers keep their weights in FP16, so that every output of a Core ML graph holds a bound.

The choice is made as for other backends: layers by what each loses alone, the fewest that suffice.
A layer is an operator; both sides are simulated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sam2lite.calibration.assignment import PrecisionAssignment
from sam2lite.exporter.coreml.compress import COMPRESSIBLE, Compressed, compress
from sam2lite.exporter.precision.search import search
from sam2lite.exporter.verify.parity import calls_parity, compare_calls
from sam2lite.mil.package import load_package

if TYPE_CHECKING:
    from torch import nn

    from sam2lite.contracts.tensors import GraphSpec
    from sam2lite.exporter.coreml.convert import Converted
    from sam2lite.exporter.verify.selection import Arrays
    from sam2lite.mil.function import SimulatedFunction
    from sam2lite.mil.steps import Argument, Step

RANKED_CALLS = 2  # that layers are ranked on: the order is all that is needed


@dataclass(frozen=True)
class Shortfall:
    """How far the worst output is below a bound, dB; 0 or less where all hold it."""

    points: float


def within_bound(
    converted: Converted,
    precision: Compressed,
    least_sqnr_db: float,
    module: nn.Module,
    spec: GraphSpec,
    calls: Sequence[Arrays],
    known: Mapping[str, str],
) -> tuple[Any, dict[str, str]]:
    """Compress a graph, with as few layers left in FP16 as it takes.

    Args:
        converted: the graph in FP16.
        precision: that its weights get.
        least_sqnr_db: of every output against PyTorch, over all calls, in simulated FP16.
        module: of the network, in evaluation mode.
        spec: its bound spec.
        calls: inputs of recorded calls, by name; images are uint8.
        known: layers that are kept in any case, with the reason: those of a graph with the same
            weights, which are stored once where both keep the same.

    Returns:
        coremltools' model, and the layers that are kept, with the reason. Where a quarter of the
        layers is not enough, the best that was tried.

    Raises:
        ExportError: coremltools cannot compress the model.
    """
    models: dict[frozenset[str], Any] = {}

    def made(kept: Mapping[str, str]) -> Any:
        names = frozenset(kept)
        if names not in models:
            leaving = dataclasses.replace(converted, kept=names)
            models[names] = compress(leaving, precision, calls, spec.name)
        return models[names]

    def measure(plan: PrecisionAssignment) -> Shortfall:
        function = _function(made(plan.kept))
        parity = calls_parity(module, lambda feeds: function.run(feeds, "fp16"), spec, calls)
        return Shortfall(least_sqnr_db - min(error.sqnr_db for error in parity.values()))

    whole = _function(converted.model)
    changed = _changed_steps(whole, _function(made(known)))

    def ranked() -> list[str]:
        return _ranked(whole, changed, calls[:RANKED_CALLS])

    plan = PrecisionAssignment(frozenset(changed), dict(known))
    found = search(plan, measure, ranked, max_drop=0.0)
    return made(found.plan.kept), dict(found.plan.kept)


def _function(model: Any) -> SimulatedFunction:
    return load_package(Path(model.package_path)).function()


def _changed_steps(whole: SimulatedFunction, compressed: SimulatedFunction) -> dict[str, Step]:
    """Return the operators that have other weights when compressed, as they are then.

    Operators go by what they give. Compression numbers casts and moves anew, whose constants are
    no weights.
    """
    after = {_name(step): step for step in compressed.program.steps if step.op in COMPRESSIBLE}
    found = {}
    for step in whole.program.steps:
        other = after.get(_name(step))
        if other is None or other.op != step.op:
            continue
        changed = {
            key: other.arguments[key]
            for key in COMPRESSIBLE[step.op]
            if _differ(step.arguments[key], other.arguments[key])
        }
        if changed:
            found[_name(step)] = dataclasses.replace(step, arguments={**step.arguments, **changed})
    return found


def _name(step: Step) -> str:
    return step.outputs[0].name


def _differ(before: Argument, after: Argument) -> bool:
    """Return whether two weights of a form have other numbers."""
    if not (isinstance(before, Tensor) and isinstance(after, Tensor)):
        return False
    return before.shape == after.shape and not torch.equal(before, after)


def _ranked(
    whole: SimulatedFunction, changed: Mapping[str, Step], calls: Sequence[Arrays]
) -> list[str]:
    """Return operators by what the worst output loses with each compressed alone, worst first."""

    def outputs(replaced: Mapping[str, Step]) -> list[Arrays]:
        steps = tuple(replaced.get(_name(step), step) for step in whole.program.steps)
        program = dataclasses.replace(whole.program, steps=steps)
        function = dataclasses.replace(whole, program=program)
        return [function.run(feeds, "fp32") for feeds in calls]

    expected = outputs({})
    lost: dict[str, float] = {}
    for name, step in changed.items():
        errors = compare_calls(outputs({name: step}), expected)
        lost[name] = min(error.sqnr_db for error in errors.values())
    return sorted(lost, key=lost.__getitem__)
