"""ONNX Runtime adapter.

Four sessions with spinning thread pools of their own, on two cores, ran far slower than with one
pool for all (docs/adr/0003-one-thread-pool.md). That pool belongs to the whole process: once it is
there, ONNX Runtime refuses every session, anybody's, that does not use it. So a program of its own
calls `share_threads`, as our commands do; a library must not, and then pools do not spin.

All sessions take their memory from one arena, which concerns nobody who does not ask for it.
Without any, an INT8 frame took up to a quarter longer, over pages that the C library had given back
a millisecond before; with one for each session, memory grows with every graph that is open.
"""

from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.onnx_external import check_external
from sam2lite.runtimes.session import Session, check_claim

if TYPE_CHECKING:
    from sam2lite.runtimes.bundle import Bundle

NAME = "ort"
CPU = "CPUExecutionProvider"

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}
_shared_threads: Optional[int] = None
_arena: Optional[bool] = None  # whether there is one; None before it was tried


def is_available() -> Tuple[bool, str]:
    """Say whether ONNX Runtime can be used, and which one or why not."""
    try:
        import onnxruntime
    except ImportError as error:
        return False, "onnxruntime cannot be imported ({}); run: pip install onnxruntime".format(
            error
        )
    return True, "onnxruntime {}".format(onnxruntime.__version__)


def share_threads(threads: int) -> None:
    """Let all sessions that this process opens from now on share one thread pool.

    Must come before the first session; the same size may be set again. On releases of ONNX Runtime
    that have no such pool, it sets the size of the pools that do not spin.

    Raises:
        SessionError: ONNX Runtime cannot be used, the size is not positive, or the pool has another
            size already.
    """
    global _shared_threads
    _require()
    if threads < 1:
        raise SessionError("the thread count must be at least 1; got {}".format(threads))
    if _shared_threads is not None and _shared_threads != threads:
        raise SessionError(
            "ONNX Runtime's thread pool has {} threads in this process already and cannot be "
            "changed to {}; use one thread count per process".format(_shared_threads, threads)
        )
    if _shared_threads is None:
        import onnxruntime

        if hasattr(onnxruntime, "set_global_thread_pool_sizes"):
            onnxruntime.set_global_thread_pool_sizes(threads, 1)
        _shared_threads = threads


def open_session(
    bundle: "Bundle", key: str, threads: Optional[int] = None, provider: Optional[str] = None
) -> "OrtSession":
    """Open one graph of a bundle.

    Args:
        bundle: of a backend whose graphs are ONNX.
        key: of the graph in the manifest.
        threads: of the shared pool, or of the session's own if there is none; if not given, what
            the shared pool has, or else the target's default.
        provider: ONNX Runtime's execution provider; the CPU's if not given.

    Raises:
        BundleError: the graph has weights in a file that the manifest does not list.
        SessionError: ONNX Runtime cannot be used, cannot load the graph, or finds other tensors in
            it than the manifest says.
    """
    path, manifest = check_graph(bundle, key), bundle.manifest
    int8_kernels = manifest.backend == NAME  # see `session_options`
    return OrtSession(
        manifest.graphs[key].spec,
        path,
        session_options(threads, bundle.default_threads(), int8_kernels),
        arena=bool(manifest.target.get("arena", True)),
        provider=provider or CPU,
    )


def check_graph(bundle: "Bundle", key: str) -> str:
    """Return the path of a graph's file, which may be loaded.

    Args:
        bundle: of a backend whose graphs are ONNX.
        key: of the graph in the manifest.

    Raises:
        BundleError: the graph has weights in a file that the manifest does not list.
        SessionError: ONNX Runtime cannot be used.
    """
    _require()
    path = bundle.graph_path(key)
    check_external(path, bundle.manifest.graphs[key].file, bundle.manifest.files)
    return path


def _require() -> None:
    available, reason = is_available()
    if not available:
        raise SessionError(reason)


def session_options(threads: Optional[int], default_threads: int, int8_kernels: bool = True) -> Any:
    """Return options for a session: on the shared pool if there is one, else on its own.

    Args:
        threads: what was asked for; None if nothing was.
        default_threads: what to use then, unless the shared pool has a size.
        int8_kernels: whether layers between DequantizeLinear and QuantizeLinear become kernels for
            INT8. Where their scales are FP16, as TensorRT takes them, ONNX Runtime 1.31 computes
            other values then: 4 to 12 dB of what stands in the graph.

    Raises:
        SessionError: the shared pool has another size than was asked for.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not int8_kernels:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    if _shares_arena():
        options.add_session_config_entry("session.use_env_allocators", "1")
    if _shared_threads is not None:
        share_threads(threads or _shared_threads)
        if hasattr(onnxruntime, "set_global_thread_pool_sizes"):
            options.use_per_session_threads = False
            return options
    options.intra_op_num_threads = threads or _shared_threads or default_threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


class OrtSession(Session):
    """A session on one execution provider, which is used or else an error."""

    def __init__(
        self,
        spec: GraphSpec,
        path: str,
        options: Any,
        arena: bool = True,
        provider: str = CPU,
    ) -> None:
        """Open a graph file.

        Args:
            spec: the graph's bound spec.
            path: of the .onnx file; external data lies beside it.
            options: of ONNX Runtime; see `session_options`.
            arena: whether ONNX Runtime keeps freed memory for itself.
            provider: ONNX Runtime's name of the execution provider.

        Raises:
            SessionError: the provider is not available or not used, or the file cannot be loaded
                or has other tensors than the spec.
        """
        super().__init__(spec)
        import onnxruntime

        if provider not in onnxruntime.get_available_providers():
            raise SessionError(
                "execution provider {} is not in this onnxruntime (it has {}); install a build "
                "that has it".format(provider, ", ".join(onnxruntime.get_available_providers()))
            )
        options.enable_cpu_mem_arena = arena
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
        check_claim(spec, _tensors(self._session), path)
        self._wrap = onnxruntime.OrtValue.ortvalue_from_numpy
        self._outputs = spec.output_names

    def _numpy(self, handle: Any) -> np.ndarray:
        array: np.ndarray = handle.numpy()  # no copy on the CPU
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


def _shares_arena() -> bool:
    """Make the arena of this process, if that was not done yet; return whether there is one."""
    global _arena
    if _arena is None:
        import onnxruntime

        as_requested = 1  # and not in powers of two, which hold twice as much
        try:
            onnxruntime.create_and_register_allocator(
                onnxruntime.OrtMemoryInfo(
                    "Cpu",
                    onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
                    0,
                    onnxruntime.OrtMemType.DEFAULT,
                ),
                onnxruntime.OrtArenaCfg({"arena_extend_strategy": as_requested}),
            )
            _arena = True
        except Exception:  # a release without it, or somebody else's arena; theirs is not ours
            _arena = False
    return _arena


def _tensors(session: Any) -> List[Tuple[TensorSpec, bool]]:
    """Return the inputs and outputs that ONNX Runtime found, and which of them are inputs."""
    return [
        (TensorSpec(arg.name, _DTYPES.get(arg.type, arg.type), tuple(arg.shape)), is_input)
        for args, is_input in ((session.get_inputs(), True), (session.get_outputs(), False))
        for arg in args
    ]


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
