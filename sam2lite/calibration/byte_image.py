"""A convolution that takes the image's bytes as they are: U8 is what they are already."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sam2lite.calibration.observers import Range

if TYPE_CHECKING:
    import onnx

# The byte that stands for zero: near the mean of images, so that little is left to shift.
ZERO = 115
# What the added plane holds above that; its weights are then about as large as the others.
PLANE = 16


class ByteImage(NamedTuple):
    """The image as its convolution takes it.

    Attributes:
        packed: name of the bytes, uint8 `[1, 4, h, w]`: red, green, blue and the plane.
        tensor: name of the same in float, less `ZERO`.
        span: the range of `tensor` in which one step of U8 is one grey level.
    """

    packed: str
    tensor: str
    span: Range


def take_bytes(model: onnx.ModelProto, layers: Container[str]) -> ByteImage | None:
    """Fold the normalisation of a uint8 image into the convolution that takes it, in place.

    The scale of a channel goes into its weights. The shift cannot go into the bias, for beyond the
    border there is none: the convolution pads with zeros. So it goes into the weights of a fourth
    channel, which is one number everywhere and zero beyond the border like the others. The sums
    are what they were. Four channels are also what integer convolutions like: with three, ONNX
    Runtime takes twice as long.

    Args:
        model: a float graph.
        layers: names of the nodes that will compute in INT8.

    Returns:
        the image, or None where none of them is a convolution of a normalised uint8 image.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    images = [x for x in graph.input if x.type.tensor_type.elem_type == TensorProto.UINT8]
    chain = _chain(graph, images[0].name, ("Cast", "Mul", "Add", "Conv")) if images else None
    if chain is None or chain[-1].name not in layers:
        return None
    *normalisation, conv = chain
    image = images[0].name
    arrays = {tensor.name: tensor for tensor in graph.initializer}
    scale_c, shift_c = (
        numpy_helper.to_array(arrays[next(name for name in node.input if name in arrays)]).ravel()
        for node in normalisation[1:]
    )
    weight = numpy_helper.to_array(arrays[conv.input[1]])
    level_c = ZERO * scale_c + shift_c  # of the byte ZERO
    plane_weight = np.tensordot(weight, level_c, axes=([1], [0]))[:, None] / PLANE
    weight = np.concatenate([weight * scale_c[None, :, None, None], plane_weight], axis=1)
    arrays[conv.input[1]].CopyFrom(
        numpy_helper.from_array(weight.astype(np.float32), conv.input[1])
    )
    pads, plane, zero = f"{image}:pads", f"{image}:plane", f"{image}:zero"
    packed, cast, shifted = f"{image}:packed", f"{image}:float", f"{image}:shifted"
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array([0, 0, 0, 0, 0, 1, 0, 0], np.int64), pads),
            numpy_helper.from_array(np.array(ZERO + PLANE, np.uint8), plane),
            numpy_helper.from_array(np.array(ZERO, np.float32), zero),
        ]
    )
    conv.input[0] = shifted
    replaced = {node.name for node in normalisation}
    rest = [node for node in graph.node if node.name not in replaced]
    del graph.node[:]
    graph.node.extend(
        [
            helper.make_node("Pad", [image, pads, plane], [packed], packed),
            helper.make_node("Cast", [packed], [cast], cast, to=TensorProto.FLOAT),
            helper.make_node("Sub", [cast, zero], [shifted], shifted),
            *rest,
        ]
    )
    return ByteImage(packed, shifted, (float(-ZERO), float(255 - ZERO)))


def join_bytes(model: onnx.ModelProto, image: ByteImage) -> None:
    """Take away the way through float between bytes and their codes, which are equal, in place."""
    graph = model.graph
    detour = _chain(graph, image.packed, ("Cast", "Sub", "QuantizeLinear"))
    assert detour is not None  # `take_bytes` and the quantizer have just laid it
    codes = detour[-1].output[0]
    for node in graph.node:
        node.input[:] = [image.packed if name == codes else name for name in node.input]
    gone = {node.name for node in detour}
    rest = [node for node in graph.node if node.name not in gone]
    del graph.node[:]
    graph.node.extend(rest)


def _chain(
    graph: onnx.GraphProto, source: str, kinds: Sequence[str]
) -> list[onnx.NodeProto] | None:
    """Return the nodes of these kinds that follow a value one after the other, alone, or None."""
    found = []
    for kind in kinds:
        users = [node for node in graph.node if source in node.input]
        if len(users) != 1 or users[0].op_type != kind:
            return None
        found.append(users[0])
        source = users[0].output[0]
    return found
