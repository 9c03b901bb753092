"""One function of a package, evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sam2lite.contracts.tensors import TensorSpec
from sam2lite.errors import SessionError, UnknownNameError
from sam2lite.mil.checks import checked_results
from sam2lite.mil.dtypes import PRECISIONS, Precision, round_to_half
from sam2lite.mil.feeds import Feed
from sam2lite.mil.ops.table import HANDLERS
from sam2lite.mil.steps import Argument, Program, Ref

# Told every result of every operator, inputs first.
Observer = Callable[[TensorSpec, Tensor], None]


@dataclass(frozen=True)
class SimulatedFunction:
    """A function of a package, with its constants decompressed.

    Attributes:
        name: `main` where a package has only one.
        feeds: its inputs; see `inputs` for their specs alone.
        outputs: name, type and shape of each.
        program: its steps.
    """

    name: str
    feeds: tuple[Feed, ...]
    outputs: tuple[TensorSpec, ...]
    program: Program

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Name, type and shape of each input; an image is uint8 `[1, 3, h, w]`, RGB."""
        return tuple(feed.spec for feed in self.feeds)

    def run(
        self,
        inputs: Mapping[str, np.ndarray],
        precision: Precision = "fp16",
        observe: Observer | None = None,
    ) -> dict[str, np.ndarray]:
        """Evaluate the function.

        Args:
            inputs: an array for every input; images are uint8 RGB, `[h, w, 3]` or `[1, 3, h, w]`.
            precision: `fp16` rounds every tensor that is declared as FP16 once it is computed
                (sums inside an operator are FP32); `fp32` rounds nothing.
            observe: told every input and every result, in order.

        Returns:
            The outputs by name: float32 for floats of any width (FP16 values are exact in it),
            int32 for integers, bool.

        Raises:
            SessionError: inputs are missing, unknown or do not fit, or an operator gives another
                type or shape than it declares.
            UnknownNameError: there is no such precision.
        """
        if precision not in PRECISIONS:
            raise UnknownNameError("precision", precision, PRECISIONS)
        values = self._fed(inputs, precision)
        if observe is not None:
            for spec in self.program.inputs:
                observe(spec, values[spec.name])
        with torch.no_grad():
            for step in self.program.steps:
                results = checked_results(
                    step,
                    self.name,
                    HANDLERS[step.op],
                    {key: _resolved(value, values) for key, value in step.arguments.items()},
                    round_fp16=precision == "fp16",
                )
                for spec, tensor in zip(step.outputs, results, strict=True):
                    values[spec.name] = tensor
                    if observe is not None:
                        observe(spec, tensor)
                for name in step.dead:
                    del values[name]
        return {
            name: _resolved(source, values).numpy() for name, source in self.program.outputs.items()
        }

    def _fed(self, inputs: Mapping[str, np.ndarray], precision: Precision) -> dict[str, Tensor]:
        names = {feed.spec.name for feed in self.feeds}
        if names != set(inputs):
            raise SessionError(
                f"function {self.name!r} takes the inputs {', '.join(sorted(names))}; missing: "
                f"{', '.join(sorted(names - set(inputs))) or 'none'}, unknown: "
                f"{', '.join(sorted(set(inputs) - names)) or 'none'}"
            )
        values = {feed.spec.name: feed.tensor(inputs[feed.spec.name]) for feed in self.feeds}
        for spec in self.program.inputs:
            if precision == "fp16" and spec.dtype == "float16":
                values[spec.name] = round_to_half(values[spec.name])
        return values


def _resolved(argument: Argument, values: Mapping[str, Tensor]) -> Any:
    if isinstance(argument, Ref):
        return values[argument.name]
    if isinstance(argument, list):
        return [_resolved(item, values) for item in argument]
    return argument
