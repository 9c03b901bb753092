"""A model family: networks that are exported to the same graphs and follow the same frame rules.

A family is data (this file and `families/`) and two doors that are named by import strings: its
frame rules for runtimes (NumPy) and its networks for the host (PyTorch). Nothing else in the
package names a family; docs/extending.md says how another is added.
"""

import importlib
from types import MappingProxyType
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Tuple

from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import ArgumentError, UnknownNameError

_NONE = MappingProxyType({})  # type: Mapping[str, int]


class Family(NamedTuple):
    """One family.

    Attributes:
        name: as in the manifest.
        title: that people know.
        graphs: in the order in which a frame uses them; the first one takes the image.
        object_score: the output that is above 0 where the object is present.
        strides: of the heights that shapes name by a symbol: px of the input a cell. They are
            the widths as well where these have no symbols of their own.
        mask_stride: of mask logits, px of the input a cell.
        keeps_memory_across_sizes: whether memory that was written at one input size can be read at
            another.
        rules: `module:name` of the class of frame rules (`runtimes/rules`).
        host: `module:name` of the family's networks (`models/family.py`).
        widths: strides of the widths, by their symbols; none where inputs are square.
        square_only: whether inputs of another form are refused.
    """

    name: str
    title: str
    graphs: Tuple[GraphSpec, ...]
    object_score: str
    strides: Mapping[str, int]
    mask_stride: int
    keeps_memory_across_sizes: bool
    rules: str
    host: str
    widths: Mapping[str, int] = _NONE
    square_only: bool = True

    def graph(self, name: str) -> GraphSpec:
        """Return a graph by its name.

        Raises:
            UnknownNameError: the family has none of that name.
        """
        for graph in self.graphs:
            if graph.name == name:
                return graph
        raise UnknownNameError("graph", name, [graph.name for graph in self.graphs])

    @property
    def image_encoder(self) -> GraphSpec:
        """The graph that takes the image."""
        return self.graphs[0]

    @property
    def per_size(self) -> Tuple[GraphSpec, ...]:
        """The graphs that are made once for every input size."""
        return tuple(graph for graph in self.graphs if graph.per_size)

    @property
    def shared(self) -> Tuple[GraphSpec, ...]:
        """The graphs that all input sizes share."""
        return tuple(graph for graph in self.graphs if not graph.per_size)

    def keyed(self, sizes: Iterable[int]) -> Dict[str, Tuple[GraphSpec, int]]:
        """Return the graphs of a bundle, and the size that each is made at, by their keys.

        The order is that in which they are made: size by size, then what all of them share, which
        is made at the largest.

        Args:
            sizes: of the input, px.
        """
        ascending = sorted(sizes)
        keyed = {graph.key(size): (graph, size) for size in ascending for graph in self.per_size}
        keyed.update(
            {graph.key(size): (graph, size) for size in ascending for graph in self.shared}
        )
        return keyed

    def check_aspect(self, aspect: Aspect) -> None:
        """Raise ArgumentError if inputs of the form are not taken."""
        if aspect != SQUARE and self.square_only:
            raise ArgumentError(
                "{} takes square inputs alone, not {}; give input sizes as single numbers, such "
                "as 480".format(self.title, aspect.text)
            )

    def sides(self, size: int, aspect: Aspect = SQUARE) -> Dict[str, int]:
        """Return the sides of maps at an input size, by their symbols.

        Args:
            size: width of the input, px.
            aspect: of the input.

        Raises:
            ArgumentError: inputs of the form are not taken, or the height is no whole number.
        """
        self.check_aspect(aspect)
        height = aspect.height_at(size)
        sides = {symbol: height // stride for symbol, stride in self.strides.items()}
        sides.update({symbol: size // stride for symbol, stride in self.widths.items()})
        return sides


# Where each family's `FAMILY` is, by its name. Imported when it is asked for.
_MODULES = {
    "backbones": "sam2lite.contracts.families.backbones",
    "efficienttam": "sam2lite.contracts.families.efficienttam",
    "edgetam": "sam2lite.contracts.families.edgetam",
    "sam2": "sam2lite.contracts.families.sam2",
    "sam2lite": "sam2lite.contracts.families.sam2lite",
}
_registered: Dict[str, Family] = {}


def register_family(family: Family) -> None:
    """Make a family known that does not come with the package."""
    _registered[family.name] = family


def family_names() -> List[str]:
    """Return the names of all families that are known."""
    return sorted(set(_MODULES) | set(_registered))


def get_family(name: str) -> Family:
    """Return a family by its name.

    Raises:
        UnknownNameError: there is none of that name.
    """
    if name not in _registered:
        if name not in _MODULES:
            raise UnknownNameError("model family", name, family_names())
        _registered[name] = importlib.import_module(_MODULES[name]).FAMILY
    return _registered[name]


def load(door: str) -> Any:
    """Import what an import string `module:name` names."""
    module, _, name = door.partition(":")
    return getattr(importlib.import_module(module), name)
