"""CUDA through the package `pycuda`; names as in its release 2026.1, which captures no graphs."""

import ctypes
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Tuple

from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.tensorrt.cuda_interface import Cuda

_NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING


class PycudaCuda(Cuda):
    """The first device through `pycuda.driver`.

    TensorRT works in the device's primary context, so that is the one used here. It is current only
    during a call: a context that is left on pycuda's stack ends the process with an error.
    """

    name = "pycuda"

    def __init__(self) -> None:
        """Start CUDA.

        Raises:
            ImportError: the package is missing.
            SessionError: it does not work with the driver.
        """
        from pycuda import driver

        self._driver = driver
        self._held: Dict[int, Any] = {}  # pycuda's objects by address; they free with the object
        try:
            driver.init()
            self._context = driver.Device(0).retain_primary_context()
        except driver.Error as error:
            raise SessionError("pycuda: {}".format(error))

    def malloc(self, size: int) -> int:
        """See `Cuda.malloc`."""
        with self._current():
            memory = self._driver.mem_alloc(size)
        self._held[int(memory)] = memory
        return int(memory)

    def free(self, pointer: int) -> None:
        """See `Cuda.free`."""
        with self._current():
            self._held.pop(pointer).free()

    def malloc_host(self, size: int) -> int:
        """See `Cuda.malloc_host`."""
        with self._current():
            array = self._driver.pagelocked_empty(size, "uint8")
        address: int = array.ctypes.data
        self._held[address] = array
        return address

    def free_host(self, pointer: int) -> None:
        """See `Cuda.free_host`."""
        with self._current():
            del self._held[pointer]

    def copy_to_device(self, device: int, host: int, size: int, stream: int) -> None:
        """See `Cuda.copy_to_device`."""
        with self._current():
            self._driver.memcpy_htod_async(device, _bytes_at(host, size), self._held[stream])

    def copy_to_host(self, host: int, device: int, size: int, stream: int) -> None:
        """See `Cuda.copy_to_host`."""
        with self._current():
            self._driver.memcpy_dtoh_async(_bytes_at(host, size), device, self._held[stream])

    def create_stream(self) -> int:
        """See `Cuda.create_stream`."""
        with self._current():
            stream = self._driver.Stream(_NON_BLOCKING)
        self._held[stream.handle] = stream
        handle: int = stream.handle
        return handle

    def destroy_stream(self, stream: int) -> None:
        """See `Cuda.destroy_stream`."""
        with self._current():
            del self._held[stream]

    def synchronize(self, stream: int) -> None:
        """See `Cuda.synchronize`."""
        with self._current():
            self._held[stream].synchronize()

    def memory_info(self) -> Tuple[int, int]:
        """See `Cuda.memory_info`."""
        with self._current():
            free, total = self._driver.mem_get_info()
        return int(free), int(total)

    @contextmanager
    def _current(self) -> Iterator[None]:
        self._context.push()
        try:
            yield
        except self._driver.Error as error:
            raise SessionError("pycuda: {}".format(error))
        finally:
            self._driver.Context.pop()


def _bytes_at(address: int, size: int) -> Any:
    return (ctypes.c_uint8 * size).from_address(address)
