"""A graph in FP32 to one in FP16, and what that graph computes on a device that has FP16.

onnxruntime's own converter rounds every value between two nodes that stay in FP32, which is where
values are that FP16 cannot hold. Here such values are not touched, and a Cast stands only where
precision changes.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from sam2lite.exporter.onnx.trace import opset_of
from sam2lite.exporter.onnx.value_types import value_types

if TYPE_CHECKING:
    import onnx

QDQ = ("QuantizeLinear", "DequantizeLinear")
FP16_SCALES_SINCE = 19  # the first opset in which a scale may be FP16
LEAST_SCALE = float(np.finfo(np.float16).tiny)  # below, FP16 rounds a scale coarsely, or to 0


def to_fp16(model: onnx.ModelProto, pinned: Collection[str]) -> onnx.ModelProto:
    """Return a graph whose nodes compute in FP16; the given one stays as it is.

    Inputs and outputs keep their types. Scales of Q/DQ become FP16 as well where the opset has it:
    in FP32 they would make FP32 of everything between one INT8 layer and the next. Those below
    `LEAST_SCALE` are raised to it, which costs weights of that size half of it at most.

    Args:
        model: in FP32, with its weights inside, its constants initializers.
        pinned: names of the nodes that compute in FP32.

    Raises:
        ExportError: the type of a value cannot be told.
    """
    if opset_of(model) < FP16_SCALES_SINCE:
        pinned = {*pinned, *(node.name for node in model.graph.node if node.op_type in QDQ)}
    return _Halver(model).halve(pinned)


class _Halver:
    """Rewrites a copy of a graph node by node, and makes each Cast once."""

    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx import TensorProto

        self._model = type(model)()
        self._model.CopyFrom(model)
        self._full, self._half = int(TensorProto.FLOAT), int(TensorProto.FLOAT16)
        self._floats = {n for n, kind in value_types(model).items() if kind == self._full}
        self._constants = {tensor.name: tensor for tensor in self._model.graph.initializer}
        self._scales = {node.input[1] for node in model.graph.node if node.op_type in QDQ}
        # Where a value of the FP32 graph is found in a type.
        self._home: dict[tuple[str, int], str] = {
            (value.name, self._full): value.name
            for value in (*self._model.graph.input, *self._model.graph.initializer)
        }
        self._nodes: list[onnx.NodeProto] = []

    def halve(self, pinned: Collection[str]) -> onnx.ModelProto:
        graph = self._model.graph
        outputs = {value.name for value in graph.output}
        for node in graph.node:
            kind = self._full if node.name in pinned else self._half
            node.input[:] = [self._found(n, kind) if n in self._floats else n for n in node.input]
            self._nodes.append(node)
            for index, name in enumerate(node.output):
                if name not in self._floats:
                    continue
                if node.op_type == "Cast":
                    next(a for a in node.attribute if a.name == "to").i = kind
                renamed = name in outputs and kind == self._half
                node.output[index] = f"{name}.fp16" if renamed else name
                self._home[name, kind] = node.output[index]
                if renamed:
                    self._cast(name, self._half, self._full, name)
        used = {name for node in self._nodes for name in node.input}
        constants = [tensor for tensor in self._constants.values() if tensor.name in used]
        del graph.node[:], graph.initializer[:], graph.value_info[:]  # those types are FP32's
        graph.node.extend(self._nodes)
        graph.initializer.extend(constants)
        return self._model

    def _found(self, name: str, kind: int) -> str:
        """Return the name of a value in a type; see to it that it is there."""
        if (name, kind) not in self._home:
            wanted = f"{name}.fp16" if kind == self._half else f"{name}.fp32"
            if name in self._constants:
                self._round(name, wanted)
            else:
                self._cast(name, self._full if kind == self._half else self._half, kind, wanted)
        return self._home[name, kind]

    def _round(self, name: str, rounded: str) -> None:
        from onnx import numpy_helper

        values = numpy_helper.to_array(self._constants[name])
        if name in self._scales:
            values = np.maximum(values, LEAST_SCALE)
        self._constants[rounded] = numpy_helper.from_array(values.astype(np.float16), rounded)
        self._home[name, self._half] = rounded

    def _cast(self, name: str, source: int, target: int, result: str) -> None:
        from onnx import helper

        found = self._home[name, source]
        self._nodes.append(helper.make_node("Cast", [found], [result], f"{result}:cast", to=target))
        self._home[name, target] = result


def with_rounding(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph that computes on a CPU what an FP16 graph does on a device that has FP16.

    onnxruntime has no FP16 kernels for most operators on a CPU: it computes in FP32 and does not
    round in between, so that nothing overflows and nothing is lost. Here every FP16 node computes
    in FP32 (devices accumulate in it, too), and a Cast rounds its result.

    Raises:
        ExportError: the type of a value cannot be told.
    """
    from onnx import TensorProto, helper

    halves = {n for n, kind in value_types(model).items() if kind == TensorProto.FLOAT16}
    copy = type(model)()
    copy.CopyFrom(model)
    nodes: list[onnx.NodeProto] = []
    widened: set[str] = set()

    def wide(name: str) -> str:
        if name not in halves:
            return name
        if name not in widened:
            nodes.append(helper.make_node("Cast", [name], [f"{name}:wide"], to=TensorProto.FLOAT))
            widened.add(name)
        return f"{name}:wide"

    for node in copy.graph.node:
        if node.op_type == "Cast":
            nodes.append(node)
            continue
        node.input[:] = [wide(name) for name in node.input]
        results = [name for name in node.output if name in halves]
        node.output[:] = [f"{n}:exact" if n in halves else n for n in node.output]
        nodes.append(node)
        nodes += [
            helper.make_node("Cast", [f"{n}:exact"], [n], to=TensorProto.FLOAT16) for n in results
        ]
    del copy.graph.node[:], copy.graph.value_info[:]
    copy.graph.node.extend(nodes)
    return copy
