"""A function as a list of steps: what its operators are, free of coremltools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from sam2lite.contracts.tensors import TensorSpec

# Computes an operator: from its parameters, by name, to a tensor or a tuple of tensors.
Handler = Callable[..., Any]


class Ref(NamedTuple):
    """The result of an earlier step, or an input of the function."""

    name: str


Argument = Tensor | str | Ref | None | list["Argument"]


@dataclass(frozen=True)
class Step:
    """One operator.

    Attributes:
        op: its type, as MIL calls it.
        name: its own name.
        arguments: by parameter.
        outputs: what it declares to give.
        dead: results that no later step needs.
    """

    op: str
    name: str
    arguments: dict[str, Argument]
    outputs: tuple[TensorSpec, ...]
    dead: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """The steps of a function, in order, its inputs, and where its outputs come from."""

    inputs: tuple[TensorSpec, ...]
    steps: tuple[Step, ...]
    outputs: dict[str, Tensor | Ref]
