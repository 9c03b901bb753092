"""ONNX Runtime adapter.

All sessions share one thread pool. Four sessions with spinning pools of their own, on two cores, ran
four times slower than with one (docs/adr/0003-one-thread-pool.md).
"""

from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np

from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import SessionError
from sam2lite.runtimes.session import Session

CPU = "CPUExecutionProvider"

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}
_pool_threads = None  # type: Optional[int]


def is_available() -> Tuple[bool, str]:
    """Say whether ONNX Runtime can be used, and which one or why not."""
    try:
        import onnxruntime
    except ImportError as error:
        return False, "onnxruntime cannot be imported ({}); run: pip install onnxruntime".format(
            error
        )
    return True, "onnxruntime {}".format(onnxruntime.__version__)


def configure_threads(threads: int) -> None:
    """Set the size of the one pool that all sessions of this process share.

    Must come before the first session; the same size may be set again.

    Raises:
        SessionError: the size is not positive, or the pool has another size already.
    """
    global _pool_threads
    if threads < 1:
        raise SessionError("the thread count must be at least 1; got {}".format(threads))
    if _pool_threads is not None and _pool_threads != threads:
        raise SessionError(
            "ONNX Runtime's thread pool has {} threads in this process already and cannot be "
            "changed to {}; use one thread count per process".format(_pool_threads, threads)
        )
    if _pool_threads is None:
        import onnxruntime

        if hasattr(onnxruntime, "set_global_thread_pool_sizes"):
            onnxruntime.set_global_thread_pool_sizes(threads, 1)
        _pool_threads = threads


class OrtSession(Session):
    """A session on one execution provider, which is used or else an error."""

    def __init__(
        self, spec: GraphSpec, path: str, threads: int, arena: bool = True, provider: str = CPU
    ) -> None:
        """Open a graph file.

        Args:
            spec: the graph's bound spec.
            path: of the .onnx file; external data lies beside it.
            threads: of the shared pool; see `configure_threads`.
            arena: whether ONNX Runtime keeps freed memory for itself.
            provider: ONNX Runtime's name of the execution provider.

        Raises:
            SessionError: the provider is not available or not used, or the file cannot be loaded.
        """
        super().__init__(spec)
        import onnxruntime

        if provider not in onnxruntime.get_available_providers():
            raise SessionError(
                "execution provider {} is not in this onnxruntime (it has {}); install a build "
                "that has it".format(provider, ", ".join(onnxruntime.get_available_providers()))
            )
        configure_threads(threads)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = arena
        if hasattr(onnxruntime, "set_global_thread_pool_sizes"):
            options.use_per_session_threads = False
        else:  # too old for a shared pool: pools of their own must at least not spin
            options.intra_op_num_threads = threads
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=[provider])
        except Exception as error:  # onnxruntime's own errors share no base class
            raise SessionError("onnxruntime cannot load {}: {}".format(path, _first_line(error)))
        if self._session.get_providers()[0] != provider:
            raise SessionError(
                "asked onnxruntime for {}, but it fell back to {}".format(
                    provider, self._session.get_providers()[0]
                )
            )
        self._wrap = onnxruntime.OrtValue.ortvalue_from_numpy
        self._outputs = spec.output_names

    def numpy(self, handle: Any) -> np.ndarray:
        """Return the host array of a handle, without a copy on the CPU."""
        array = handle.numpy()  # type: np.ndarray
        return array

    def _describe(self, value: Any) -> Tuple[str, Tuple[int, ...]]:
        if isinstance(value, np.ndarray):
            return value.dtype.name, value.shape
        return _DTYPES.get(value.data_type(), value.data_type()), tuple(value.shape())

    def _run(self, inputs: Mapping[str, Any]) -> Dict[str, Any]:
        feeds = {
            name: self._wrap(np.ascontiguousarray(value))
            if isinstance(value, np.ndarray)
            else value
            for name, value in inputs.items()
        }
        try:
            values = self._session.run_with_ort_values(self._outputs, feeds)
        except Exception as error:  # onnxruntime's own errors share no base class
            raise SessionError(
                "onnxruntime failed in {}: {}".format(self.spec.name, _first_line(error))
            )
        return dict(zip(self._outputs, values))

    def _close(self) -> None:
        del self._session


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
