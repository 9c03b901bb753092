"""A graph pass by its name, with what it may change that can be seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from sam2lite.errors import UnknownNameError

if TYPE_CHECKING:
    import onnx

_NOTHING: Mapping[str, str] = MappingProxyType({})


class GraphPass(NamedTuple):
    """One pass.

    Attributes:
        name: as in reports and in a recipe's `skip_passes`.
        apply: changes its argument or not, and returns the model to go on with.
        retypes: what becomes of the types of inputs and outputs, by NumPy's names.
    """

    name: str
    apply: Callable[[onnx.ModelProto], onnx.ModelProto]
    retypes: Mapping[str, str] = _NOTHING


def without(passes: Iterable[GraphPass], skip: Collection[str]) -> tuple[GraphPass, ...]:
    """Return passes without some of them; for finding out which of them is at fault.

    Args:
        passes: in order.
        skip: names.

    Raises:
        UnknownNameError: none of them has a name that is to be skipped.
    """
    listed = tuple(passes)
    names = [step.name for step in listed]
    for name in skip:
        if name not in names:
            raise UnknownNameError("pass", name, names)
    return tuple(step for step in listed if step.name not in skip)
