"""What our code uses of TensorRT, collected by running it against the recording doubles."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sam2lite.contracts.build_plan import GraphPlan
from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.device.tensorrt.builder import Request, build_engine
from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.tensorrt.runtime import TrtRuntime
from sam2lite.runtimes.backends.tensorrt.session import TrtSession
from tests.doubles import tensorrt_builder, tensorrt_runtime
from tests.doubles.cuda import FakeCuda
from tests.doubles.tensorrt_builder import Layer, Scenario

_GRAPH = Scenario(layers=(Layer("/Softmax", "/Softmax"), Layer("/TopK", outputs=("shape",))))
_PARSER_FAILS = Scenario(parser_errors=((3, "Mod", "/Mod", "no importer"),))
_LOGS = (("WARNING", "slow"), ("ERROR", "out of memory"), ("INTERNAL_ERROR", "assertion"))
_FAILS = _GRAPH._replace(builds=False, logs=_LOGS)
_SPEC = GraphSpec("g", (TensorSpec("x_b", "float32", (1,)),), (TensorSpec("y_b", "float32", (1,)),))


def builder_names(release: str) -> set[str]:
    """Return the dotted names that the builder uses with a release, in every way it is asked to.

    Args:
        release: such as `8.2`.
    """
    tensorrt_builder.recorded.clear()
    lacking = set()
    with tempfile.TemporaryDirectory() as folder:
        onnx = Path(folder) / "g.onnx"
        onnx.write_bytes(b"")
        for scenario in (_GRAPH, _PARSER_FAILS, _FAILS):
            trt = tensorrt_builder.make_module(scenario._replace(release=release))
            for request in _requests(str(onnx)):
                try:
                    build_engine(trt, request)
                except SessionError as error:
                    # A release that lacks what is asked for says so. What was used and not asked
                    # for first is a mistake.
                    if isinstance(error.__cause__, tensorrt_builder.AbsentError):
                        lacking.add(error.__cause__.dotted)
    return tensorrt_builder.recorded | lacking


def runtime_names(release: str) -> set[str]:
    """Return the dotted names that the runtime adapter uses with a release.

    Args:
        release: such as `8.2`.
    """
    tensorrt_runtime.recorded.clear()
    cuda = FakeCuda()
    dialect = tensorrt_runtime.BINDINGS if release == "8.2" else tensorrt_runtime.NAMED
    trt = tensorrt_runtime.FakeTensorrt(cuda, dialect)
    tensors = (
        tensorrt_runtime.Tensor("x_b", True, "FLOAT", (1,)),
        tensorrt_runtime.Tensor("y_b", False, "FLOAT", (1,)),
    )
    graph = tensorrt_runtime.Graph(tensors, lambda inputs: {"y_b": inputs["x_b"]})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "g.engine"
        path.write_bytes(trt._register("g", graph))
        with TrtSession(_SPEC, str(path), TrtRuntime(trt, cuda)) as session:
            session.numpy(session.run({"x_b": np.zeros(1, np.float32)})["y_b"])
    return {_of_class(dotted) for dotted in tensorrt_runtime.recorded}


def _requests(onnx: str) -> Iterator[Request]:
    pinned = GraphPlan("g.onnx", ("FP16",), ("/Softmax",))
    yield Request("g", pinned, onnx, None, False, 64, b"t")
    calibrated = GraphPlan("g.onnx", ("FP16", "INT8"), (), "scales")
    yield Request("g", calibrated, onnx, b"scales", False, 64, b"t")
    yield Request("g", GraphPlan("g.onnx"), onnx, None, True, 64, b"")


def _of_class(dotted: str) -> str:
    """Return `DataType.name` for `tensorrt.DataType.FLOAT.name`, which all values have."""
    owner, _, name = dotted[len("tensorrt.") :].rpartition(".")
    return f"{owner.partition('.')[0]}.{name}" if name == "name" else f"{owner}.{name}".lstrip(".")
