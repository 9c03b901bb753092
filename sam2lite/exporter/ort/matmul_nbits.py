"""Linear layers as ONNX Runtime's MatMulNBits: four bits a weight in the file and in memory.

The operator is com.microsoft's. It unpacks blocks as it multiplies; with `accuracy_level` 4 it
rounds activations to eight bits, block by block, and multiplies in integers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sam2lite.exporter.precision.fp16_storage import LEAST_BYTES

if TYPE_CHECKING:
    import onnx

    from sam2lite.calibration.four_bits.grid import Floats, Packed

DOMAIN = "com.microsoft"
BITS = 4
FLOAT_ACTIVATIONS, INT8_ACTIVATIONS = 0, 4  # accuracy levels
LEAST_BLOCK = 16  # of the operator, which takes powers of two from there on


@dataclass(frozen=True)
class PackedLayers:
    """What became of a graph's linear layers.

    Attributes:
        weights: in four bits.
        bytes: of their codes, scales and zero points, once `store_in_fp16` has seen the graph.
        layers: paths.
    """

    weights: int
    bytes: int
    layers: tuple[str, ...]

    @property
    def bits_a_weight(self) -> float:
        """Of the file."""
        return 8 * self.bytes / self.weights if self.weights else 0.0


def pack(
    model: onnx.ModelProto,
    layers: Mapping[str, str],
    packed: Callable[[str, Floats], Packed | None],
    accuracy_level: int,
) -> PackedLayers:
    """Replace linear layers of a graph, in place.

    Args:
        model: in float, with its weights inside.
        layers: paths of layers by the names of their nodes; see `layers_of`.
        packed: gives a layer's weight, by its path and float32 `[out, in]`, in four bits, or None
            for one that stays as it is.
        accuracy_level: of the operator.
    """
    from onnx import helper, numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    done: dict[str, tuple[list[str], Packed]] = {}
    paths, nodes = [], []
    for node in model.graph.node:
        weight = constants.get(node.input[1]) if node.name in layers else None
        if weight is None or not _is_linear(node, weight):
            nodes.append(node)
            continue
        transposed = node.op_type == "Gemm" and _attribute(node, "transB", 0) == 1
        if weight.name not in done:
            values = numpy_helper.to_array(weight).astype(np.float32)
            found = packed(layers[node.name], values if transposed else values.T)
            if found is None:
                nodes.append(node)
                continue
            done[weight.name] = _constants(weight.name, found), found
            for name, array in zip(done[weight.name][0], _arrays(found), strict=True):
                model.graph.initializer.append(numpy_helper.from_array(array, name))
        names, found = done[weight.name]
        outputs, inputs = found.codes_oi.shape
        has_bias = node.op_type == "Gemm" and len(node.input) > 2
        result = f"{node.output[0]}_unbiased" if has_bias else node.output[0]
        nodes.append(
            helper.make_node(
                "MatMulNBits",
                [node.input[0], *names],
                [result],
                node.name,
                domain=DOMAIN,
                K=inputs,
                N=outputs,
                bits=BITS,
                block_size=found.steps.grid.group,
                accuracy_level=accuracy_level,
            )
        )
        if has_bias:
            nodes.append(
                helper.make_node("Add", [result, node.input[2]], [node.output[0]], f"{node.name}/b")
            )
        paths.append(layers[node.name])
    _put(model, nodes)
    sizes = [_stored_bytes(array) for _, found in done.values() for array in _arrays(found)]
    weights = sum(found.codes_oi.size for _, found in done.values())
    return PackedLayers(weights, sum(sizes), tuple(paths))


def _stored_bytes(array: np.ndarray) -> int:
    is_halved = array.dtype == np.float32 and array.nbytes >= LEAST_BYTES
    return array.nbytes // 2 if is_halved else array.nbytes


def _is_linear(node: onnx.NodeProto, weight: onnx.TensorProto) -> bool:
    if len(weight.dims) != 2:
        return False
    if node.op_type == "MatMul":
        return True
    plain = _attribute(node, "alpha", 1.0) == _attribute(node, "beta", 1.0) == 1.0
    return node.op_type == "Gemm" and plain and _attribute(node, "transA", 0) == 0


def _attribute(node: onnx.NodeProto, name: str, default: float) -> float:
    from onnx import helper

    for attribute in node.attribute:
        if attribute.name == name:
            return float(helper.get_attribute_value(attribute))
    return default


def _constants(weight: str, packed: Packed) -> list[str]:
    names = [f"{weight}.codes", f"{weight}.scale"]
    return names if packed.steps.grid.symmetric else [*names, f"{weight}.zero"]


def _arrays(packed: Packed) -> list[np.ndarray]:
    """Return codes `[N, blocks, block / 2]`, scales `[N * blocks]`, and zero points if they differ.

    Rows of zero points are padded to whole bytes; the low half of a byte comes first.
    """
    grid, (outputs, inputs) = packed.steps.grid, packed.codes_oi.shape
    blocks = grid.groups(inputs)
    codes = np.zeros((outputs, blocks * grid.group), np.uint8)
    codes[:, :inputs] = packed.codes_oi
    arrays = [
        _pairs(codes).reshape(outputs, blocks, grid.group // 2),
        packed.steps.scale_og.reshape(-1),
    ]
    if not grid.symmetric:
        zeros = np.zeros((outputs, blocks + blocks % 2), np.uint8)
        zeros[:, :blocks] = packed.steps.zero_og
        arrays.append(_pairs(zeros).reshape(-1))
    return arrays


def _pairs(codes: np.ndarray) -> np.ndarray:
    joined: np.ndarray = codes[:, 0::2] | codes[:, 1::2] << BITS
    return joined


def _put(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    from onnx import helper

    del model.graph.node[:]
    model.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    used |= {output.name for output in model.graph.output}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    if not any(entry.domain == DOMAIN for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
