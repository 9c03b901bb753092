"""Linear layers as ONNX Runtime's MatMulNBits: four bits a weight in the file and in memory.

The operator is com.microsoft's. It unpacks blocks as it multiplies; with `accuracy_level` 4 it
rounds activations to eight bits, block by block, and multiplies in integers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sam2lite.exporter.ort.own_operators import ORT_DOMAIN, import_own_operators
from sam2lite.exporter.precision.fp16_storage import LEAST_BYTES

if TYPE_CHECKING:
    import onnx

    from sam2lite.calibration.four_bits.grid import Floats
    from sam2lite.calibration.four_bits.layer import FourBitLayer

BITS = 4
FLOAT_ACTIVATIONS, INT8_ACTIVATIONS = 0, 4  # accuracy levels
BLOCKS = (16, 32, 64, 128, 256)  # weights that share a scale, as its kernels take them

_Names = dict[str, str]  # of a layer's constants, by what they are


@dataclass(frozen=True)
class PackedLayers:
    """What became of a graph's linear layers.

    Attributes:
        weights: in four bits.
        bytes: of their codes, scales, zero points and branches, once `store_in_fp16` has
            seen the graph.
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
    lowered: Callable[[str, Floats], FourBitLayer | None],
    accuracy_level: int,
) -> PackedLayers:
    """Replace linear layers of a graph, in place.

    Args:
        model: in float, with its weights inside.
        layers: paths of layers by the names of their nodes; see `layers_of`.
        lowered: gives a layer in four bits, by its path and weight, float32 `[out, in]`, or None
            for one that stays as it is.
        accuracy_level: of the operator.
    """
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    done: dict[str, tuple[FourBitLayer, _Names]] = {}
    paths, nodes, stored, biases = [], [], 0, _Biases(model)
    for node in model.graph.node:
        weight = constants.get(node.input[1]) if node.name in layers else None
        if weight is None or not _is_linear(node, weight):
            nodes.append(node)
            continue
        transposed = node.op_type == "Gemm" and _attribute(node, "transB", 0) == 1
        if weight.name not in done:
            values = numpy_helper.to_array(weight).astype(np.float32)
            found = lowered(layers[node.name], values if transposed else values.T)
            if found is None:
                nodes.append(node)
                continue
            arrays = _arrays(found)
            for name, array in arrays.items():
                tensor = numpy_helper.from_array(array, f"{weight.name}.{name}")
                model.graph.initializer.append(tensor)
            stored += sum(map(_stored_bytes, arrays.values()))
            done[weight.name] = found, {name: f"{weight.name}.{name}" for name in arrays}
        found, names = done[weight.name]
        added = biases.added_to(node, found.bias_o)
        nodes.extend(_nodes(node, found, names, added, accuracy_level))
        paths.append(layers[node.name])
    _put(model, nodes)
    weights = sum(found.packed.codes_oi.size for found, _ in done.values())
    return PackedLayers(weights, stored, tuple(paths))


def _nodes(
    node: onnx.NodeProto,
    layer: FourBitLayer,
    names: _Names,
    biases: list[str],
    accuracy_level: int,
) -> list[onnx.NodeProto]:
    """Return what stands for a linear layer: its product, and what is added to that."""
    from onnx import helper

    outputs, inputs = layer.packed.codes_oi.shape
    added = [*biases]
    made: list[onnx.NodeProto] = []
    if "down" in names:
        small, wide = f"{node.output[0]}.low", f"{node.output[0]}.branch"
        for source, factor, result in ((node.input[0], "down", small), (small, "up", wide)):
            label = f"{node.name}/{factor}"
            made.append(helper.make_node("MatMul", [source, names[factor]], [result], label))
        added.append(wide)
    results = [*(f"{node.output[0]}.part{index}" for index in range(len(added))), node.output[0]]
    made.append(
        helper.make_node(
            "MatMulNBits",
            [node.input[0], *(names[part] for part in ("codes", "scale", "zero") if part in names)],
            [results[0]],
            node.name,
            domain=ORT_DOMAIN,
            K=inputs,
            N=outputs,
            bits=BITS,
            block_size=layer.packed.steps.grid.group,
            accuracy_level=accuracy_level,
        )
    )
    for index, value in enumerate(added):
        label = f"{node.name}/add{index}"
        pair = [results[index], value]
        made.append(helper.make_node("Add", pair, [results[index + 1]], label))
    return made


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


def _arrays(layer: FourBitLayer) -> dict[str, np.ndarray]:
    """Return the constants of a layer by what they are.

    Codes are `[N, blocks, block / 2]`, scales `[N * blocks]`, zero points there if they differ.
    Rows of zero points are padded to whole bytes; the low half of a byte comes first.
    """
    packed = layer.packed
    grid, (outputs, inputs) = packed.steps.grid, packed.codes_oi.shape
    blocks = grid.groups(inputs)
    codes = np.zeros((outputs, blocks * grid.group), np.uint8)
    codes[:, :inputs] = packed.codes_oi
    arrays = {
        "codes": _pairs(codes).reshape(outputs, blocks, grid.group // 2),
        "scale": packed.steps.scale_og.reshape(-1),
    }
    if not grid.symmetric:
        zeros = np.zeros((outputs, blocks + blocks % 2), np.uint8)
        zeros[:, :blocks] = packed.steps.zero_og
        arrays["zero"] = _pairs(zeros).reshape(-1)
    if layer.branch is not None:
        arrays["down"] = np.ascontiguousarray(layer.branch.down_ri.T)
        arrays["up"] = np.ascontiguousarray(layer.branch.up_or.T)
    return arrays


class _Biases:
    """What products of a graph are corrected by, in the biases that are there."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._uses = Counter(name for node in model.graph.node for name in node.input)
        self._takers = {name: node for node in model.graph.node for name in node.input}

    def added_to(self, node: onnx.NodeProto, bias_o: Floats | None) -> list[str]:
        """Return the constants that are to be added to a layer's product."""
        own = [node.input[2]] if node.op_type == "Gemm" and len(node.input) > 2 else []
        if bias_o is None:
            return own
        result = node.output[0]
        taker = self._takers.get(result)
        if not own and taker is not None and taker.op_type == "Add" and self._uses[result] == 1:
            behind = [name for name in taker.input if name in self._constants]
            if len(behind) == 1 and self._uses[behind[0]] == 1 and self._fits(behind[0], bias_o):
                self._put(behind[0], self._values(behind[0]) + bias_o)
                return own
        if own and self._fits(own[0], bias_o):
            bias_o = self._values(own[0]) + bias_o
            own = []
        name = f"{result}.bias"
        self._graph.initializer.add().name = name
        self._constants[name] = self._graph.initializer[-1]
        self._put(name, bias_o)
        return [*own, name]

    def _fits(self, name: str, bias_o: Floats) -> bool:
        return name in self._constants and list(self._constants[name].dims) == list(bias_o.shape)

    def _values(self, name: str) -> Floats:
        from onnx import numpy_helper

        return np.asarray(numpy_helper.to_array(self._constants[name]), np.float32)

    def _put(self, name: str, values: Floats) -> None:
        from onnx import numpy_helper

        self._constants[name].CopyFrom(numpy_helper.from_array(np.asarray(values), name))


def _pairs(codes: np.ndarray) -> np.ndarray:
    joined: np.ndarray = codes[:, 0::2] | codes[:, 1::2] << BITS
    return joined


def _put(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:

    del model.graph.node[:]
    model.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    used |= {output.name for output in model.graph.output}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    import_own_operators(model)
