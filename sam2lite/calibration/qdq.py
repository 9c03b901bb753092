"""Render ranges as QuantizeLinear and DequantizeLinear, the way a target wants them.

The nodes are written by onnxruntime's quantizer; ours are the ranges, and which layers they cover.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from sam2lite.calibration.byte_image import join_bytes, take_bytes
from sam2lite.calibration.clipping import drop_relus
from sam2lite.calibration.observers import Range
from sam2lite.errors import CalibrationError
from sam2lite.targets.profile import QdqStyle

if TYPE_CHECKING:
    import onnx

_WEIGHTED = ("Conv", "MatMul", "Gemm")
_LINEAR = ["MatMul", "Gemm"]
_OPERATORS = [*_WEIGHTED, "Add", "Relu"]
# Between these an addition is one of a residual in a convolutional part.
_CONVOLUTIONAL = {"Conv", "Relu", "Add"}


def layers_of(model: onnx.ModelProto, paths: Collection[str]) -> dict[str, str]:
    """Find the nodes that the layers of a graph became.

    Args:
        model: a graph whose nodes are named by the scopes of the trace.
        paths: of the layers, relative to the graph's module.

    Returns:
        The path of its layer by node name, of every convolution and matrix product that is one.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type not in _WEIGHTED or not constants & set(node.input[:2]):
            continue
        # Transposed matrices have lost their names; the scope has not.
        weight = node.input[1].removesuffix(".weight")
        scope = node.name.strip("/").rpartition("/")[0].replace("/", ".")
        # A module whose methods were called, rather than itself, is missing from the scope.
        endings = [path for path in paths if scope and path.endswith(f".{scope}")]
        candidates = [path for path in (weight, scope) if path in paths] or endings
        if candidates:
            found[node.name] = candidates[0]
    return found


def render(
    model: onnx.ModelProto,
    layers: Mapping[str, str],
    ranges: Mapping[str, Range],
    style: QdqStyle,
) -> onnx.ModelProto:
    """Return a graph in which some layers compute in INT8; the given one stays as it is.

    Convolutions hand INT8 on, through ReLU and the residual additions between them. Linear layers
    take INT8 and give float, which costs a CPU nothing and keeps what follows exact.

    Args:
        model: in float, with its weights inside.
        layers: the paths of the layers to quantize, by node name; see `layers_of`.
        ranges: by `<path>:input` and `<path>:output`, relative to the graph's module.
        style: of the target.

    Raises:
        CalibrationError: a range is missing.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    copy = type(model)()
    copy.CopyFrom(model)
    if not layers:
        return copy
    image = take_bytes(copy, layers) if style.activation_dtype == "uint8" else None
    spans = tensor_ranges(copy, layers, ranges)
    if image is not None:
        spans[image.tensor] = image.span
    limits = {
        name: (np.array(least, np.float32), np.array(greatest, np.float32))
        for name, (least, greatest) in spans.items()
    }
    types = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}
    quantizer = QDQQuantizer(
        copy,
        style.per_channel,
        style.weight_bits == 7,
        types[style.weight_dtype],
        types[style.activation_dtype],
        TensorsData(CalibrationMethod.MinMax, limits),
        sorted(_quantized_nodes(copy, layers)),
        [],
        _OPERATORS,
        {
            "ActivationSymmetric": style.activation_zero_point == 0,
            "WeightSymmetric": True,
            "AddQDQPairToWeight": not style.codes_stored,
            "QuantizeBias": style.codes_stored,
            "OpTypesToExcludeOutputQuantization": _LINEAR,
        },
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()  # it has put Q/DQ at the end, against the standard
    rendered: onnx.ModelProto = quantizer.model.model
    if image is not None:
        join_bytes(rendered, image)
    drop_relus(rendered)
    return rendered


def tensor_ranges(
    model: onnx.ModelProto, layers: Mapping[str, str], ranges: Mapping[str, Range]
) -> dict[str, Range]:
    """Return the range of every activation that quantizing some layers touches, by its name.

    Arguments and errors are those of `render`.
    """
    return _tensor_ranges(model, _quantized_nodes(model, layers), layers, ranges)


def _quantized_nodes(model: onnx.ModelProto, layers: Mapping[str, str]) -> set[str]:
    """Return the layers' nodes, and the ReLUs and additions that stand between convolutions."""
    producers = {name: node for node in model.graph.node for name in node.output}
    # A sum that no layer takes has no use for INT8, and nobody has observed it.
    taken = {node.input[0] for node in model.graph.node if node.name in layers}
    chosen = set(layers)
    for node in model.graph.node:  # in topological order
        if node.op_type == "Relu" or (node.op_type == "Add" and node.output[0] in taken):
            sources = [producers.get(name) for name in node.input]
            if all(s and s.op_type in _CONVOLUTIONAL and s.name in chosen for s in sources):
                chosen.add(node.name)
    return chosen


def _tensor_ranges(
    model: onnx.ModelProto,
    nodes: Collection[str],
    layers: Mapping[str, str],
    ranges: Mapping[str, Range],
) -> dict[str, Range]:
    """Return the range of every activation that the chosen nodes touch."""
    found: dict[str, Range] = {}

    def put(tensor: str, key: str) -> None:
        if key in ranges:
            found.setdefault(tensor, ranges[key])

    chosen = [node for node in model.graph.node if node.name in nodes]
    # What goes into a layer is known best: it is what that layer was observed with.
    for node in chosen:
        if node.name in layers:
            put(node.input[0], f"{layers[node.name]}:input")
    for node in chosen:
        if node.op_type == "Conv":
            put(node.output[0], f"{layers[node.name]}:output")
    for node in chosen:
        if node.op_type == "Relu" and node.input[0] in found:
            found.setdefault(node.output[0], (0.0, found[node.input[0]][1]))
    constants = {tensor.name for tensor in model.graph.initializer}
    for node in chosen:
        needed = [*node.input, *([] if node.op_type in _LINEAR else node.output)]
        for tensor in needed:
            if tensor and tensor not in found and tensor not in constants:
                raise CalibrationError(
                    f"there is no range for {tensor}, which {node.name} needs in INT8; calibrate "
                    "with more frames, or keep it in float with --keep-float"
                )
    return found
