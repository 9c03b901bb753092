"""TensorSpec and GraphSpec: what goes into a graph and what comes out, defined once.

Export names its tensors by them, the manifest stores them, runtimes check against them, tests and
docs print them. Shapes may hold symbols (`"R/16"` is spelled `"H16"`); `bind` makes them numbers.
"""

from typing import Any, Dict, List, Mapping, NamedTuple, Tuple, Union

Dim = Union[int, str]


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
    """The inputs and outputs of one graph, in order."""

    name: str
    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]

    def bind(self, dims: Mapping[str, int]) -> "GraphSpec":
        """Return the spec with every symbol replaced by its number in `dims`."""
        return self._replace(
            inputs=tuple(spec.bind(dims) for spec in self.inputs),
            outputs=tuple(spec.bind(dims) for spec in self.outputs),
        )

    @property
    def input_names(self) -> List[str]:
        """Names of the inputs, in order."""
        return [spec.name for spec in self.inputs]

    @property
    def output_names(self) -> List[str]:
        """Names of the outputs, in order."""
        return [spec.name for spec in self.outputs]
