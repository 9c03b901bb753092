"""What our code uses of TensorRT, collected by running it against the recording doubles."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sam2lite.contracts.build_plan import GraphPlan
from sam2lite.device.tensorrt_builder import Request, build_engine
from sam2lite.errors import SessionError
from tests.doubles import tensorrt_builder as double
from tests.doubles.tensorrt_builder import Layer, Scenario

_GRAPH = Scenario(layers=(Layer("/Softmax", "/Softmax"), Layer("/TopK", outputs=("shape",))))
_PARSER_FAILS = Scenario(parser_errors=((3, "Mod", "/Mod", "no importer"),))
_LOGS = (("WARNING", "slow"), ("ERROR", "out of memory"), ("INTERNAL_ERROR", "assertion"))
_FAILS = _GRAPH._replace(builds=False, logs=_LOGS)


def used_names(release: str) -> set[str]:
    """Return the dotted names that our code uses with a release.

    Args:
        release: such as `8.2`.
    """
    double.recorded.clear()
    with tempfile.TemporaryDirectory() as folder:
        onnx = Path(folder) / "g.onnx"
        onnx.write_bytes(b"")
        for scenario in (_GRAPH, _PARSER_FAILS, _FAILS):
            trt = double.make_module(scenario._replace(release=release))
            for request in _requests(str(onnx)):
                # A release that lacks what is asked for says so; what it was asked for counts.
                with suppress(SessionError):
                    build_engine(trt, request)
    return set(double.recorded)


def _requests(onnx: str) -> Iterator[Request]:
    pinned = GraphPlan("g.onnx", ("FP16",), ("/Softmax",))
    yield Request("g", pinned, onnx, None, False, 64, b"t")
    calibrated = GraphPlan("g.onnx", ("FP16", "INT8"), (), "scales")
    yield Request("g", calibrated, onnx, b"scales", False, 64, b"t")
    yield Request("g", GraphPlan("g.onnx"), onnx, None, True, 64, b"")
