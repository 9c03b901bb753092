"""OpenVINO adapter: ONNX graphs, compiled for a CPU, a GPU or an NPU of Intel's.

Every setting that changes what is computed is given: OpenVINO's own choice of arithmetic is BF16 or
FP16 where the device has it.
"""

import os
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.onnx_external import check_external
from sam2lite.runtimes.backends.openvino.devices import CPU, Placement, placement_of
from sam2lite.runtimes.backends.openvino.loading import (
    judge_openvino,
    message_of,
    require_openvino,
)
from sam2lite.runtimes.cache import cache_dir
from sam2lite.runtimes.session import Session, check_claim

if TYPE_CHECKING:
    from sam2lite.runtimes.bundle import Bundle

_DTYPES = {"f32": "float32", "f16": "float16", "u8": "uint8", "i32": "int32", "i64": "int64"}


def is_available() -> Tuple[bool, str]:
    """Say whether OpenVINO can be used, and which one with which devices, or why not."""
    available, said = judge_openvino()
    if available:
        devices = require_openvino().Core().available_devices
        said = "{}, devices: {}".format(said, ", ".join(devices) or "none")
    return available, said


def open_session(
    bundle: "Bundle", key: str, threads: Optional[int] = None, provider: Optional[str] = None
) -> "OpenVinoSession":
    """Open one graph of a bundle.

    What was compiled is kept in the cache folder, so that the next start takes less long.

    Args:
        bundle: of a backend whose graphs are ONNX, for OpenVINO.
        key: of the graph in the manifest.
        threads: on a CPU; the target's default if not given.
        provider: see `devices.placement_of`.

    Raises:
        BundleError: the graph has weights in a file that the manifest does not list, or the
            manifest does not say where it may run.
        SessionError: OpenVINO or the device is not here, or cannot load the graph, or finds other
            tensors in it than the manifest says.
    """
    path = check_graph(bundle, key)
    core = require_openvino().Core()
    placement = placement_of(bundle, key, provider, core)
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_PRECISION_HINT": placement.float_type,
    }
    if placement.device == CPU:
        settings["INFERENCE_NUM_THREADS"] = str(threads or bundle.default_threads())
    kept = _cache_folder(bundle.sha256) if bundle.is_kept else None
    if kept is not None:
        settings["CACHE_DIR"] = kept
    return OpenVinoSession(bundle.manifest.graphs[key].spec, path, core, placement, settings)


def check_graph(bundle: "Bundle", key: str) -> str:
    """Return the path of a graph's file, which may be loaded.

    Args:
        bundle: of a backend whose graphs are ONNX.
        key: of the graph in the manifest.

    Raises:
        BundleError: the graph has weights in a file that the manifest does not list.
        SessionError: OpenVINO cannot be used.
    """
    require_openvino()
    path = bundle.graph_path(key)
    check_external(path, bundle.manifest.graphs[key].file, bundle.manifest.files)
    return path


class OpenVinoSession(Session):
    """One graph on one device. Handles are arrays: what a run gives is written into new ones.

    So nothing is copied on a CPU, and the next run does not write over what this one gave.
    """

    def __init__(
        self,
        spec: GraphSpec,
        path: str,
        core: Any,
        placement: Placement,
        settings: Mapping[str, str],
    ) -> None:
        """Load and compile a graph file.

        Args:
            spec: the graph's bound spec.
            path: of the .onnx file; external data lies beside it.
            core: OpenVINO's.
            placement: where it runs, and in which arithmetic.
            settings: of OpenVINO.

        Raises:
            SessionError: the file cannot be loaded or compiled, or has other tensors than the spec.
        """
        super().__init__(spec)
        openvino = require_openvino()
        self.placement = placement
        self._tensor = openvino.Tensor
        try:
            model = _read_onnx(openvino, path)
            compiled = core.compile_model(model, placement.device, dict(settings))
            self._request = compiled.create_infer_request()
        except Exception as error:  # OpenVINO's own errors are RuntimeErrors, and others
            raise SessionError("OpenVINO cannot load {}: {}".format(path, message_of(error)))
        check_claim(spec, _tensors(compiled, spec), path)

    def _describe(self, value: Any) -> Tuple[str, Tuple[int, ...]]:
        return value.dtype.name, value.shape

    def _run(self, inputs: Mapping[str, Any]) -> Dict[str, Any]:
        # OpenVINO takes memory as it lies there, and none that must not be written.
        given = {name: np.require(value, None, ["C", "W"]) for name, value in inputs.items()}
        outputs = {
            tensor.name: np.empty([int(side) for side in tensor.shape], tensor.dtype)
            for tensor in self.spec.outputs
        }
        try:
            for name, array in list(given.items()) + list(outputs.items()):
                self._request.set_tensor(name, self._tensor(array, shared_memory=True))
            self._request.infer()
        except Exception as error:  # OpenVINO's own errors are RuntimeErrors, and others
            raise SessionError(
                "OpenVINO failed in {}: {}".format(self.spec.name, message_of(error))
            )
        return outputs

    def _close(self) -> None:
        del self._request


def _read_onnx(openvino: Any, path: str) -> Any:
    """Return a graph, read by OpenVINO's reader of ONNX: its `read_model` would try all others."""
    reader = openvino.frontend.FrontEndManager().load_by_framework("onnx")
    return reader.convert(reader.load(path))


def _cache_folder(sha256: str) -> Optional[str]:
    """Return where compiled graphs of a bundle are kept; None where nothing can be written."""
    folder = os.path.join(cache_dir(), "openvino", sha256[:16])
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def _tensors(compiled: Any, spec: GraphSpec) -> List[Tuple[TensorSpec, bool]]:
    """Return the inputs and outputs that OpenVINO found, and which of them are inputs."""
    known = set(spec.input_names) | set(spec.output_names)
    found = []
    for ports, is_input in ((compiled.inputs, True), (compiled.outputs, False)):
        for port in ports:
            names = sorted(port.get_names())
            name = next((each for each in names if each in known), names[0] if names else "")
            kind = port.get_element_type().get_type_name()
            shape = port.get_partial_shape()
            sides = [side.get_length() if side.is_static else str(side) for side in shape]
            found.append((TensorSpec(name, _DTYPES.get(kind, kind), tuple(sides)), is_input))
    return found
