"""CUDA through ctypes and the CUDA runtime library alone.

Signatures and constants are those of `cuda_runtime_api.h` and `driver_types.h`, releases 10.2 to
13.0.
"""

import ctypes
import glob
import os
import sys
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint, c_ulonglong, c_void_p
from typing import Any, Dict, List, Tuple

from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.tensorrt.cuda_interface import Cuda

# 10.2 is JetPack 4's, 11.0 names all of 11 (JetPack 5: 11.4), 12 JetPack 6's, 13 JetPack 7's.
_NAMES = tuple("libcudart.so" + suffix for suffix in ("", ".13", ".12", ".11.0", ".10.2"))
_FOLDERS = ("/usr/local/cuda/lib64",)

_TO_DEVICE, _TO_HOST = 1, 2  # cudaMemcpyKind
_NON_BLOCKING = 1  # cudaStreamNonBlocking
_THREAD_LOCAL = 1  # cudaStreamCaptureModeThreadLocal: other threads may allocate meanwhile

_OUT = POINTER(c_void_p)
_SIGNATURES: Dict[str, Tuple[Any, ...]] = {
    "cudaSetDevice": (c_int,),
    "cudaGetLastError": (),
    "cudaMalloc": (_OUT, c_size_t),
    "cudaFree": (c_void_p,),
    "cudaHostAlloc": (_OUT, c_size_t, c_uint),
    "cudaFreeHost": (c_void_p,),
    "cudaMemcpyAsync": (c_void_p, c_void_p, c_size_t, c_int, c_void_p),
    "cudaStreamCreateWithFlags": (_OUT, c_uint),
    "cudaStreamDestroy": (c_void_p,),
    "cudaStreamSynchronize": (c_void_p,),
    "cudaMemGetInfo": (POINTER(c_size_t), POINTER(c_size_t)),
    "cudaStreamBeginCapture": (c_void_p, c_int),
    "cudaStreamEndCapture": (c_void_p, _OUT),
    "cudaGraphDestroy": (c_void_p,),
    "cudaGraphLaunch": (c_void_p, c_void_p),
    "cudaGraphExecDestroy": (c_void_p,),
}
# `cudaGraphInstantiate` took a log buffer until CUDA 11 and takes flags since 12, under one name.
# From 11.4 on this one takes flags in every release; before, there is only the old form.
_WITH_FLAGS = "cudaGraphInstantiateWithFlags"
_SIGNATURES_OF_INSTANTIATE: Dict[str, Tuple[Any, ...]] = {
    _WITH_FLAGS: (_OUT, c_void_p, c_ulonglong),
    "cudaGraphInstantiate": (_OUT, c_void_p, _OUT, c_char_p, c_size_t),
}


def open_ctypes() -> Cuda:
    """Open the device with the first CUDA runtime library that works.

    Raises:
        SessionError: there is none, or none works; their reasons are given.
    """
    reasons: List[str] = []
    for path in _candidates():
        try:
            return CtypesCuda(path)
        except OSError:  # not there
            continue
        except (AttributeError, SessionError) as error:
            if str(error) not in reasons:  # one library has several names
                reasons.append(str(error))
    raise SessionError("; ".join(reasons) or "there is no libcudart.so")


def _candidates() -> List[str]:
    """Return where the library may be, the one that this process has loaded already first."""
    paths = []
    if os.path.exists("/proc/self/maps"):
        with open("/proc/self/maps") as lines:
            paths = [line.split(None, 5)[-1].strip() for line in lines if "/libcudart.so" in line]
    paths += _NAMES
    for folder in _FOLDERS:
        paths += sorted(glob.glob(os.path.join(folder, "libcudart.so*")))
    for folder in sys.path:  # NVIDIA's packages on PyPI: nvidia/cuda_runtime/lib, nvidia/cu13/lib
        paths += sorted(glob.glob(os.path.join(folder, "nvidia", "*", "lib", "libcudart.so*")))
    return sorted(set(paths), key=paths.index)


