"""The three ways to CUDA, each over a double of the library or package that it uses."""

import ctypes
import shutil
import subprocess
import sys
import types
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.tensorrt import cuda, cuda_ctypes
from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice, open_cuda, probe
from sam2lite.runtimes.backends.tensorrt.cuda_bindings import BindingsCuda
from sam2lite.runtimes.backends.tensorrt.cuda_ctypes import CtypesCuda, open_ctypes
from sam2lite.runtimes.backends.tensorrt.cuda_interface import Cuda
from sam2lite.runtimes.backends.tensorrt.cuda_pycuda import PycudaCuda
from tests.doubles.cuda import FakeCuda

DOUBLES = Path(__file__).parents[2] / "doubles"
MISSING = "libno-such-cuda.so"

needs_compiler = pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")


def compiled(source: str, folder: Path, *flags: str) -> str:
    path = folder / f"{Path(source).stem}{''.join(flags)}.so"
    command = ["gcc", "-shared", "-fPIC", *flags, str(DOUBLES / source), "-o", str(path)]
    subprocess.run(command, check=True)
    return str(path)


def number(library: str, name: str) -> Any:
    return ctypes.c_int.in_dll(ctypes.CDLL(library), name)


@pytest.fixture
def runtime_library(tmp_path: Path) -> str:
    return compiled("libcudart.c", tmp_path)


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = compiled("libcuda.c", tmp_path)
    monkeypatch.setattr(cuda, "_DRIVER_NAMES", (MISSING, path))
    return path


