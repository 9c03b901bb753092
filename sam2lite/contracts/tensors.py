"""TensorSpec and GraphSpec: what goes into a graph and what comes out, defined once.

Export names its tensors by them, the manifest stores them, runtimes check against them, tests and
docs print them. Shapes may hold symbols (`"R/16"` is spelled `"H16"`); `bind` makes them numbers.
"""

from types import MappingProxyType
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union

from sam2lite.contracts.values import NORMAL, TensorInfo, Values

Dim = Union[int, str]

_NOTHING_SAID = MappingProxyType({})  # type: Mapping[str, TensorInfo]


class TensorSpec(NamedTuple):
    """One tensor. The suffix of `name` is its layout; `dtype` is NumPy's name for the type."""

    name: str
    dtype: str
    shape: Tuple[Dim, ...]

    def bind(self, dims: Mapping[str, int]) -> "TensorSpec":
        """Return the spec with every symbol replaced by its number in `dims`."""
        return self._replace(
            shape=tuple(dims[dim] if isinstance(dim, str) else dim for dim in self.shape)
        )

    def to_json(self) -> Dict[str, Any]:
        """Return the manifest's form of the spec."""
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "TensorSpec":
        """Read the manifest's form of the spec."""
        return cls(str(data["name"]), str(data["dtype"]), tuple(data["shape"]))


class GraphSpec(NamedTuple):
    """One graph.

    Attributes:
        name: of the graph.
        inputs: in order.
        outputs: in order.
        per_size: made once for every input size; else once for all, at the largest.
        ranks: ends in a choice among candidates: stays in FP32, because a rounded score may choose
            another, and its rows are compared as a set.
        words: a sentence for people.
        tensors: what its tensors are, by name; may hold others, too.
        on_demand: many videos never need it, so that it is opened for the first frame that does.
    """

    name: str
    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]
    per_size: bool = True
    ranks: bool = False
    words: str = ""
    tensors: Mapping[str, TensorInfo] = _NOTHING_SAID
    on_demand: bool = False

    def bind(self, dims: Mapping[str, int]) -> "GraphSpec":
        """Return the spec with every symbol replaced by its number in `dims`."""
        return self._replace(
            inputs=tuple(spec.bind(dims) for spec in self.inputs),
            outputs=tuple(spec.bind(dims) for spec in self.outputs),
        )

    def key(self, size: int) -> str:
        """Return the graph's key in a bundle: `mask_decoder@480`, or the name alone.

        Args:
            size: of the input, px.
        """
        return "{}@{}".format(self.name, size) if self.per_size else self.name

    def values(self, name: str) -> Values:
        """Return what example values a tensor takes; `NORMAL` where nothing is said."""
        return self.tensors[name].values if name in self.tensors else NORMAL

    @property
    def image(self) -> Optional[str]:
        """Name of the input that is an image; None where there is none."""
        return next((name for name in self.input_names if self.values(name).kind == "image"), None)

    def with_image(self, dtype: str) -> "GraphSpec":
        """Return the spec as a backend takes it: an image in its type, still 0 to 255.

        Args:
            dtype: by NumPy's name.
        """
        image = self.image
        return self._replace(
            inputs=tuple(
                spec._replace(dtype=dtype) if spec.name == image else spec for spec in self.inputs
            )
        )

    def same_tensors(self, other: "GraphSpec") -> bool:
        """Return whether two specs have the same inputs and outputs under one name."""
        return self[:3] == other[:3]

    @property
    def aliases(self) -> Dict[str, Tuple[str, ...]]:
        """What else its tensors are called, by name; of those that have other names at all."""
        names = self.input_names + self.output_names
        known = {name: self.tensors[name].aliases for name in names if name in self.tensors}
        return {name: aliases for name, aliases in known.items() if aliases}

    @property
    def input_names(self) -> List[str]:
        """Names of the inputs, in order."""
        return [spec.name for spec in self.inputs]

    @property
    def output_names(self) -> List[str]:
        """Names of the outputs, in order."""
        return [spec.name for spec in self.outputs]
