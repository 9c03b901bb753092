"""The CUDA device: a look at it, and the first package here that can use it.

TensorRT takes addresses of device memory and a stream; neither comes with it. Three packages can
give them. ctypes is tried first: it needs nothing but the CUDA runtime library of JetPack 4 to 7,
and does all there is to do. `cuda-bindings` (Python 3.9 and newer) serves where that library exists
only inside Python packages, `pycuda` where somebody has built it; it captures no graphs.
"""

import ctypes
from typing import Any, NamedTuple

from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.tensorrt.cuda_interface import Cuda

_DRIVER_NAMES = ("libcuda.so.1", "libcuda.so")
# Of cuDeviceGetAttribute: CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR in cuda.h.
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76
_NAME_BYTES = 256


class CudaDevice(NamedTuple):
    """The first GPU.

    Attributes:
        name: as the driver has it.
        compute_capability: such as "5.3".
        memory_bytes: in all; a Jetson's is also the CPU's.
    """

    name: str
    compute_capability: str
    memory_bytes: int


def probe() -> CudaDevice:
    """Ask the driver for the first device, without making a context.

    `tensorrt.Runtime` ends the whole process where there is no device, so nothing of TensorRT may
    be made before this has succeeded.

    Raises:
        SessionError: there is no driver, it does not start, or it has no device.
    """
    driver = _driver()
    _check(driver, "cuInit", driver.cuInit(0))
    count = ctypes.c_int()
    _check(driver, "cuDeviceGetCount", driver.cuDeviceGetCount(ctypes.byref(count)))
    if count.value < 1:
        raise SessionError(
            "the NVIDIA driver has no device to offer; look at CUDA_VISIBLE_DEVICES, or use a "
            "bundle for the backend 'ort'"
        )
    device = ctypes.c_int()
    _check(driver, "cuDeviceGet", driver.cuDeviceGet(ctypes.byref(device), 0))
    name = ctypes.create_string_buffer(_NAME_BYTES)
    _check(driver, "cuDeviceGetName", driver.cuDeviceGetName(name, _NAME_BYTES, device))
    version = []
    for attribute in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR):
        value = ctypes.c_int()
        code = driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        _check(driver, "cuDeviceGetAttribute", code)
        version.append(str(value.value))
    memory = ctypes.c_size_t()
    _check(driver, "cuDeviceTotalMem", driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device))
    return CudaDevice(name.value.decode("utf-8", "replace"), ".".join(version), memory.value)


def _driver() -> Any:
    reason = ""
    for name in _DRIVER_NAMES:
        try:
            return ctypes.CDLL(name)
        except OSError as error:
            reason = reason or str(error)
    raise SessionError(
        "there is no NVIDIA driver ({}); TensorRT needs a Jetson or a computer with an NVIDIA GPU, "
        "and a container must be started with its GPU (--runtime nvidia); elsewhere run the "
        "bundle with --backend ort".format(reason)
    )


def _check(driver: Any, function: str, code: int) -> None:
    if code == 0:
        return
    text = ctypes.c_char_p()
    driver.cuGetErrorString(code, ctypes.byref(text))
    raise SessionError(
        "the NVIDIA driver does not work: {} gave error {} ({}); check that the user may open the "
        "device (on a Jetson: sudo usermod -aG video $USER), then reboot".format(
            function, code, text.value.decode("utf-8") if text.value else "unknown"
        )
    )


def open_cuda() -> Cuda:
    """Open the first device with what this machine has.

    Raises:
        SessionError: none of the three packages works; the reason of each is given.
    """
    from sam2lite.runtimes.backends.tensorrt.cuda_bindings import BindingsCuda
    from sam2lite.runtimes.backends.tensorrt.cuda_ctypes import open_ctypes
    from sam2lite.runtimes.backends.tensorrt.cuda_pycuda import PycudaCuda

    reasons = []
    for name, opener in (
        ("ctypes", open_ctypes),
        ("cuda-bindings", BindingsCuda),
        ("pycuda", PycudaCuda),
    ):
        try:
            return opener()
        except (ImportError, SessionError) as error:
            reasons.append("{}: {}".format(name, error))
    raise SessionError(
        "CUDA cannot be used ({}); on a Jetson install JetPack's CUDA runtime (sudo apt install "
        "nvidia-jetpack), elsewhere: pip install cuda-bindings".format("; ".join(reasons))
    )
