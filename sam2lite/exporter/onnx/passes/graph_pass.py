"""A graph pass beside what it does: when it runs, and what it may change that can be seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import onnx

_NOTHING: Mapping[str, str] = MappingProxyType({})


class GraphPass(NamedTuple):
    """One pass.

    Attributes:
        name: as in reports and in a recipe's `skip_passes`.
        apply: changes its argument or not, and returns the model to go on with.
        needed: whether a graph needs it; always if None. What is not needed does not run.
        retypes: NumPy's names of the types of inputs and outputs that it may change, and of what
            they become.
    """

    name: str
    apply: Callable[[onnx.ModelProto], onnx.ModelProto]
    needed: Callable[[onnx.ModelProto], bool] | None = None
    retypes: Mapping[str, str] = _NOTHING
