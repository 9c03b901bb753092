"""CUDA through NVIDIA's package `cuda-bindings`; names as in its release 13.5."""

from typing import Any, Tuple

from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.tensorrt.cuda_interface import Cuda

_NON_BLOCKING = 1  # cudaStreamNonBlocking


class BindingsCuda(Cuda):
    """The first device through `cuda.bindings.runtime`."""

    name = "cuda-bindings"

    def __init__(self) -> None:
        """Start CUDA.

        Raises:
            ImportError: the package is missing.
            SessionError: it does not work with the driver.
        """
        from cuda.bindings import runtime

        self._runtime = runtime
        self._call("cudaSetDevice", 0)
        self.memory_info()  # makes the context

    def malloc(self, size: int) -> int:
        """See `Cuda.malloc`."""
        return int(self._call("cudaMalloc", size))

    def free(self, pointer: int) -> None:
        """See `Cuda.free`."""
        self._call("cudaFree", pointer)

    def malloc_host(self, size: int) -> int:
        """See `Cuda.malloc_host`."""
        return int(self._call("cudaHostAlloc", size, 0))

    def free_host(self, pointer: int) -> None:
        """See `Cuda.free_host`."""
        self._call("cudaFreeHost", pointer)

    def copy_to_device(self, device: int, host: int, size: int, stream: int) -> None:
        """See `Cuda.copy_to_device`."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("cudaMemcpyAsync", device, host, size, kind, stream)

    def copy_to_host(self, host: int, device: int, size: int, stream: int) -> None:
        """See `Cuda.copy_to_host`."""
        kind = self._runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call("cudaMemcpyAsync", host, device, size, kind, stream)

    def create_stream(self) -> int:
        """See `Cuda.create_stream`."""
        return int(self._call("cudaStreamCreateWithFlags", _NON_BLOCKING))

    def destroy_stream(self, stream: int) -> None:
        """See `Cuda.destroy_stream`."""
        self._call("cudaStreamDestroy", stream)

    def synchronize(self, stream: int) -> None:
        """See `Cuda.synchronize`."""
        self._call("cudaStreamSynchronize", stream)

    def begin_capture(self, stream: int) -> None:
        """See `Cuda.begin_capture`."""
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", stream, mode)

    def end_capture(self, stream: int) -> int:
        """See `Cuda.end_capture`."""
        recorded = self._call("cudaStreamEndCapture", stream)
        try:
            return int(self._call("cudaGraphInstantiateWithFlags", recorded, 0))
        finally:
            self._call("cudaGraphDestroy", recorded)

    def launch(self, graph: int, stream: int) -> None:
        """See `Cuda.launch`."""
        self._call("cudaGraphLaunch", graph, stream)

    def destroy_graph(self, graph: int) -> None:
        """See `Cuda.destroy_graph`."""
        self._call("cudaGraphExecDestroy", graph)

    def memory_info(self) -> Tuple[int, int]:
        """See `Cuda.memory_info`."""
        free, total = self._call("cudaMemGetInfo")
        return int(free), int(total)

    def _call(self, function: str, *arguments: Any) -> Any:
        """Return what a function gives after its error code: nothing, one value, or a tuple."""
        code, *values = getattr(self._runtime, function)(*arguments)
        if int(code) != 0:
            text = self._runtime.cudaGetErrorString(code)[1].decode("utf-8", "replace")
            self._runtime.cudaGetLastError()  # or the next caller would be told of it again
            raise SessionError("{} failed: {} (CUDA error {})".format(function, text, int(code)))
        return values[0] if len(values) == 1 else tuple(values)
