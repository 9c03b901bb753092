"""Which values of attributes TensorRT's ONNX parser takes, where it does not take all of them.

Sources are what builtin_op_importers.cpp, onnx2trt_utils.cpp (poolingHelper) and, from 10.0 on,
onnxOpImporters.cpp and onnxOpCheckers.cpp assert at the branches 8.2-GA, 8.4-GA, 8.5-GA, 8.6-GA and
10.1-GA, and the restrictions of docs/operators.md.
"""

from typing import NamedTuple, Optional, Tuple, Union

from sam2lite.targets.tensorrt.limits import EVAL, OLDEST, Version

Value = Union[int, float, str]


class AttributeLimit(NamedTuple):
    """Values of an attribute that some versions take; they take no others.

    Attributes:
        operators: those concerned.
        attribute: its name.
        default: its value where a node does not say it.
        taken: the values; of a list, every element must be one of them.
        why: what the parser asks for.
        remedy: what to change.
        since: the first version that has the limit.
        until: the first version that has it no longer; None where the newest has it.
    """

    operators: Tuple[str, ...]
    attribute: str
    default: Value
    taken: Tuple[Value, ...]
    why: str
    remedy: str
    since: Version = OLDEST
    until: Optional[Version] = None


_RESIZES = ("half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn", "asymmetric")
_CORNERS = "align_corners"

ATTRIBUTE_LIMITS = (
    AttributeLimit(
        ("BatchNormalization",),
        "training_mode",
        0,
        (0,),
        "the graph was exported in training mode, and this takes its mean from the batch",
        EVAL,
    ),
    AttributeLimit(
        ("Pad",),
        "mode",
        "constant",
        ("constant", "reflect", "edge"),
        "there is no padding of this mode",
        "pad with Concat of slices, or with reflect, edge or constant",
        until=(10, 0),
    ),
    AttributeLimit(
        ("Resize",),
        "coordinate_transformation_mode",
        "half_pixel",
        (*_RESIZES, _CORNERS),
        "there is no coordinate transformation of this name",
        "use half_pixel, pytorch_half_pixel, asymmetric or align_corners",
    ),
    AttributeLimit(
        ("Resize",),
        "mode",
        "nearest",
        ("nearest", "linear", "cubic"),
        "there is no interpolation of this name",
        "use nearest or linear",
    ),
    AttributeLimit(
        ("Resize",),
        "keep_aspect_ratio_policy",
        "stretch",
        ("stretch",),
        "sizes are taken as they are, without regard to the aspect ratio",
        "give the sizes that come of it, and keep_aspect_ratio_policy=stretch",
    ),
    AttributeLimit(
        ("Upsample",),
        "mode",
        "nearest",
        ("nearest", "linear"),
        "there is no interpolation of this name",
        "use nearest or linear",
    ),
    AttributeLimit(
        ("AveragePool", "MaxPool", "LpPool"),
        "dilations",
        1,
        (1,),
        "there is no pooling with dilations",
        "pool without dilations",
    ),
    AttributeLimit(
        ("LpNormalization", "LpPool"),
        "p",
        2,
        (1, 2),
        "there are the norms L1 and L2 alone",
        "use p=1 or p=2",
    ),
    AttributeLimit(
        ("GridSample",),
        "mode",
        "bilinear",
        ("bilinear", "nearest", "bicubic"),
        "the names of opset 20 are read as nearest, without a word",
        "export with --opset 19 or less: bilinear and bicubic are known",
        since=(10, 0),
    ),
    AttributeLimit(
        ("LSTM",),
        "input_forget",
        0,
        (0,),
        "coupled gates are not known",
        "export with input_forget=0",
    ),
    AttributeLimit(
        ("GRU", "LSTM", "RNN"),
        "layout",
        0,
        (0,),
        "the batch cannot come first",
        "transpose before and after, and use layout=0",
    ),
    AttributeLimit(
        ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
        "dtype",
        1,
        (1, 10),
        "random numbers are FP32 or FP16",
        "use dtype=1",
    ),
)


def attribute_limits_of(operator: str, version: Version) -> Tuple[AttributeLimit, ...]:
    """Return the attributes of an operator of which a version does not take every value."""
    return tuple(
        limit
        for limit in ATTRIBUTE_LIMITS
        if operator in limit.operators
        and limit.since <= version
        and (limit.until is None or version < limit.until)
    )
