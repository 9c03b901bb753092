"""TensorRT adapter.

Engines are built on the device that runs them (`device.pyz build`); here they are opened once and
run. Features and memory stay on the device from graph to graph: what a session gives is a handle,
and its buffer is what the next session reads. What a session puts on the stream is captured as a
CUDA graph where it repeats; SAM2LITE_CUDA_GRAPHS=0 in the environment turns that off.

Checked with doubles of TensorRT and CUDA. Built, not run on a device.
"""

from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple

import numpy as np

from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.tensorrt.cuda import probe
from sam2lite.runtimes.backends.tensorrt.device_tensor import DeviceTensor, HostInput, OutputPool
from sam2lite.runtimes.backends.tensorrt.engine import check_tensors, open_engine
from sam2lite.runtimes.backends.tensorrt.engines import find_engine, read_plan
from sam2lite.runtimes.backends.tensorrt.replay import Replay
from sam2lite.runtimes.backends.tensorrt.runtime import TrtRuntime, import_tensorrt, shared_runtime
from sam2lite.runtimes.session import Session

if TYPE_CHECKING:
    from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice
    from sam2lite.runtimes.bundle import Bundle


def is_available() -> Tuple[bool, str]:
    """Say whether TensorRT can be used, and which one on which device, or why not."""
    try:
        version, device = here()
    except SessionError as error:
        return False, str(error)
    return True, "tensorrt {} on {} (compute capability {})".format(
        version, device.name, device.compute_capability
    )


def here() -> "Tuple[str, CudaDevice]":
    """Return the version of TensorRT and the device that engines run with here.

    Raises:
        SessionError: there is no TensorRT, or no device.
    """
    return str(import_tensorrt().__version__), probe()


def open_session(
    bundle: "Bundle", key: str, threads: Optional[int] = None, provider: Optional[str] = None
) -> "TrtSession":
    """Open the engine of a graph, if this board built it.

    Args:
        bundle: for TensorRT.
        key: of the graph in the manifest.
        threads: not used; the GPU does the work.
        provider: not used; there is one way to run an engine.

    Raises:
        BundleError: the engine is not built, or was built elsewhere, from other files or by another
            TensorRT.
        SessionError: TensorRT or CUDA cannot be used, or cannot load the engine.
    """
    return TrtSession(bundle.manifest.graphs[key].spec, check_graph(bundle, key))


def check_graph(bundle: "Bundle", key: str) -> str:
    """Return the path of a graph's engine, which may be loaded.

    Args:
        bundle: for TensorRT.
        key: of the graph in the manifest.

    Raises:
        BundleError: see `open_session`.
        SessionError: TensorRT or CUDA cannot be used.
    """
    version, device = here()
    plan = read_plan(bundle.path)
    return find_engine(bundle.path, bundle.manifest, plan, key, version, device)


class TrtSession(Session):
    """One engine, on the stream that all sessions share."""

    def __init__(self, spec: GraphSpec, path: str, runtime: Optional[TrtRuntime] = None) -> None:
        """Open an engine file.

        Args:
            spec: the graph's bound spec.
            path: of the engine.
            runtime: what to run it on; what this process shares if not given.

        Raises:
            SessionError: TensorRT or CUDA cannot be used, the engine is missing or for another
                device or version, or its tensors are not those of the spec.
        """
        super().__init__(spec)
        self._runtime = runtime or shared_runtime()
        self._plan = self._runtime.load(path)
        self._engine = open_engine(self._runtime.tensorrt, self._plan)
        check_tensors(self._engine.tensors, spec, path)
        self._arrays = {tensor.name: HostInput(self._runtime, tensor) for tensor in spec.inputs}
        self._pools = {tensor.name: OutputPool(self._runtime, tensor) for tensor in spec.outputs}
        self.replay = Replay(self._runtime)
        self._runtime.sessions.add(self)

    def _numpy(self, handle: Any) -> np.ndarray:
        """Return a handle's host array: one copy, made when it is first asked for."""
        if handle.host is None:
            runtime = self._runtime
            array = np.empty(handle.shape, handle.dtype)
            with runtime.lock:
                runtime.check()
                runtime.cuda.copy_to_host(
                    array.ctypes.data, handle.pointer, array.nbytes, runtime.stream
                )
                runtime.put()
                runtime.wait()
            handle.host = array
        host: np.ndarray = handle.host
        return host

    def _describe(self, value: Any) -> Tuple[str, Tuple[int, ...]]:
        if isinstance(value, np.ndarray):
            return value.dtype.name, value.shape
        if isinstance(value, DeviceTensor):
            return value.dtype, value.shape
        raise SessionError(
            "{} takes arrays and what TensorRT sessions give; got {}".format(
                self.spec.name, type(value).__name__
            )
        )

    def _run(self, inputs: Mapping[str, Any]) -> Dict[str, Any]:
        runtime = self._runtime
        with runtime.lock:
            runtime.check()
            outputs = {name: pool.take() for name, pool in self._pools.items()}
            address_of = {name: tensor.pointer for name, tensor in outputs.items()}
            for name, value in inputs.items():
                if isinstance(value, DeviceTensor):
                    address_of[name] = value.pointer
                else:
                    address_of[name] = self._arrays[name].upload(value)
            addresses = tuple(address_of[tensor.name] for tensor in self._engine.tensors)
            self.replay.run(addresses, lambda: self._enqueue(addresses))
            runtime.put()
        return outputs

    def _enqueue(self, addresses: Tuple[int, ...]) -> None:
        if not self._engine.enqueue(addresses, self._runtime.stream):
            raise SessionError(
                "TensorRT failed in {}{}".format(self.spec.name, self._runtime.take_error())
            )

    def _close(self) -> None:
        runtime = self._runtime
        if not runtime.usable:
            return
        with runtime.lock:
            runtime.settle()
            self.replay.close()
            del self._engine, self._plan
            for pool in self._pools.values():
                pool.close()
            for array in self._arrays.values():
                array.close()
