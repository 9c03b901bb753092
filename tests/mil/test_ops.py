"""Every handler against coremltools' own value inference, or torch where it has none."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sam2lite.errors import SessionError
from sam2lite.mil.ops.table import CONSTANT_HANDLERS, HANDLERS
from tests.mil.mil import flat, inferred, one_op, simulated, types

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 4)).astype(np.float32)
Y = RNG.normal(size=(3, 1)).astype(np.float32)
POSITIVE = np.abs(X) + 0.5
IMAGE = RNG.normal(size=(1, 4, 6, 7)).astype(np.float32)
WIDE = (3.0 * X + 1.0).astype(np.float32)
INTEGERS = RNG.integers(-9, 9, (2, 3, 4)).astype(np.int32)
FLAGS = X > 0
NIBBLES = RNG.integers(-8, 8, (4, 6))
PER_CHANNEL = {name: POSITIVE[0, :, 0][[0, 1, 2, 0]] * k for k, name in enumerate("mvgb", 1)}


# Arrays of a type, from numbers.
float16 = partial(np.array, dtype=np.float16)
float32 = partial(np.array, dtype=np.float32)
int32 = partial(np.array, dtype=np.int32)
int8 = partial(np.array, dtype=np.int8)
uint16 = partial(np.array, dtype=np.uint16)
uint32 = partial(np.array, dtype=np.uint32)
uint8 = partial(np.array, dtype=np.uint8)


class Case(NamedTuple):
    """`expected` takes the inputs as tensors; without it coremltools must infer the value."""

    op: str
    inputs: dict[str, Any]
    constants: Mapping[str, Any] = MappingProxyType({})
    expected: Callable[..., Tensor | tuple[Tensor, ...]] | None = None
    target: str = "iOS17"


def tensors(value: Any) -> Any:
    return [tensors(item) for item in value] if isinstance(value, list) else torch.tensor(value)


UNARY: tuple[str, ...] = (
    "abs",
    "ceil",
    "cos",
    "erf",
    "exp",
    "exp2",
    "floor",
    "round",
    "sign",
    "sin",
    "square",
)
UNARY += ("tanh", "relu", "relu6", "sigmoid", "softplus", "identity")
BINARY: tuple[str, ...] = (
    "add",
    "sub",
    "mul",
    "real_div",
    "maximum",
    "minimum",
    "equal",
    "not_equal",
    "less",
)
BINARY += ("less_equal", "greater", "greater_equal", "floor_div", "mod")
LOGIC = ("logical_and", "logical_or", "logical_xor")
REDUCTIONS: tuple[str, ...] = (
    "reduce_sum",
    "reduce_mean",
    "reduce_max",
    "reduce_min",
    "reduce_sum_square",
)
REDUCTIONS += ("reduce_log_sum_exp",)

CONV: dict[str, Any] = {"weight": RNG.normal(size=(6, 2, 3, 2)).astype(np.float32)}
CONV |= {"bias": RNG.normal(size=6).astype(np.float32), "groups": 2}
TRANSPOSED: dict[str, Any] = {"weight": RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)}
TRANSPOSED |= {"bias": RNG.normal(size=3).astype(np.float32), "strides": [2, 2]}
WINDOW = {"kernel_sizes": [3, 2], "strides": [2, 1], "pad_type": "custom", "pad": [1, 0, 0, 1]}


def conv(pads: tuple[int, int, int, int], **how: Any) -> Callable[[Tensor], Tensor]:
    weight, bias = torch.tensor(CONV["weight"]), torch.tensor(CONV["bias"])
    return lambda x: F.conv2d(F.pad(x, pads), weight, bias, groups=2, **how)


def transposed(**how: Any) -> Callable[[Tensor], Tensor]:
    weight, bias = torch.tensor(TRANSPOSED["weight"]), torch.tensor(TRANSPOSED["bias"])
    return lambda x: F.conv_transpose2d(x, weight, bias, stride=2, **how)


CASES = [
    *(Case(op, {"x": WIDE}) for op in UNARY),
    *(Case(op, {"x": POSITIVE}) for op in ("sqrt",)),
    *(Case(op, {"x": POSITIVE}, {"epsilon": 0.1}) for op in ("log", "rsqrt", "inverse")),
    *(Case(op, {"x": WIDE, "y": Y}) for op in BINARY),
    *(Case(op, {"x": INTEGERS, "y": INTEGERS[:, ::-1]}) for op in ("add", "less", "maximum")),
    *(Case(op, {"x": INTEGERS, "y": INTEGERS * 0 + 4}) for op in ("floor_div", "mod")),
    *(Case(op, {"x": FLAGS, "y": FLAGS[:, ::-1]}) for op in LOGIC),
    *(Case(op, {"x": WIDE}, {"axes": [-1, 0], "keep_dims": False}) for op in REDUCTIONS),
    *(Case(op, {"x": X}, {"axes": [1], "keep_dims": True}) for op in REDUCTIONS),
    Case("reduce_sum", {"x": X}),
    Case("reduce_argmax", {"x": X}, {"axis": 1, "keep_dims": True}),
    Case("reduce_argmin", {"x": X}, {"axis": -1}),
    Case("pow", {"x": POSITIVE, "y": Y}),
    Case("silu", {"x": WIDE}, expected=lambda x: x / (1 + torch.exp(-x))),
    Case("clip", {"x": WIDE}, {"alpha": -1.0, "beta": 2.0}),
    Case("threshold", {"x": WIDE}, {"alpha": 0.5}),
    Case("leaky_relu", {"x": WIDE}, {"alpha": 0.1}),
    Case("elu", {"x": WIDE}, {"alpha": 0.3}),
    Case("sigmoid_hard", {"x": WIDE}, {"alpha": 0.2, "beta": 0.5}),
    Case("gelu", {"x": WIDE}, {"mode": "EXACT"}),
    Case("gelu", {"x": WIDE}, {"mode": "TANH_APPROXIMATION"}),
    Case("gelu", {"x": WIDE}, {"mode": "SIGMOID_APPROXIMATION"}),
    Case("logical_not", {"x": FLAGS}),
    Case("select", {"cond": FLAGS, "a": X, "b": WIDE}),
    Case("cast", {"x": WIDE}, {"dtype": "int32"}),
    Case("cast", {"x": WIDE}, {"dtype": "bool"}),
    Case("cast", {"x": FLAGS}, {"dtype": "fp32"}),
    Case("cast", {"x": np.abs(INTEGERS)}, {"dtype": "uint16"}),
    Case("softmax", {"x": WIDE}, {"axis": 1}),
    Case("reshape", {"x": X}, {"shape": [4, -1]}),
    Case("transpose", {"x": X}, {"perm": [2, 0, 1]}),
    Case("expand_dims", {"x": X}, {"axes": [1, -1]}),
    Case("squeeze", {"x": X[:1, :, :1]}, {"axes": [-1]}),
    Case("squeeze", {"x": X[:1, :, :1]}),
    Case("concat", {"values": [X, WIDE[:, :1]]}, {"axis": 1}),
    # By its documentation: coremltools' own inference does not interleave.
    Case("concat", {"values": [X, WIDE]}, {"axis": -1, "interleave": True},
         lambda values: torch.stack(values, -1).reshape(2, 3, 8)),
    Case("stack", {"values": [X, WIDE]}, {"axis": 1}),
    Case("split", {"x": X}, {"split_sizes": [1, 3], "axis": -1}),
    Case("split", {"x": X}, {"num_splits": 2, "axis": 2}),
    Case("tile", {"x": X}, {"reps": [1, 2, 3]}),
    Case("fill", {}, {"shape": int32([2, 3]), "value": 1.5}),
    Case("flatten2d", {"x": X}, {"axis": 2}),
    Case("pad", {"x": X}, {"pad": [1, 0, 2, 3], "constant_val": 7.0}),
    Case("pad", {"x": X}, {"pad": [1, 2], "mode": "reflect"}),
    Case("pad", {"x": X}, {"pad": [1, 0, 2, 3], "mode": "replicate"}),
    Case("pixel_shuffle", {"x": IMAGE}, {"upscale_factor": 2}, lambda x: F.pixel_shuffle(x, 2)),
    Case("pixel_unshuffle", {"x": IMAGE[..., :6]}, {"downscale_factor": np.uint32(3)},
         lambda x: F.pixel_unshuffle(x, 3)),
    Case("slice_by_index", {"x": X}, {"begin": [0, -2, 1], "end": [0, 3, -1],
         "stride": [1, 1, 2], "end_mask": [True, False, True]}),
    Case("slice_by_index", {"x": X}, {"begin": [1, 2, 0], "end": [0, 0, 4],
         "stride": [1, -1, 1], "squeeze_mask": [True, False, False]}),
    Case("slice_by_index", {"x": X}, {"begin": [-1, 0, 0], "end": [0, 0, 0],
         "begin_mask": [False, True, True], "end_mask": [False, True, True],
         "squeeze_mask": [True, False, False]}),
    Case("slice_by_size", {"x": X}, {"begin": int32([0, 1, 1]), "size": int32([1, -1, 2])}),
    Case("gather", {"x": X}, {"indices": int32([[2, 0], [1, 1]]), "axis": 1}),
    Case("gather", {"x": X}, {"indices": int32([-1, 0]), "axis": -1}, target="iOS16"),
    Case("gather", {"x": X, "indices": uint16([3, 0])}, {"axis": 2}),
    Case("gather_along_axis", {"x": X, "indices": np.abs(INTEGERS[:, :2] % 3)}, {"axis": 1}),
    Case("topk", {"x": X}, {"k": 2, "axis": 1}, target="iOS16"),
    Case("topk", {"x": X}, {"k": 3, "axis": -1, "ascending": True}, target="iOS17"),
    Case("topk", {"x": X}, {"k": 2, "axis": 1, "return_indices": False},
         lambda x: torch.topk(x, 2, 1).values),
    Case("topk", {"x": X}, {"k": 2, "axis": 1, "output_indices_dtype": "uint16"}),
    Case("linear", {"x": X}, {"weight": WIDE[0], "bias": WIDE[0, :, 0]}),
    Case("matmul", {"x": X, "y": WIDE}, {"transpose_y": True}),
    Case("matmul", {"x": X, "y": WIDE}, {"transpose_x": True}),
    Case("einsum", {"values": [X[None], WIDE.transpose(2, 1, 0)[None]]},
         {"equation": "nchw,nwhu->nchu"}),
    Case("conv", {"x": IMAGE}, CONV, conv((0, 0, 0, 0))),
    Case("conv", {"x": IMAGE}, {**CONV, "pad_type": "custom", "pad": [1, 2, 0, 1],
         "strides": [2, 1]}, conv((0, 1, 1, 2), stride=(2, 1))),
    Case("conv", {"x": IMAGE}, {**CONV, "pad_type": "same", "dilations": [1, 2]},
         conv((1, 1, 1, 1), dilation=(1, 2))),
    Case("conv", {"x": IMAGE}, {**CONV, "pad_type": "same", "strides": [2, 2]},
         conv((0, 1, 0, 1), stride=2)),
    Case("conv", {"x": IMAGE}, {**CONV, "pad_type": "same_lower", "strides": [2, 2]},
         conv((1, 0, 1, 0), stride=2)),
    Case("conv", {"x": IMAGE[:, :, 0], "weight": CONV["weight"][:, :, 0]}, {"groups": 2},
         lambda x, weight: F.conv1d(x, weight, groups=2)),
    Case("conv_transpose", {"x": IMAGE}, TRANSPOSED, transposed()),
    Case("conv_transpose", {"x": IMAGE}, {**TRANSPOSED, "pad_type": "custom",
         "pad": [1, 1, 1, 1]}, transposed(padding=1)),
    Case("conv_transpose", {"x": IMAGE}, {**TRANSPOSED, "pad_type": "custom",
         "pad": [1, 1, 1, 1], "output_shape": [1, 3, 12, 14]},
         transposed(padding=1, output_padding=1)),
    Case("avg_pool", {"x": IMAGE}, WINDOW,
         lambda x: F.avg_pool2d(F.pad(x, (0, 1, 1, 0)), (3, 2), (2, 1))),
    Case("avg_pool", {"x": IMAGE}, {"kernel_sizes": [3, 3], "strides": [2, 2],
         "pad_type": "custom", "pad": [1, 1, 1, 1], "exclude_padding_from_average": True},
         lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
    Case("max_pool", {"x": IMAGE - 9.0}, {"kernel_sizes": [3, 3], "strides": [2, 2],
         "pad_type": "custom", "pad": [1, 1, 1, 1]}, lambda x: F.max_pool2d(x, 3, 2, 1)),
    Case("batch_norm", {"x": IMAGE}, {"mean": PER_CHANNEL["m"], "variance": PER_CHANNEL["v"],
         "gamma": PER_CHANNEL["g"], "beta": PER_CHANNEL["b"], "epsilon": 1e-3},
         lambda x: F.batch_norm(x, *map(torch.tensor, PER_CHANNEL.values()), eps=1e-3)  # type: ignore[arg-type, misc]
        ),
    Case("instance_norm", {"x": IMAGE}, {"gamma": PER_CHANNEL["g"], "beta": PER_CHANNEL["b"],
         "epsilon": 1e-3},
         lambda x: F.batch_norm(x, None, None, torch.tensor(PER_CHANNEL["g"]),
                                torch.tensor(PER_CHANNEL["b"]), training=True, eps=1e-3)),
    Case("layer_norm", {"x": X}, {"axes": [-1, -2], "gamma": POSITIVE[0], "beta": X[1],
         "epsilon": 1e-3}),
    Case("layer_norm", {"x": X}, {"axes": [1]}),
    Case("scaled_dot_product_attention", {"query": X, "key": WIDE, "value": POSITIVE},
         target="iOS18"),
    Case("scaled_dot_product_attention", {"query": X, "key": WIDE, "value": POSITIVE,
         "attn_mask": np.eye(3, dtype=bool)[None].repeat(2, 0)}, target="iOS18"),
    Case("upsample_nearest_neighbor", {"x": IMAGE}, {"scale_factor_height": 2,
         "scale_factor_width": 3}, lambda x: x.repeat_interleave(2, 2).repeat_interleave(3, 3)),
    Case("upsample_bilinear", {"x": IMAGE}, {"scale_factor_height": 2, "scale_factor_width": 3,
         "align_corners": False}, lambda x: F.interpolate(x, (12, 21), mode="bilinear")),
    Case("upsample_bilinear", {"x": IMAGE}, {"scale_factor_height": 2, "scale_factor_width": 3,
         "align_corners": True},
         lambda x: F.interpolate(x, (12, 21), mode="bilinear", align_corners=True)),
    Case("quantize", {"input": WIDE}, {"scale": np.float32(0.05), "output_dtype": "uint8",
         "zero_point": np.uint8(100)}),
    Case("quantize", {"input": WIDE}, {"scale": float32([0.05, 0.1, 0.2]), "axis": 1,
         "output_dtype": "int8"}),
    Case("dequantize", {"input": np.int8(INTEGERS)}, {"scale": float32([0.1, 0.2, 0.3]),
         "zero_point": int8([1, -2, 3]), "axis": 1}),
    Case("dequantize", {"input": np.uint8(INTEGERS + 9)}, {"scale": np.float32(0.1)}),
    Case("constexpr_affine_dequantize", {}, {"quantized_data": np.int8(INTEGERS), "axis": 1,
         "zero_point": int8([1, -2, 3]), "scale": float32([0.1, 0.2, 0.3])}),
    Case("constexpr_affine_dequantize", {}, {"quantized_data": np.uint8(INTEGERS + 9), "axis": 0,
         "zero_point": np.uint8(4), "scale": np.float16(0.1)}),
    Case("constexpr_cast", {}, {"source_val": np.float16(X), "output_dtype": "fp32"}),
    Case("constexpr_lut_to_dense", {}, {"indices": uint8([0b11100100, 0b01]),
         "lut": float32([1, 3, 5, 7]), "shape": uint32([5])}, target="iOS16"),
    Case("constexpr_sparse_to_dense", {}, {"nonzero_data": float32([1, 3, 5]),
         "mask": uint8([0b00011001]), "shape": uint32([2, 3])}, target="iOS16"),
    Case("constexpr_blockwise_shift_scale", {}, {"data": np.int8(INTEGERS[0]),
         "scale": float32([[1, 2], [3, 4], [5, 6]]), "offset": int8([[1, 2], [3, 4], [5, 6]])
         }, target="iOS18"),
    Case("constexpr_blockwise_shift_scale", {}, {"data": NIBBLES.astype(types.np_int4_dtype),
         "scale": float16([[1], [3]])}, target="iOS18"),
    Case("constexpr_lut_to_dense", {}, {"indices": np.abs(NIBBLES % 4).astype(types.np_uint2_dtype),
         "lut": np.float32(RNG.normal(size=(2, 3, 4, 1)))}, target="iOS18"),
    Case("constexpr_lut_to_dense", {}, {"indices": np.abs(NIBBLES % 4).astype(types.np_uint2_dtype),
         "lut": np.float32(RNG.normal(size=(1, 1, 4, 3))), "vector_axis": 0}, target="iOS18"),
    Case("constexpr_sparse_to_dense", {}, {"nonzero_data": float32([1, 3, 5]),
         "mask": np.array([[1, 0, 0], [1, 1, 0]]).astype(types.np_uint1_dtype)}, target="iOS18"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.op)
def test_handler_gives_what_coremltools_or_torch_gives(case: Case) -> None:
    function = simulated(one_op(case.op, case.inputs, dict(case.constants), case.target))
    actual = list(function.run(flat(case.inputs), "fp32").values())
    if case.expected is None:
        reference = inferred(case.op, case.inputs, dict(case.constants), case.target)
        assert reference is not None, f"coremltools does not infer {case.op}: compare with torch"
    else:
        results = case.expected(**{key: tensors(value) for key, value in case.inputs.items()})
        reference = [results] if isinstance(results, Tensor) else list(results)
    for got, wanted in zip(actual, reference, strict=True):
        np.testing.assert_allclose(got, np.asarray(wanted), rtol=2e-5, atol=2e-6)


def test_every_handler_has_a_case() -> None:
    assert {case.op for case in CASES} == set(HANDLERS) | set(CONSTANT_HANDLERS)


def test_equal_candidates_keep_their_order() -> None:
    scores = float32([[1, 2, 1, 2, 2]])
    function = simulated(one_op("topk", {"x": scores}, {"k": 4}, "iOS17"))
    assert list(function.run({"x": scores}).values())[1].tolist() == [[1, 3, 4, 0]]


def half_product(precision: Any, *values: float) -> list[float]:
    x = np.array(values, np.float16)
    function = simulated(one_op("mul", {"x": x}, {"y": np.float16(3)}, "iOS17"))
    (product,) = function.run({"x": x}, precision).values()
    return product.tolist()


def test_fp16_rounds_and_overflows_where_fp32_does_not() -> None:
    assert half_product("fp32", 683.0, 30000.0) == [2049.0, 90000.0]
    assert half_product("fp16", 683.0, 30000.0) == [2048.0, np.inf]


BAD_CASES = {
    "a negative index on iOS 17": (
        Case("gather", {"x": X, "indices": int32([-1])}, {"axis": 1}),
        r"gather .* indices -1 to -1 leave 0..2",
    ),
    "an index beyond the axis": (
        Case("gather", {"x": X, "indices": int32([3])}, {"axis": 1}, target="iOS16"),
        r"indices 3 to 3 leave -3..2",
    ),
    "a number that the type cannot hold": (
        Case("cast", {"x": np.array([-1, 70000], np.float32)}, {"dtype": "uint16"}),
        r"gives -1 to 70000 .* which uint16 cannot hold",
    ),
    "a form that is not simulated": (
        Case(
            "gather",
            {"x": X, "indices": np.array([[1], [0]], np.int32)},
            {"axis": 1, "batch_dims": 1},
        ),
        "cannot be simulated: batch_dims other than 0",
    ),
}


@pytest.mark.parametrize(("case", "message"), BAD_CASES.values(), ids=BAD_CASES)
def test_what_a_device_leaves_undefined_is_refused(case: Case, message: str) -> None:
    function = simulated(one_op(case.op, case.inputs, dict(case.constants), case.target))
    with pytest.raises(SessionError, match=message):
        function.run(flat(case.inputs))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"shape": (2, 4, 3)}, r"gives floats \[2, 3, 4\], but declares float32 \[2, 4, 3\]"),
        ({"dtype": "int32"}, r"gives floats \[2, 3, 4\], but declares int32 \[2, 3, 4\]"),
    ],
)
def test_results_are_held_against_the_declaration(changed: dict[str, Any], message: str) -> None:
    function = simulated(one_op("relu", {"x": X}, {}, "iOS17"))
    (step,) = function.program.steps
    declared = replace(step, outputs=(step.outputs[0]._replace(**changed),))
    with pytest.raises(SessionError, match=rf"relu \('relu_\d+' in function 'main'\) {message}"):
        replace(function, program=replace(function.program, steps=(declared,))).run({"x": X})


def test_an_unknown_operator_is_named() -> None:
    with pytest.raises(SessionError, match=r"does not know the operator cumsum \('sums' in"):
        simulated(one_op("cumsum", {"x": X}, {"name": "sums"}, "iOS17"))
