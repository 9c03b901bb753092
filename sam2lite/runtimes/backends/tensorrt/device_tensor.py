"""Tensors in device memory: outputs of TensorRT sessions, and inputs that came from the host."""

import ctypes
from typing import List, Optional, Tuple

import numpy as np

from sam2lite.contracts.tensors import TensorSpec
from sam2lite.runtimes.backends.tensorrt.runtime import TrtRuntime


class DeviceTensor:
    """An output of a session. It stays as it is for as long as somebody holds it.

    Attributes:
        dtype: NumPy's name of the type.
        shape: of the tensor.
        pointer: its address in device memory; C order, no gaps.
        host: a copy in host memory once somebody asked for one.
    """

    def __init__(
        self, dtype: str, shape: Tuple[int, ...], pointer: int, home: "OutputPool"
    ) -> None:
        self.dtype = dtype
        self.shape = shape
        self.pointer = pointer
        self.host: Optional[np.ndarray] = None
        self._home = home

    def __del__(self) -> None:
        self._home.take_back(self.pointer)


class OutputPool:
    """The buffers of one output: as many as handles of it were held at once, ever.

    A buffer of its own for each output, and not one pool for all of a size: so a frame loop that
    does the same on every frame sees the same few addresses again, and the graphs captured for
    them.
    """

    def __init__(self, runtime: TrtRuntime, tensor: TensorSpec) -> None:
        self._runtime = runtime
        self._dtype = tensor.dtype
        self._shape, self._size = shape_and_bytes(tensor)
        self._free: List[int] = []
        self._open = True

    def take(self) -> DeviceTensor:
        """Return a tensor that nobody holds, its contents undefined.

        Raises:
            SessionError: there is no memory for another one.
        """
        pointer = self._free.pop() if self._free else self._runtime.allocate(self._size)
        return DeviceTensor(self._dtype, self._shape, pointer, self)

    def take_back(self, pointer: int) -> None:
        """Keep a buffer whose tensor was forgotten for the next `take`."""
        if self._open:
            self._free.append(pointer)
        else:
            self._runtime.free(pointer)

    def close(self) -> None:
        """Free the buffers; those of tensors that are still held go when they are forgotten."""
        self._open = False
        while self._free:
            self._runtime.free(self._free.pop())


class HostInput:
    """Memory for one input that comes from the host; there is none before the first array.

    The caller may write to its array as soon as `upload` returns, while the device still reads, so
    that reads a copy, in memory that the device can reach by itself. On boards below compute
    capability 7.2 the CPU does not cache such memory; it is only written here, in order.
    """

    def __init__(self, runtime: TrtRuntime, tensor: TensorSpec) -> None:
        self._runtime = runtime
        self._dtype = tensor.dtype
        self._shape, self._size = shape_and_bytes(tensor)
        self._device = 0
        self._staging: Optional[np.ndarray] = None
        self._last_copy = 0

    def upload(self, array: np.ndarray) -> int:
        """Put the copy of an array on the stream and return its address in device memory.

        Raises:
            SessionError: there is no memory for it.
        """
        runtime, cuda = self._runtime, self._runtime.cuda
        if self._staging is None:
            self._device = self._device or runtime.allocate(self._size)
            memory = (ctypes.c_uint8 * self._size).from_address(cuda.malloc_host(self._size))
            self._staging = np.ctypeslib.as_array(memory).view(self._dtype).reshape(self._shape)
        runtime.wait(self._last_copy)
        np.copyto(self._staging, array)
        cuda.copy_to_device(self._device, self._staging.ctypes.data, self._size, runtime.stream)
        self._last_copy = runtime.put()
        return self._device

    def close(self) -> None:
        """Free the memory; nothing may be waiting on the stream."""
        if self._device:
            self._runtime.free(self._device)
        if self._staging is not None:
            self._runtime.release(self._runtime.cuda.free_host, self._staging.ctypes.data)
        self._device, self._staging = 0, None


def shape_and_bytes(tensor: TensorSpec) -> Tuple[Tuple[int, ...], int]:
    """Return a bound tensor's shape and size in bytes."""
    shape = tuple(int(dim) for dim in tensor.shape)
    return shape, int(np.prod(shape, dtype=np.int64)) * np.dtype(tensor.dtype).itemsize
