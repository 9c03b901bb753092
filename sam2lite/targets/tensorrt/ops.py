"""What TensorRT's ONNX parser takes, from TensorRT 8.2 to 11.

The parser is the open project onnx/onnx-tensorrt. Sources are its docs/operators.md at the branches
8.2-GA (f42daee), 8.4-GA (63d626b), 8.5-GA (fdeeaca), 8.6-GA (ee0b139) and 10.1-GA (96e7811) and at
6bde6596 (10.16) and 7c51a63a (11.1), its docs/Changelog.md, and builtin_op_importers.cpp where
these say less than the code does. What happens when an engine is built, they do not say.
Forms are in `limits.py`, types of inputs in `types.py`, values of
attributes in `attributes.py`.
"""

from typing import Dict, NamedTuple, Optional, Tuple

from sam2lite.errors import ArgumentError
from sam2lite.targets.profile import Fact
from sam2lite.targets.tensorrt.limits import LIMITS, LOWER, OLDEST, Limit, Version
from sam2lite.targets.tensorrt.types import BYTES_SINCE, INT64_SINCE

# Since when a network may be built with the types that stand in its graph, as 11 does always.
# docs.nvidia.com, TensorRT 10.0, strongly typed networks.
STRONGLY_TYPED_SINCE = (10, 0)
# Since when INT8 is written with Q/DQ here; before, a file has the scale of every tensor. Parsers
# from 8.0 on read Q/DQ, but 8.5 is the first that is known to build networks like ours from it.
QDQ_SINCE = (8, 5)
_NEWEST = (11, 99)

# The newest opset that each parser knows, from the version named on. docs/operators.md; of 10.9 and
# 10.13: docs.nvidia.com, ONNX opset guide. Pages on 11.x name 25, the parser's own file at 11.1 24.
_OPSETS = (((8, 2), 13), ((8, 4), 17), ((10, 0), 20), ((10, 9), 22), ((10, 13), 24))
_OPSETS_SOURCE = "onnx/onnx-tensorrt, docs/operators.md; 10.9 and 10.13: NVIDIA, ONNX opset guide"

# The opset to export at, from the version named on, and why not a newer one.
_EXPORT_OPSETS = (
    ((8, 2), 13, "the newest that this parser knows"),
    ((8, 4), 16, "the parser knows 17, but not its LayerNormalization, which 16 writes out"),
    ((8, 6), 17, "LayerNormalization stays one operator; newer opsets give our graphs nothing"),
    ((10, 0), 19, "the parser knows 20; from 19 on scales of Q/DQ may be FP16"),
)

_IN_8_2 = """
Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Cast
Ceil Celu Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DepthToSpace
DequantizeLinear Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather
GatherElements GatherND Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual
HardSigmoid Identity If InstanceNormalization IsNaN LRN LSTM LeakyRelu Less LessOrEqual Log
LogSoftmax Loop LpNormalization LpPool MatMul Max MaxPool Mean Min Mul Neg NonMaxSuppression Not
Or PRelu Pad Pow QuantizeLinear RNN RandomUniform RandomUniformLike Range ReduceL1 ReduceL2
ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
Relu Reshape Resize ReverseSequence Round Scan Scatter ScatterElements ScatterND Selu Shape
Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum
Tan Tanh ThresholdedRelu Tile TopK Transpose Unsqueeze Upsample Where
"""
_LATER = {
    (8, 4): "Shrink Xor",
    (8, 5): "GridSample HardSwish MeanVarianceNormalization Mod NonZero OneHot RandomNormal "
    "RandomNormalLike Reciprocal RoiAlign Trilu",
    (8, 6): "GroupNormalization IsInf LayerNormalization",
    (10, 0): "CastLike Gelu Hardmax Mish",
    (10, 1): "DeformConv",
    (10, 4): "BlackmanWindow HammingWindow HannWindow",
    (10, 5): "STFT",
    (10, 14): "Attention",
    (10, 15): "RMSNormalization RotaryEmbedding TensorScatter",
}
# Since which version an operator of the default domain is taken; one that is not here never is.
OPERATORS: Dict[str, Version] = dict.fromkeys(_IN_8_2.split(), OLDEST)
for _version, _names in _LATER.items():
    OPERATORS.update(dict.fromkeys(_names.split(), _version))

