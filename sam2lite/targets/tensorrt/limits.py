"""Forms of operators that TensorRT's ONNX parser does not take, although it takes the operators.

The sources are those of `ops.py`, and what the importers assert.
"""

from typing import NamedTuple, Optional, Tuple

Version = Tuple[int, int]

OLDEST = (8, 2)  # JetPack 4.6
EVAL = "call model.eval() before exporting"
LOWER = "`sam2lite-export lower` writes it "


class Limit(NamedTuple):
    """A form of an operator that some versions do not take, although they take the operator.

    Attributes:
        operators: those concerned.
        why: what the parser asks for.
        remedy: what to change.
        check: in `exporter/tensorrt/preflight_limits.py`, that finds the form in a graph.
        argument: of the check: the number of an input, or a bound.
        since: the first version that has the limit.
        until: the first version that has it no longer; None where the newest has it.
    """

    operators: Tuple[str, ...]
    why: str
    remedy: str
    check: str
    argument: int = 0
    since: Version = OLDEST
    until: Optional[Version] = None


_FOLD = "make it a constant of the graph"
_PRODUCTS = (
    LOWER + "as products with matrices, where the last two of four axes change and sizes are "
    "constants; or interpolate before export"
)
_QDQ = ("QuantizeLinear", "DequantizeLinear")
_REDUCED = "L1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare"
_REDUCTIONS = tuple("Reduce" + name for name in _REDUCED.split())
_SPATIAL = ("AveragePool", "Conv", "ConvTranspose", "LpPool", "MaxPool")
_THREE_TO_FIVE = (("rank_below", 3), ("rank_above", 5))
_RANKS = "the input must have 3 to 5 dimensions"
_RESHAPE = "reshape before and after"
_ADD = _FOLD + ", or add it in a node of its own"


