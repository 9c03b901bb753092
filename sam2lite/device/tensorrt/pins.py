"""The layers that TensorRT's parser made of an ONNX node, and keeping them in FP32.

onnx/onnx-tensorrt names the first layer of a node like the node. A further one gets `_<number>`
after that (`ImporterContext::generateUniqueName`, 8.2-GA to 10.1-GA). From 8.6 on every layer says
its node in its metadata, as `[ONNX Layer: <node>` and then ` | ...` or `]` (`processMetadata`).
"""

import re
from typing import Any, Iterable, Optional, Set

_METADATA = re.compile(r"^\[ONNX Layer: (.*?)(?: \| .*)?\]$", re.DOTALL)
_SUFFIX = re.compile(r"^(.+)_\d+$", re.DOTALL)


def pin_to_fp32(trt: Any, network: Any, nodes: Iterable[str], onnx_file: bytes) -> Set[str]:
    """Make the layers of nodes compute in FP32 and give FP32.

    Left as they are: integer, boolean and shape outputs, constants, and outputs whose type the
    parser set (those of a Cast).

    Args:
        trt: the module.
        network: a parsed network.
        nodes: names of ONNX nodes.
        onnx_file: the graph's bytes, weights not among them.

    Returns:
        the nodes of which a layer was found.
    """
    wanted = set(nodes)
    found: Set[str] = set()
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        node = node_of(layer, wanted, onnx_file)
        if node in wanted:
            found.add(str(node))
            _pin(trt, layer)
    return found


def node_of(layer: Any, wanted: Set[str], onnx_file: bytes) -> Optional[str]:
    """Return the name of the node that a layer was made of; None where it cannot be told.

    Args:
        layer: of a parsed network.
        wanted: names of nodes that matter.
        onnx_file: the graph's bytes.
    """
    said = _METADATA.match(getattr(layer, "metadata", "") or "")
    if said:
        return said.group(1)
    name = str(layer.name)
    further = _SUFFIX.match(name)
    # `/Add_1` is either a second layer of `/Add`, or a node of its own, as exporters name them.
    if name not in wanted and further and not is_node(onnx_file, name):
        return further.group(1)
    return name


def is_node(onnx_file: bytes, name: str) -> bool:
    """Return whether a graph has a node of this name.

    The name of a node is field 3 of `NodeProto`: the byte 0x1A, the length, the text. Another
    message with the same field and text counts as well.
    """
    text = name.encode("utf-8")
    length, varint = len(text), b""
    while length > 0x7F:
        varint += bytes((length & 0x7F | 0x80,))
        length >>= 7
    return b"\x1a" + varint + bytes((length,)) + text in onnx_file


def _pin(trt: Any, layer: Any) -> None:
    floats = (trt.DataType.FLOAT, trt.DataType.HALF)
    outputs = [layer.get_output(index) for index in range(layer.num_outputs)]
    typed = [
        index
        for index, tensor in enumerate(outputs)
        if tensor.dtype in floats
        and not tensor.is_shape_tensor
        and not layer.output_type_is_set(index)
    ]
    if layer.num_inputs == 0 or not typed:  # a layer without inputs is a constant
        return
    layer.precision = trt.DataType.FLOAT
    for index in typed:
        layer.set_output_type(index, trt.DataType.FLOAT)