_QOPERATOR = "write INT8 with QuantizeLinear and DequantizeLinear around float operators"
# How to do without an operator that a version does not take.
REMEDIES = {
    "LayerNormalization": LOWER
    + "with ReduceMean and Sqrt, unless its mean is an output; or export "
    "with --opset 16 or less",
    "GroupNormalization": "export with --opset 17 or less: it becomes InstanceNormalization",
    "Gelu": LOWER + "with Erf or Tanh; or export with --opset 19 or less",
    "HardSwish": LOWER + "with HardSigmoid and Mul; or export with --opset 13",
    "Mod": LOWER + "with Div, Mul and Sub, where it is of int32, int64 or floats",
    "Trilu": LOWER + "with Where and a constant mask, where the diagonal is a constant",
    "OneHot": LOWER + "as Equal against a constant range, where depth and values are constants",
    "NonZero": "its shape depends on the data; choose a fixed number by TopK",
    "Reciprocal": LOWER + "as Div",
    "IsInf": LOWER + "as Equal with infinity",
    "GridSample": "write it with Gather at computed corners",
    "Attention": "export with --opset 22 or less: it becomes MatMul and Softmax",
    "RMSNormalization": "export with --opset 22 or less: it becomes ReduceMean, Sqrt and Div",
    "RotaryEmbedding": "export with --opset 22 or less: it becomes Sin, Cos and Mul",
    "QLinearConv": _QOPERATOR,
    "QLinearMatMul": _QOPERATOR,
    "ConvInteger": _QOPERATOR,
    "MatMulInteger": _QOPERATOR,
    "DynamicQuantizeLinear": "calibrate ranges before export instead of taking them at run time",
}


class BorderType(NamedTuple):
    """How a type fares as input or output of a graph, by its ONNX name.

    Attributes:
        since: the first version that takes it; None where none does.
        why: what happens before.
        remedy: what to change.
    """

    since: Optional[Version]
    why: str
    remedy: str


_FLOAT_INSTEAD = "use float32 at the border"
# A type that is not here is taken by no version.
BORDER_TYPES = {
    "FLOAT": BorderType(OLDEST, "", ""),
    "FLOAT16": BorderType(OLDEST, "", ""),
    "INT32": BorderType(OLDEST, "", ""),
    "INT8": BorderType(OLDEST, "", ""),
    "BOOL": BorderType(OLDEST, "", ""),
    "UINT8": BorderType(
        BYTES_SINCE,
        "the parser has no type for it",
        "give images as float32, still 0 to 255, as `sam2lite-export lower` does",
    ),
    "INT64": BorderType(
        INT64_SINCE,
        "the parser makes it INT32 without asking",
        "use int32 at the border, as `sam2lite-export lower` does",
    ),
    "BFLOAT16": BorderType((9, 0), "the parser has no type for it", _FLOAT_INSTEAD),
    "DOUBLE": BorderType(None, "the parser makes it FLOAT without asking", _FLOAT_INSTEAD),
}


def read_version(text: str) -> Version:
    """Return major and minor of a TensorRT version.

    Args:
        text: as in `8.2.1` or `10.3`.

    Raises:
        ArgumentError: it is not a version, or older than what is known here.
    """
    parts = text.split(".")
    if len(parts) < 2 or not all(part.isdecimal() for part in parts):
        raise ArgumentError(
            "TensorRT version is {!r}; give major and minor, as in 8.2 or 10.3".format(text)
        )
    version = int(parts[0]), int(parts[1])
    if not OLDEST <= version <= _NEWEST:
        raise ArgumentError(
            "nothing is known here about TensorRT {}; choose one from {}.{} to {}".format(
                text, OLDEST[0], OLDEST[1], _NEWEST[0]
            )
        )
    return version


def newest_opset(version: Version) -> int:
    """Return the newest opset that the parser of a version knows."""
    return max(opset for since, opset in _OPSETS if since <= version)


def parser_opset(version: Version) -> Fact:
    """Return the newest opset that the parser of a version knows, with its source."""
    return Fact(newest_opset(version), _OPSETS_SOURCE)


def export_opset(version: Version) -> Fact:
    """Return the opset to export at for a version, with the reason."""
    opset, reason = [rule[1:] for rule in _EXPORT_OPSETS if rule[0] <= version][-1]
    return Fact(opset, "onnx/onnx-tensorrt, docs/operators.md: " + reason)


def first_version_of_opset(opset: int) -> Optional[Version]:
    """Return the first version whose parser knows an opset; None where none does."""
    return next((since for since, newest in _OPSETS if opset <= newest), None)


def limits_of(operator: str, version: Version) -> Tuple[Limit, ...]:
    """Return the forms of an operator that a version does not take."""
    return tuple(
        limit
        for limit in LIMITS
        if operator in limit.operators
        and limit.since <= version
        and (limit.until is None or version < limit.until)
    )


def not_taken(version: Version) -> Tuple[str, ...]:
    """Return what a version does not take but a later one does: border types, then operators."""
    types = tuple(
        name + " at the border"
        for name, entry in BORDER_TYPES.items()
        if entry.since is not None and version < entry.since
    )
    return types + tuple(name for name, since in OPERATORS.items() if version < since)