# Of the versions after 8.6, docs/Changelog.md says which limits they lifted.
LIMITS = (
    Limit(("TopK",), "K must be a constant", _FOLD, "variable_input", 1, until=(8, 6)),
    Limit(("TopK",), "K must be below 3840", "take fewer", "k_from", 3840, since=(10, 0)),
    Limit(("TopK",), "results must be sorted", "set sorted=1", "unsorted", since=(10, 0)),
    Limit(
        ("Conv", "ConvTranspose"),
        "weights must be constants",
        _FOLD,
        "variable_input",
        1,
        until=(8, 5),
    ),
    # From 10.7 and 10.8 on, these three also take what the parser can fold to a constant.
    Limit(("CumSum",), "the axis must be a constant", _FOLD, "variable_input", 1),
    Limit(("Squeeze", "Unsqueeze"), "axes must be constants", _FOLD, "variable_input", 1),
    Limit(("OneHot",), "the depth must be a constant", _FOLD, "variable_input", 1, since=(10, 0)),
    Limit(_REDUCTIONS, "axes must be constants", _FOLD, "variable_input", 1),
    Limit(("Slice",), "axes must be constants", _FOLD, "variable_input", 3, until=(10, 3)),
    Limit(
        ("Resize",),
        "there is no cubic interpolation",  # asserted in the code of 8.2 and 8.4
        _PRODUCTS,
        "cubic",
        until=(8, 5),
    ),
    Limit(("Resize",), "there is no antialiasing", _PRODUCTS, "antialias"),
    Limit(
        ("Einsum",),
        "ellipsis and repeated indices of one input are not supported",
        LOWER
        + "with MatMul, unless an index is twice in one input: take that diagonal before export",
        "einsum_form",
        until=(10, 12),  # docs/Changelog.md
    ),
    Limit(
        ("GridSample", "Attention"),
        "the input must have 4 dimensions",
        "reshape it before",
        "rank_not",
        4,
        since=(10, 0),
    ),
    Limit(
        ("ScatterND",), "there is no reduction", "add in a node of its own", "reduction_attribute"
    ),
    Limit(
        ("ScatterElements",),
        "there is no reduction",
        "add in a node of its own",
        "reduction_attribute",
        until=(10, 0),
    ),
    Limit(
        ("GroupNormalization",),
        "the form of opset 21 is not known",
        "export with --opset 20 or less",
        "opset_from",
        21,
        until=(10, 9),
    ),
    Limit(
        ("Attention", "LayerNormalization", "MaxPool"),
        "only the first output is computed",
        "do without the others",
        "more_outputs",
    ),
    Limit(
        _QDQ,
        "quantization must be symmetric: zero points are 0",
        "render INT8 with signed activations and zero point 0",
        "zero_point",
    ),
    Limit(
        _QDQ,
        "there is no quantization to UINT8",
        "render INT8 with signed activations and zero point 0",
        "unsigned",
    ),
    # Asserted in the code of 8.2, as all that follow are.
    Limit(("Conv",), "the bias must be a constant", _ADD, "variable_input", 2, until=(8, 4)),
    Limit(
        ("ConvTranspose",), "the bias must be a constant", _ADD, "variable_input", 2, until=(8, 5)
    ),
    *(
        Limit(
            ("InstanceNormalization",),
            "scale and bias must be constants",
            _FOLD,
            "variable_input",
            index,
            until=(8, 6),
        )
        for index in (1, 2)
    ),
    *(
        Limit(("InstanceNormalization",), _RANKS, _RESHAPE, check, rank, until=(8, 6))
        for check, rank in _THREE_TO_FIVE
    ),
    *(Limit(_SPATIAL, _RANKS, _RESHAPE, check, rank) for check, rank in _THREE_TO_FIVE),
    Limit(
        ("Trilu",),
        "the input must have 2 or 3 dimensions",
        _RESHAPE,
        "rank_above",
        3,
        until=(8, 6),
    ),
    *(
        Limit(
            ("NonMaxSuppression",),
            "how many boxes and the thresholds must be constants",
            _FOLD,
            "variable_input",
            index,
            until=(8, 5),
        )
        for index in (2, 3, 4)
    ),
    Limit(("Resize",), "scales must be constants", _FOLD, "variable_scales", until=(8, 4)),
    Limit(
        ("Resize", "Upsample"),
        "in linear mode, the last three dimensions alone can be scaled",
        _RESHAPE,
        "scaled_before_last",
        3,
    ),
    Limit(
        ("Resize",),
        "in cubic mode, the last two dimensions alone can be scaled",
        _RESHAPE,
        "scaled_before_last",
        2,
        since=(8, 5),
    ),
    Limit(
        ("Resize",),
        "tf_half_pixel_for_nn goes with nearest_mode=round_prefer_floor alone",
        "use half_pixel",
        "tf_rounding",
    ),
    Limit(("Pad",), "axes must be constants", _FOLD, "variable_input", 3),
    Limit(
        ("Range",),
        "of floats, start, limit and delta must be constants",
        _FOLD,
        "variable_floats",
        until=(8, 4),
    ),
    Limit(
        ("ConvTranspose",),
        "pads before the first element must not be negative",
        "crop in a Slice of its own",
        "negative_begin",
    ),
    Limit(
        ("AveragePool",),
        "pads at the end may be those at the beginning, or one more",
        "pad in a node of its own",
        "uneven_pads",
        until=(8, 4),
    ),
    Limit(
        ("Dropout",),
        "the graph was exported in training mode, and this drops values at random",
        EVAL,
        "training_input",
    ),
    Limit(
        ("BatchNormalization",),
        "the graph was exported in training mode, and this takes its mean from the batch",
        EVAL,
        "training_outputs",
    ),
    Limit(
        ("If",),
        "both branches must give tensors of the same number of dimensions",
        "reshape in the branches, or compute both and choose with Where",
        "branch_ranks",
    ),
    Limit(
        ("If",),
        "the outputs of both branches must have different names",
        LOWER + "with names of its own",
        "branch_names",
        until=(8, 4),
    ),
    Limit(
        ("Constant",),
        "text and sparse tensors are not known",
        "use a dense tensor of numbers",
        "odd_constant",
    ),
    Limit(
        _QDQ,
        "there must be a zero point, of 0",
        LOWER + "with one",
        "no_zero_point",
        until=(8, 6),
    ),
)
