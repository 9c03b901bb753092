"""What every backend gives: sessions that run one graph, checked against its spec."""

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Type

import numpy as np

from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import SessionError
from sam2lite.files.reading import printable


class Session:
    """One graph, ready to run.

    Inputs are NumPy arrays, or handles that another session of the same backend returned. Outputs
    are handles, so that features go from graph to graph where they are; `numpy` brings one to the
    host. A context manager; `close` may be called twice.
    """

    def __init__(self, spec: GraphSpec) -> None:
        self.spec = spec
        self._inputs = {tensor.name: tensor for tensor in spec.inputs}
        self._open = True

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Any
    ) -> None:
        self.close()

    def run(self, inputs: Mapping[str, Any]) -> Dict[str, Any]:
        """Run the graph once.

        Args:
            inputs: one array or handle per input of the spec, by name.

        Returns:
            one handle per output of the spec, by name.

        Raises:
            SessionError: the session is closed, a tensor is missing, unknown, or of another type or
                shape than the spec says, going in or coming out, or the backend failed.
        """
        if not self._open:
            raise SessionError("{}: the session is closed".format(self.spec.name))
        if inputs.keys() != self._inputs.keys():
            raise SessionError(
                "{} takes {}; got {}".format(
                    self.spec.name, ", ".join(sorted(self._inputs)), ", ".join(sorted(inputs))
                )
            )
        for name, tensor in self._inputs.items():
            self._require(tensor, inputs[name], "input")
        outputs = self._run(inputs)
        for tensor in self.spec.outputs:
            self._require(tensor, outputs[tensor.name], "output")
        return outputs

    def close(self) -> None:
        """Free what the session holds."""
        if self._open:
            self._open = False
            self._close()

    def numpy(self, handle: Any) -> np.ndarray:
        """Bring an output to the host; it may share the handle's memory, so do not write to it.

        Args:
            handle: of any session of the backend; an array is returned as it is.
        """
        return handle if isinstance(handle, np.ndarray) else self._numpy(handle)

    def _require(self, tensor: TensorSpec, value: Any, kind: str) -> None:
        dtype, shape = self._describe(value)
        if dtype != tensor.dtype or shape != tensor.shape:
            raise SessionError(
                "{}: {} {} must be {} {}; got {} {}".format(
                    self.spec.name,
                    kind,
                    tensor.name,
                    tensor.dtype,
                    list(tensor.shape),
                    dtype,
                    list(shape),
                )
            )

    def _numpy(self, handle: Any) -> np.ndarray:
        raise NotImplementedError

    def _describe(self, value: Any) -> Tuple[str, Tuple[int, ...]]:
        """Return the dtype by NumPy's name and the shape of an array or handle."""
        raise NotImplementedError

    def _run(self, inputs: Mapping[str, Any]) -> Dict[str, Any]:
        raise NotImplementedError

    def _close(self) -> None:
        raise NotImplementedError


def check_claim(spec: GraphSpec, found: Sequence[Tuple[TensorSpec, bool]], path: str) -> None:
    """Compare what a file takes and gives with what the manifest says of it.

    Args:
        spec: the graph's bound spec.
        found: every tensor of the file, and whether it is an input.
        path: of the file, for the message.

    Raises:
        SessionError: a tensor is missing or too many, or has another type or shape.
    """
    claimed = [(tensor, True) for tensor in spec.inputs]
    claimed += [(tensor, False) for tensor in spec.outputs]
    wanted = {(tensor.name, is_input): tensor for tensor, is_input in claimed}
    real = {(tensor.name, is_input): tensor for tensor, is_input in found}
    for place in sorted(set(wanted) | set(real)):
        if wanted.get(place) != real.get(place) or len(real) != len(found):
            raise SessionError(
                "{}: the manifest says that it has {}, and it has {}; export the bundle "
                "again".format(
                    printable(path),
                    _shown(place, wanted.get(place)),
                    _shown(place, real.get(place)),
                )
            )


def _shown(place: Tuple[str, bool], tensor: Optional[TensorSpec]) -> str:
    kind = "input" if place[1] else "output"
    if tensor is None:
        return "no {} {}".format(kind, ascii(place[0][:80]))
    shape = [dim if isinstance(dim, int) else str(dim)[:20] for dim in tensor.shape]
    return "the {} {} {} {}".format(kind, ascii(place[0][:80]), tensor.dtype, shape)