@pytest.fixture
def bindings(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """`cuda.bindings.runtime` over a fake device; every function returns its error code first."""
    fake = FakeCuda()
    error = IntEnum("cudaError_t", {"cudaSuccess": 0, "cudaErrorMemoryAllocation": 2})  # type: ignore[misc]
    kind = IntEnum("cudaMemcpyKind", {"cudaMemcpyHostToDevice": 1, "cudaMemcpyDeviceToHost": 2})  # type: ignore[misc]
    mode = IntEnum("cudaStreamCaptureMode", {"cudaStreamCaptureModeThreadLocal": 1})  # type: ignore[misc]

    def returns(function: Any) -> Any:
        def call(*arguments: Any) -> tuple[Any, ...]:
            try:
                value = function(*arguments)
            except SessionError:
                return error.cudaErrorMemoryAllocation, None
            return (error.cudaSuccess,) if value is None else (error.cudaSuccess, value)

        return call

    def copy(to: int, source: int, size: int, direction: Any, stream: int) -> None:
        assert isinstance(direction, kind)
        if direction == kind.cudaMemcpyHostToDevice:
            fake.copy_to_device(to, source, size, stream)
        else:
            fake.copy_to_host(to, source, size, stream)

    def begin(stream: int, how: Any) -> None:
        assert how is mode.cudaStreamCaptureModeThreadLocal
        fake.begin_capture(stream)

    functions = {
        "cudaSetDevice": lambda device: None,
        "cudaMalloc": fake.malloc,
        "cudaFree": fake.free,
        "cudaHostAlloc": lambda size, flags: fake.malloc_host(size),
        "cudaFreeHost": fake.free_host,
        "cudaMemcpyAsync": copy,
        "cudaStreamCreateWithFlags": lambda flags: fake.create_stream(),
        "cudaStreamDestroy": fake.destroy_stream,
        "cudaStreamSynchronize": fake.synchronize,
        "cudaStreamBeginCapture": begin,
        "cudaStreamEndCapture": fake.end_capture,
        "cudaGraphInstantiateWithFlags": lambda graph, flags: graph,
        "cudaGraphDestroy": lambda graph: None,
        "cudaGraphLaunch": fake.launch,
        "cudaGraphExecDestroy": fake.destroy_graph,
        "cudaGetLastError": lambda: None,
    }
    runtime: Any = types.ModuleType("cuda.bindings.runtime")
    for name, function in functions.items():
        setattr(runtime, name, returns(function))
    runtime.cudaMemGetInfo = lambda: (error.cudaSuccess, *fake.memory_info())
    runtime.cudaGetErrorString = lambda code: (error.cudaSuccess, b"out of memory")
    runtime.cudaMemcpyKind, runtime.cudaStreamCaptureMode = kind, mode
    package: Any = types.ModuleType("cuda.bindings")
    package.runtime = runtime
    monkeypatch.setitem(sys.modules, "cuda", types.ModuleType("cuda"))
    monkeypatch.setitem(sys.modules, "cuda.bindings", package)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", runtime)
    return fake


@pytest.fixture
def pycuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """`pycuda.driver` over a fake device; everything needs the context to be current."""
    fake = FakeCuda()
    stack: list[str] = []

    class Error(Exception):
        pass

    class Context:
        def push(self) -> None:
            stack.append("primary")

        @staticmethod
        def pop() -> None:
            stack.pop()

    class Memory:
        def __init__(self, size: int) -> None:
            assert stack == ["primary"]
            try:
                self.pointer = fake.malloc(size)
            except SessionError as error:
                raise Error(*error.args) from None

        def __int__(self) -> int:
            return self.pointer

        def free(self) -> None:
            assert stack == ["primary"]
            fake.free(self.pointer)

    class Stream:
        def __init__(self, flags: int) -> None:
            self.handle = fake.create_stream()

        def synchronize(self) -> None:
            assert stack == ["primary"]
            fake.synchronize(self.handle)

        def __del__(self) -> None:
            fake.destroy_stream(self.handle)

    def pagelocked_empty(size: int, dtype: str) -> np.ndarray:
        array = np.empty(size, dtype)
        fake.pinned[array.ctypes.data] = np.empty(0)  # only that it is there
        return array

    def upload(to: int, source: Any, stream: Stream) -> None:
        fake.copy_to_device(to, ctypes.addressof(source), len(source), stream.handle)

    def download(to: Any, source: int, stream: Stream) -> None:
        fake.copy_to_host(ctypes.addressof(to), source, len(to), stream.handle)

    device = types.SimpleNamespace(retain_primary_context=Context)
    module: Any = types.ModuleType("pycuda.driver")
    vars(module).update(
        init=lambda: None,
        Device=lambda ordinal: device,
        Error=Error,
        Context=Context,
        Stream=Stream,
        mem_alloc=Memory,
        pagelocked_empty=pagelocked_empty,
        memcpy_htod_async=upload,
        memcpy_dtoh_async=download,
        mem_get_info=fake.memory_info,
    )
    package: Any = types.ModuleType("pycuda")
    package.driver = module
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setitem(sys.modules, "pycuda.driver", module)
    return fake


def there_and_back(device: Cuda) -> None:
    """Bytes come back as they went, and all is given back."""
    sent = np.arange(1000, dtype=np.uint8)
    stream = device.create_stream()
    pointer, host = device.malloc(sent.nbytes), device.malloc_host(sent.nbytes)
    ctypes.memmove(host, sent.ctypes.data, sent.nbytes)
    device.copy_to_device(pointer, host, sent.nbytes, stream)
    got = np.zeros_like(sent)
    device.copy_to_host(got.ctypes.data, pointer, got.nbytes, stream)
    device.synchronize(stream)
    np.testing.assert_array_equal(got, sent)
    free, total = device.memory_info()
    assert 0 < free < total
    device.free(pointer)
    device.free_host(host)
    device.destroy_stream(stream)


def captured(device: Cuda) -> None:
    """A stream records, and works again when the graph is there."""
    stream = device.create_stream()
    device.begin_capture(stream)
    graph = device.end_capture(stream)
    device.launch(graph, stream)
    device.synchronize(stream)
    device.destroy_graph(graph)
    device.destroy_stream(stream)


@needs_compiler
@pytest.mark.parametrize("flags", [(), ("-DOLD",)], ids=["CUDA 11.4 and newer", "CUDA 10.2"])
def test_ctypes_calls_the_library_as_its_header_says(flags: tuple[str], tmp_path: Path) -> None:
    library = compiled("libcudart.c", tmp_path, *flags)
    device = CtypesCuda(library)
    there_and_back(device)
    captured(device)
    assert number(library, "fake_launches").value == 1
    assert number(library, "fake_alive").value == 0


@needs_compiler
def test_ctypes_passes_sizes_of_64_bits_and_gives_the_message_of_cuda(runtime_library: str) -> None:
    device = CtypesCuda(runtime_library)
    with pytest.raises(SessionError, match=r"cudaMalloc failed: out of memory \(CUDA error 2\)"):
        device.malloc((1 << 33) + 3)
    asked = ctypes.c_size_t.in_dll(ctypes.CDLL(runtime_library), "fake_asked")
    assert asked.value == (1 << 33) + 3
    assert number(runtime_library, "fake_last_error_calls").value == 1
    with pytest.raises(SessionError, match="cudaStreamEndCapture failed: invalid argument"):
        device.end_capture(device.create_stream())


@needs_compiler
def test_a_library_the_driver_is_too_old_for_is_passed_over(
    runtime_library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number(runtime_library, "fake_init_code").value = 35
    older = compiled("libcudart.c", tmp_path, "-DOLD")
    monkeypatch.setattr(cuda_ctypes, "_candidates", lambda: [MISSING, runtime_library, older])
    there_and_back(open_ctypes())
    monkeypatch.setattr(cuda_ctypes, "_candidates", lambda: [MISSING, runtime_library])
    with pytest.raises(SessionError, match=r"^cudaSetDevice failed: driver too old"):
        open_ctypes()


@needs_compiler
def test_the_library_that_is_loaded_already_comes_first(tmp_path: Path) -> None:
    loaded = tmp_path / "libcudart.so.99"
    shutil.copy(compiled("libcudart.c", tmp_path), loaded)
    ctypes.CDLL(str(loaded))
    assert cuda_ctypes._candidates()[0] == str(loaded)


def test_cuda_bindings(bindings: FakeCuda) -> None:
    device = BindingsCuda()
    there_and_back(device)
    captured(device)
    assert bindings.launches == 1
    with pytest.raises(SessionError, match=r"cudaMalloc failed: out of memory \(CUDA error 2\)"):
        device.malloc(1 << 40)
    assert bindings.nothing_left()


def test_pycuda(pycuda: FakeCuda) -> None:
    device = PycudaCuda()
    there_and_back(device)
    stream = device.create_stream()
    with pytest.raises(SessionError, match="pycuda captures no graphs"):
        device.begin_capture(stream)
    with pytest.raises(SessionError, match=r"pycuda: .*out of memory"):
        device.malloc(1 << 40)
    device.destroy_stream(stream)
    assert not (pycuda.memory or pycuda.streams or pycuda.violations)


def test_the_packages_are_tried_in_order(
    bindings: FakeCuda, pycuda: FakeCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_ctypes, "_candidates", lambda: [MISSING])
    assert open_cuda().name == "cuda-bindings"
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    assert open_cuda().name == "pycuda"
    monkeypatch.setitem(sys.modules, "pycuda", None)
    with pytest.raises(SessionError, match=r"ctypes: .*cuda-bindings: .*pycuda: .*pip install"):
        open_cuda()


@needs_compiler
def test_the_probe_reads_the_device(driver: str) -> None:
    assert probe() == CudaDevice("NVIDIA Tegra X1", "5.3", 4156784640)


@needs_compiler
def test_a_driver_that_does_not_start_is_named_with_its_error(driver: str) -> None:
    number(driver, "fake_init_code").value = 100
    with pytest.raises(SessionError, match=r"cuInit gave error 100 \(no CUDA-capable device is"):
        probe()
    number(driver, "fake_init_code").value = 4711
    with pytest.raises(SessionError, match=r"cuInit gave error 4711 \(unknown\)"):
        probe()


@needs_compiler
def test_a_driver_without_a_device_is_an_error(driver: str) -> None:
    number(driver, "fake_devices").value = 0
    with pytest.raises(SessionError, match="no device to offer"):
        probe()


def test_a_machine_without_a_driver_says_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "_DRIVER_NAMES", (MISSING,))
    with pytest.raises(SessionError, match=f"no NVIDIA driver .*{MISSING}.*--backend ort"):
        probe()
