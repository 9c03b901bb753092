"""Which element types TensorRT's ONNX parser takes, of values and of an operator's inputs.

Sources are what onnx2trt_utils.cpp (importerUtils.cpp from 10.0 on) and builtin_op_importers.cpp
(onnxOpImporters.cpp) assert at the branches 8.2-GA, 8.4-GA, 8.5-GA, 8.6-GA and 10.1-GA: the
functions activationHelper, unaryHelper, elementwiseCheck, argMinMaxHelper, reduceTensor and
convertDtype, and the importers of the operators named. The types in docs/operators.md say less than
the code takes in some places, and more in others (INT32 of Relu and Sign): the code is followed.
Where an operator is not named here, every type of a value is taken.
"""

from typing import Dict, NamedTuple, Optional, Tuple

from sam2lite.targets.tensorrt.limits import OLDEST, Version

INT64_SINCE = (9, 0)  # docs/Changelog.md of 9.0: INT64 is no longer made INT32
BYTES_SINCE = (8, 5)  # docs/Changelog.md of 8.5: UINT8 inputs and outputs

# Since which version a value may have a type; one that is not here no version has. convertDtype; of
# FP8 and FP4: docs/Changelog.md of 9.0 and 10.8.
VALUE_TYPES: Dict[str, Version] = {
    "FLOAT": OLDEST,
    "FLOAT16": OLDEST,
    "DOUBLE": OLDEST,  # made FLOAT
    "INT8": OLDEST,
    "INT32": OLDEST,
    "INT64": OLDEST,  # made INT32 before INT64_SINCE
    "BOOL": OLDEST,
    "UINT8": BYTES_SINCE,
    "BFLOAT16": (9, 0),
    "FLOAT8E4M3FN": (9, 0),
    "INT4": (10, 0),
    "FLOAT4E2M1": (10, 8),
}


class TypeLimit(NamedTuple):
    """Types that some versions do not take as inputs of operators.

    Attributes:
        operators: those concerned.
        refused: ONNX's names of types; INT64 counts as INT32 while the parser makes it that.
        inputs: the numbers of the inputs concerned; of all where there are none.
        since: the first version that has the limit.
        until: the first version that has it no longer; None where the newest has it.
    """

    operators: Tuple[str, ...]
    refused: Tuple[str, ...]
    inputs: Tuple[int, ...] = ()
    since: Version = OLDEST
    until: Optional[Version] = None


_INTEGERS = ("INT32", "INT64")
_UNARY_NAMES = """
Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Floor Log Round Sin Sinh Sqrt Tan
"""
_UNARY = tuple(_UNARY_NAMES.split())
_REDUCTIONS = ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceL1")

TYPE_LIMITS = (
    TypeLimit(("TopK", "ArgMax", "ArgMin"), ("INT32",), (0,), until=(8, 6)),
    TypeLimit(("MatMul", "Gemm"), _INTEGERS),
    # Its products are those of MatMul; docs/operators.md names floats alone.
    TypeLimit(("Einsum",), _INTEGERS),
    TypeLimit(("PRelu",), _INTEGERS),
    TypeLimit(("Relu",), ("INT32", "BOOL")),
    TypeLimit(_UNARY, ("INT32", "INT64", "BOOL")),
    TypeLimit(("Sign",), ("INT32", "BOOL"), until=(10, 0)),
    TypeLimit(("Sign", "Abs", "Neg"), ("BOOL",)),
    TypeLimit(("Pow",), ("INT32", "INT64", "BOOL")),
    TypeLimit(("Equal",), ("BOOL",), until=(8, 5)),
    # What these write after the sum are Sqrt, Log and Exp.
    TypeLimit(("ReduceL2", "ReduceLogSum", "ReduceLogSumExp"), ("INT32", "INT64", "BOOL"), (0,)),
    TypeLimit(_REDUCTIONS, ("BOOL",), (0,)),
    TypeLimit(("Resize", "Upsample"), ("INT32", "BOOL"), (0,), until=(8, 5)),
    TypeLimit(("Resize", "Upsample", "GridSample"), ("BOOL",), (0,)),
    TypeLimit(("DepthToSpace", "SpaceToDepth"), ("BOOL",)),
    TypeLimit(("Gather", "GatherElements", "GatherND"), ("BOOL",), (0,), until=(8, 5)),
    TypeLimit(("Where",), ("BOOL",), (1, 2), until=(8, 5)),
    # docs/operators.md: nobody scatters flags.
    TypeLimit(("Scatter", "ScatterElements", "ScatterND"), ("BOOL",), (0,)),
    TypeLimit(("Hardmax",), ("INT32", "INT64", "INT8", "BOOL")),
    TypeLimit(("Range",), ("FLOAT16", "BFLOAT16"), (0,), until=(10, 0)),
)

TYPE_REMEDY = "cast to float32 before, and back after where integers are wanted"
BYTE_USES = "bytes can be cast to float and nothing else"


def has_type(name: str, version: Version) -> bool:
    """Return whether a value inside a graph may have a type, by its ONNX name."""
    since = VALUE_TYPES.get(name)
    return since is not None and since <= version


def read_as(name: str, version: Version) -> str:
    """Return the type that the parser makes of a type."""
    if name == "DOUBLE":
        return "FLOAT"
    return "INT32" if name == "INT64" and version < INT64_SINCE else name


def type_limits_of(operator: str, version: Version) -> Tuple[TypeLimit, ...]:
    """Return the types of inputs of an operator that a version does not take."""
    return tuple(
        limit
        for limit in TYPE_LIMITS
        if operator in limit.operators
        and limit.since <= version
        and (limit.until is None or version < limit.until)
    )


def first_version_with(operator: str, name: str, index: int, version: Version) -> Optional[Version]:
    """Return the first version from one on that takes a type as an operator's input.

    Args:
        operator: of ONNX's default domain.
        name: ONNX's name of the type.
        index: of the input.
        version: that does not take it.
    """
    lifted = sorted({limit.until for limit in TYPE_LIMITS if limit.until} | {INT64_SINCE, (10, 0)})
    for later in lifted:
        if later > version and not any(
            refuses(limit, name, index, later) for limit in type_limits_of(operator, later)
        ):
            return later
    return None


def refuses(limit: TypeLimit, name: str, index: int, version: Version) -> bool:
    """Return whether a limit is about a type as one of the inputs."""
    concerned = not limit.inputs or index in limit.inputs
    return concerned and read_as(name, version) in limit.refused
