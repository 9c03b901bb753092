"""Engines that compute what FP16 computes, and wrong numbers in the nodes that the test names."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from sam2lite.contracts.build_plan import FP16
from sam2lite.device.tensorrt.builder import Built, Request
from sam2lite.exporter.onnx.value_types import value_types
from sam2lite.exporter.precision.fp16_convert import to_fp16, with_rounding
from tests.doubles.tensorrt_runtime import FakeTensorrt

WRONG_BY = 1.5  # a factor


class FaultyBuild:
    """Builds an engine of `FakeTensorrt` out of a request, in either form of FP16.

    Attributes:
        culprits: names of nodes that give wrong numbers wherever they compute in FP16.
        always: names of nodes that give wrong numbers in FP32 as well.
        requests: those so far.
    """

    def __init__(
        self,
        tensorrt: FakeTensorrt,
        scratch: Path,
        culprits: Collection[str] = (),
        always: Collection[str] = (),
    ) -> None:
        self._tensorrt, self._scratch = tensorrt, scratch
        self.culprits, self.always = set(culprits), set(always)
        self.requests: list[Request] = []

    def __call__(
        self, trt: Any, request: Request, say: Callable[[str], None] | None = None
    ) -> Built:
        assert trt is self._tensorrt
        self.requests.append(request)
        model = onnx.load(request.onnx_path)
        if not request.strongly_typed and FP16 in request.plan.flags:
            model = to_fp16(model, request.plan.fp32_nodes)
        kinds = value_types(model)
        in_half = {
            node.name
            for node in model.graph.node
            if any(kinds.get(name) == TensorProto.FLOAT16 for name in (*node.input, *node.output))
        }
        wrong = (self.culprits & in_half) | self.always
        path = self._scratch / f"engine-{len(self.requests)}.onnx"
        onnx.save(_spoilt(with_rounding(model), wrong), path)
        return Built(self._tensorrt._engine_bytes(str(path)), b"timings", ())

    def built(self, key: str) -> int:
        """Return how often a graph was built."""
        return sum(request.key == key for request in self.requests)


def _spoilt(model: onnx.ModelProto, wrong: Collection[str]) -> onnx.ModelProto:
    """Return a graph of FP32 nodes in which what some nodes give is multiplied by `WRONG_BY`."""
    nodes = []
    for node in model.graph.node:
        nodes.append(node)
        if node.name in wrong:
            given = node.output[0]
            node.output[0] = given + ":right"
            nodes.append(helper.make_node("Mul", [given + ":right", "wrong_by"], [given]))
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.append(
        helper.make_tensor("wrong_by", TensorProto.FLOAT, [], [WRONG_BY])
    )
    return model
