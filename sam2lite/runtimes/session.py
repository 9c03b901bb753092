"""What every backend gives: sessions that run one graph, checked against its spec."""

from typing import Any, Dict, Mapping, Optional, Tuple, Type

import numpy as np

from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import SessionError


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
                shape than the spec says, or the backend failed.
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
            dtype, shape = self._describe(inputs[name])
            if dtype != tensor.dtype or shape != tensor.shape:
                raise SessionError(
                    "{}: input {} must be {} {}; got {} {}".format(
                        self.spec.name, name, tensor.dtype, list(tensor.shape), dtype, list(shape)
                    )
                )
        return self._run(inputs)

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

    def _numpy(self, handle: Any) -> np.ndarray:
        raise NotImplementedError

    def _describe(self, value: Any) -> Tuple[str, Tuple[int, ...]]:
        """Return the dtype by NumPy's name and the shape of an array or handle."""
        raise NotImplementedError

    def _run(self, inputs: Mapping[str, Any]) -> Dict[str, Any]:
        raise NotImplementedError

    def _close(self) -> None:
        raise NotImplementedError