class CtypesCuda(Cuda):
    """The first device through one CUDA runtime library."""

    name = "ctypes"

    def __init__(self, path: str) -> None:
        """Load the library and start CUDA.

        Raises:
            OSError: it cannot be loaded.
            AttributeError: it lacks a function.
            SessionError: it does not work with the driver.
        """
        library = ctypes.CDLL(path)
        has_flags = hasattr(library, _WITH_FLAGS)
        self._instantiate = _WITH_FLAGS if has_flags else "cudaGraphInstantiate"
        signatures = dict(_SIGNATURES)
        signatures[self._instantiate] = _SIGNATURES_OF_INSTANTIATE[self._instantiate]
        for name, types in signatures.items():
            function = getattr(library, name)
            function.argtypes, function.restype = types, c_int
        library.cudaGetErrorString.argtypes = (c_int,)
        library.cudaGetErrorString.restype = c_char_p
        self._library = library
        self._call("cudaSetDevice", 0)
        self.memory_info()  # makes the context, so that a library the driver is too old for shows

    def malloc(self, size: int) -> int:
        """See `Cuda.malloc`."""
        return self._made("cudaMalloc", size)

    def free(self, pointer: int) -> None:
        """See `Cuda.free`."""
        self._call("cudaFree", pointer)

    def malloc_host(self, size: int) -> int:
        """See `Cuda.malloc_host`."""
        return self._made("cudaHostAlloc", size, 0)

    def free_host(self, pointer: int) -> None:
        """See `Cuda.free_host`."""
        self._call("cudaFreeHost", pointer)

    def copy_to_device(self, device: int, host: int, size: int, stream: int) -> None:
        """See `Cuda.copy_to_device`."""
        self._call("cudaMemcpyAsync", device, host, size, _TO_DEVICE, stream)

    def copy_to_host(self, host: int, device: int, size: int, stream: int) -> None:
        """See `Cuda.copy_to_host`."""
        self._call("cudaMemcpyAsync", host, device, size, _TO_HOST, stream)

    def create_stream(self) -> int:
        """See `Cuda.create_stream`."""
        return self._made("cudaStreamCreateWithFlags", _NON_BLOCKING)

    def destroy_stream(self, stream: int) -> None:
        """See `Cuda.destroy_stream`."""
        self._call("cudaStreamDestroy", stream)

    def synchronize(self, stream: int) -> None:
        """See `Cuda.synchronize`."""
        self._call("cudaStreamSynchronize", stream)

    def begin_capture(self, stream: int) -> None:
        """See `Cuda.begin_capture`."""
        self._call("cudaStreamBeginCapture", stream, _THREAD_LOCAL)

    def end_capture(self, stream: int) -> int:
        """See `Cuda.end_capture`."""
        recorded = c_void_p()
        self._call("cudaStreamEndCapture", stream, ctypes.byref(recorded))
        options = (0,) if self._instantiate == _WITH_FLAGS else (None, None, 0)
        try:
            return self._made(self._instantiate, recorded, *options)
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
        free, total = c_size_t(), c_size_t()
        self._call("cudaMemGetInfo", ctypes.byref(free), ctypes.byref(total))
        return free.value, total.value

    def _made(self, function: str, *arguments: Any) -> int:
        """Call a function whose first argument takes what it makes, and return that."""
        made = c_void_p()
        self._call(function, ctypes.byref(made), *arguments)
        return made.value or 0

    def _call(self, function: str, *arguments: Any) -> None:
        code = getattr(self._library, function)(*arguments)
        if code != 0:
            text = self._library.cudaGetErrorString(code).decode("utf-8", "replace")
            self._library.cudaGetLastError()  # or the next caller would be told of it again
            raise SessionError("{} failed: {} (CUDA error {})".format(function, text, code))
