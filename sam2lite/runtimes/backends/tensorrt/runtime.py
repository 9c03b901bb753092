"""What all TensorRT sessions of a process share: the runtime, the device and one stream."""

import atexit
import os
import threading
import weakref
from contextlib import contextmanager, suppress
from typing import Any, Callable, Iterator, List, Optional, Set

from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.tensorrt.cuda import open_cuda, probe
from sam2lite.runtimes.backends.tensorrt.cuda_interface import Cuda

GRAPHS_VARIABLE = "SAM2LITE_CUDA_GRAPHS"
_INSTALL = "on a Jetson: sudo apt install python3-libnvinfer; elsewhere: pip install tensorrt"

_shared: Optional["TrtRuntime"] = None
_opening = threading.Lock()


def import_tensorrt() -> Any:
    """Return the package `tensorrt`, where there is a device for it.

    Raises:
        SessionError: there is no device, or no package; with the remedy.
    """
    probe()
    try:
        import tensorrt
    except ImportError as error:
        raise SessionError("tensorrt cannot be imported ({}); {}".format(error, _INSTALL))
    return tensorrt


def shared_runtime() -> "TrtRuntime":
    """Return the runtime of this process; the first call starts CUDA.

    The environment variable SAM2LITE_CUDA_GRAPHS=0 turns the capture of graphs off.

    Raises:
        SessionError: TensorRT or CUDA cannot be used, or the process was forked after they started.
    """
    global _shared
    with _opening:
        if _shared is None:
            tensorrt = import_tensorrt()
            _shared = TrtRuntime(tensorrt, open_cuda(), os.environ.get(GRAPHS_VARIABLE) != "0")
            atexit.register(_shared.close)  # before Python takes modules apart in any order
        _shared.check()
        return _shared


class TrtRuntime:
    """TensorRT's runtime, the device's memory, and the stream that all work is put on.

    Work on one stream runs in the order in which it was put there. So a buffer may be given to the
    next run while the last one that reads it is still waiting.

    Attributes:
        tensorrt: the package.
        cuda: the device.
        stream: of all sessions.
        graphs: whether sessions capture CUDA graphs.
        lock: held by whoever puts work on the stream.
    """

    def __init__(self, tensorrt: Any, cuda: Cuda, graphs: bool = True) -> None:
        self.tensorrt = tensorrt
        self.cuda = cuda
        self.graphs = graphs
        self.lock = threading.RLock()
        self.sessions: Any = weakref.WeakSet()
        self.stream = cuda.create_stream()
        self._process = os.getpid()
        self._open = True
        self._logger = _error_log(tensorrt)
        self._runtime = tensorrt.Runtime(self._logger)
        self._loading = threading.Lock()
        self._pointers: Set[int] = set()
        self._put = 0  # pieces of work put on the stream so far
        self._done = 0  # of those, known to be done
        self._capturing = False
        self._free_later: List[int] = []

    @property
    def usable(self) -> bool:
        """Whether device memory can be touched: not after `close`, nor in a forked process."""
        return self._open and self._process == os.getpid()

    def check(self) -> None:
        """Raise SessionError unless it is usable."""
        if self._process != os.getpid():
            raise SessionError(
                "CUDA was started before this process was forked and cannot be used in it; start "
                "processes with the method 'spawn', or open the bundle in the new process only"
            )
        if not self._open:
            raise SessionError("TensorRT was shut down; the process is ending")

    def take_error(self) -> str:
        """Return the last error that TensorRT logged, in brackets, or nothing; and forget it."""
        text, self._logger.last_error = self._logger.last_error.strip(), ""
        return " (TensorRT: {})".format(text) if text else ""

    def load(self, path: str) -> Any:
        """Deserialise an engine file.

        Raises:
            SessionError: it is missing, or TensorRT does not take it.
        """
        try:
            with open(path, "rb") as stream:
                plan = stream.read()
        except OSError as error:
            raise SessionError(
                "there is no engine at {} ({}); build it on this device: python3 device.pyz "
                "build".format(path, error.strerror)
            )
        with self._loading:
            self.check()
            self.take_error()
            engine = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise SessionError(
                "{}: the engine is for another device or TensorRT version than this {}, or is "
                "damaged{}; build it again: python3 device.pyz build".format(
                    path, self.tensorrt.__version__, self.take_error()
                )
            )
        return engine

    def allocate(self, size: int) -> int:
        """Return `size` bytes of device memory.

        Raises:
            SessionError: there is not enough.
        """
        self.check()
        try:
            pointer = self.cuda.malloc(size)
        except SessionError as error:
            free, total = self.cuda.memory_info()
            raise SessionError(
                "{:.1f} MB of device memory more are not to be had: {}; {:.0f} of {:.0f} MB are "
                "free; end other programs, or use a smaller rung or fewer objects".format(
                    size / 1e6, error, free / 1e6, total / 1e6
                )
            )
        self._pointers.add(pointer)
        return pointer

    def free(self, pointer: int) -> None:
        """Give device memory back once the work that uses it is done.

        Handles call this when they are forgotten, which can be at any time: while a graph is being
        captured, after the end, or in a forked process that inherited them.
        """
        if not self.usable:
            return
        with self.lock:
            if self._capturing:
                self._free_later.append(pointer)
            elif pointer in self._pointers:
                self._pointers.discard(pointer)
                self.settle()
                self.release(self.cuda.free, pointer)

    def put(self) -> int:
        """Count a piece of work that was put on the stream, and return its number."""
        self._put += 1
        return self._put

    def wait(self, number: Optional[int] = None) -> None:
        """Wait until a numbered piece of work is done, or all of it.

        Raises:
            SessionError: work on the stream failed.
        """
        if number is None or number > self._done:
            put = self._put
            self.cuda.synchronize(self.stream)
            self._done = put

    def settle(self) -> None:
        """Wait for all work before something is given back, whether or not it failed."""
        self.release(self.cuda.synchronize, self.stream)

    def release(self, function: Callable[[int], None], handle: int) -> None:
        """Give something back to CUDA.

        Once the device has failed, CUDA refuses all that follows and gives everything back when the
        process ends; the failure itself was reported by the run that met it.
        """
        with suppress(SessionError):
            function(handle)

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Free nothing meanwhile: waiting for the stream would spoil the capture."""
        self._capturing = True
        try:
            yield
        finally:
            self._capturing = False
            waiting, self._free_later = self._free_later, []
            for pointer in waiting:
                self.free(pointer)

    def close(self) -> None:
        """Close all sessions and free everything; handles that are left mean nothing then."""
        if not self.usable:
            return
        with self._loading, self.lock:  # an engine that is being opened by a thread comes first
            for session in list(self.sessions):
                session.close()
            for pointer in list(self._pointers):
                self.free(pointer)
            self._open = False
            del self._runtime
            self.release(self.cuda.destroy_stream, self.stream)


def _error_log(tensorrt: Any) -> Any:
    """Return a logger that keeps the last error and prints nothing: standard output is ours."""
    severity = tensorrt.ILogger.Severity
    kept = (severity.INTERNAL_ERROR, severity.ERROR)

    class ErrorLog(tensorrt.ILogger):  # type: ignore[misc]  # known only once it is imported
        def __init__(self) -> None:
            tensorrt.ILogger.__init__(self)
            self.last_error = ""

        def log(self, severity: Any, msg: str) -> None:
            if severity in kept:
                self.last_error = msg

    return ErrorLog()
