"""Every pass of exporter/tensorrt/passes, and `lower`, which runs those that a version needs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import ArgumentError, ExportError, VerificationError
from sam2lite.exporter.onnx.passes.pipeline import run_passes
from sam2lite.exporter.onnx.random_feeds import random_feeds
from sam2lite.exporter.onnx.trace import example_inputs, opset_of, trace
from sam2lite.exporter.precision.fp16_convert import to_fp16, with_rounding
from sam2lite.exporter.tensorrt.lower import OTHER_OPERATOR, lower, steps_for
from sam2lite.exporter.tensorrt.passes import table
from sam2lite.exporter.tensorrt.passes.float_image import float_image
from sam2lite.exporter.tensorrt.passes.layer_norm import layer_norm
from sam2lite.exporter.tensorrt.passes.opset_down import opset_down
from sam2lite.exporter.tensorrt.passes.resize.cubic_resize import cubic_resize
from sam2lite.exporter.tensorrt.passes.table import REWRITES, Rewrite
from sam2lite.exporter.tensorrt.preflight import preflight
from sam2lite.exporter.verify.parity import compare, run_onnx

PASSES = {rewrite.apply.__name__: rewrite for rewrite in REWRITES}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 6, 8)).astype(np.float32)
SPECIAL = X.copy()
SPECIAL[0, 0, 0, :4] = [np.inf, -np.inf, np.nan, 0.0]
INTS = RNG.integers(-50, 50, 60)
DIVISORS = RNG.integers(1, 9, 60) * RNG.choice([-1, 1], 60)


def weight(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def model(
    operator: str,
    inputs: Mapping[str, Any],
    constants: Mapping[str, Any] | None = None,
    *,
    order: Sequence[str] = (),
    opset: int = 18,
    outputs: int = 1,
    output: Any = np.float32,
    **attributes: Any,
) -> onnx.ModelProto:
    """One node; its outputs have the shapes that ONNX infers."""
    constants = constants or {}
    made = ["y", "y1", "y2"][:outputs]
    graph = helper.make_graph(
        [helper.make_node(operator, order or [*inputs, *constants], made, "node", **attributes)],
        "graph",
        [
            helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
            for k, v in inputs.items()
        ],
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(np.dtype(output)), None
            )
            for name in made
        ],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    made_model = helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)]
    )
    return onnx.shape_inference.infer_shapes(made_model)


def operators(graph: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in graph.graph.node]


def norm(axis: int, opset: int = 17, dtype: Any = np.float32) -> onnx.ModelProto:
    constants = {
        "s": weight(*X.shape[axis:]).astype(dtype),
        "b": weight(*X.shape[axis:]).astype(dtype),
    }
    return model(
        "LayerNormalization",
        {"x": X.astype(dtype)},
        constants,
        opset=opset,
        output=dtype,
        axis=axis,
    )


def resized(constants: Mapping[str, Any], x: Any = X, **attributes: Any) -> onnx.ModelProto:
    order = ["x", "", "s"] if "s" in constants else ["x", "", "", "z"]
    return model("Resize", {"x": x}, constants, order=order, **attributes)


def summed(equation: str, *shapes: Sequence[int]) -> onnx.ModelProto:
    arrays = {f"x{n}": weight(*shape) for n, shape in enumerate(shapes)}
    return model("Einsum", arrays, equation=equation)


def scaled(sizes: Sequence[float]) -> dict[str, Any]:
    return {"s": np.array([1, 1, *sizes], np.float32)}


HOT = {"d": np.int64(5), "v": np.array([0.5, 3.0], np.float32)}
INDEX = {"i": RNG.integers(-6, 8, (2, 3))}


def branches() -> onnx.ModelProto:
    """A choice between two branches that call their result, and what comes before it, alike."""
    made = []
    for operator in ("Relu", "Neg"):
        inner = helper.make_node("Abs", ["x"], ["a"])
        outer = helper.make_node(operator, ["a"], ["t"])
        result = helper.make_tensor_value_info("t", TensorProto.FLOAT, X.shape)
        made.append(helper.make_graph([inner, outer], operator, [], [result]))
    return model(
        "If", {"c": np.array(True), "x": X}, order=["c"], then_branch=made[0], else_branch=made[1]
    )


POINTS = {"s": np.array([0.5, 0.25, 2.0], np.float32)}
CASES = [
    ("zero_point", model("DequantizeLinear", {"x": INTS[:3].astype(np.int8)}, POINTS, axis=0)),
    ("branch_names", branches()),
    *[("layer_norm", norm(axis, opset)) for axis in (-1, 1, 2) for opset in (17, 18)],
    ("layer_norm", model("LayerNormalization", {"x": X}, {"s": weight(8)}, opset=17)),
    ("gelu", model("Gelu", {"x": 3 * X}, opset=20)),
    ("gelu", model("Gelu", {"x": 3 * X}, opset=20, approximate="tanh")),
    ("trilu", model("Trilu", {"x": SPECIAL}, {"k": np.int64(2)})),
    ("trilu", model("Trilu", {"x": SPECIAL}, {"k": np.array([-1])}, upper=0)),
    ("trilu", model("Trilu", {"x": X > 0}, output=np.bool_)),
    ("mod", model("Mod", {"a": INTS, "b": DIVISORS}, output=np.int64)),
    ("mod", model("Mod", {"a": INTS, "b": DIVISORS}, output=np.int64, fmod=1)),
    ("mod", model("Mod", {"a": X, "b": np.abs(X[::-1]) + 0.1}, fmod=1)),
    *[("one_hot", model("OneHot", INDEX, HOT, axis=axis)) for axis in (-1, 0, 1)],
    (
        "one_hot",
        model("OneHot", {"i": np.array([[1, 4, -1]], np.int32)}, {**HOT, "d": np.int32(5)}),
    ),
    ("hard_swish", model("HardSwish", {"x": 3 * X})),
    ("reciprocal", model("Reciprocal", {"x": X})),
    ("is_inf", model("IsInf", {"x": SPECIAL}, output=np.bool_)),
    ("is_inf", model("IsInf", {"x": SPECIAL}, output=np.bool_, detect_negative=0)),
    ("is_inf", model("IsInf", {"x": SPECIAL}, output=np.bool_, detect_positive=0)),
    *[
        (
            "cubic_resize",
            resized(
                scaled((2.3, 0.6)),
                mode="cubic",
                coordinate_transformation_mode=mode,
                cubic_coeff_a=-0.5 - outside / 4,
                exclude_outside=outside,
            ),
        )
        for mode in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")
        for outside in (0, 1)
    ],
    ("cubic_resize", resized({"z": np.array([2, 3, 20, 5], np.int64)}, mode="cubic", opset=13)),
    (
        "antialias_resize",
        resized({"z": np.array([2, 3, 3, 5], np.int64)}, mode="linear", antialias=1),
    ),
    (
        "antialias_resize",
        resized({"z": np.array([2, 3, 3, 5], np.int64)}, mode="cubic", antialias=1),
    ),
    ("einsum", summed("bqhc,bkhc->bkhq", (2, 5, 3, 4), (2, 7, 3, 4))),
    ("einsum", summed("abc,dc->adb", (2, 3, 4), (5, 4))),
    ("einsum", summed("ab,cd->", (2, 3), (4, 5))),
    ("einsum", summed("ab,bc", (2, 3), (3, 4))),
    ("einsum", summed("a,b->ba", (2,), (3,))),
    ("einsum", summed("abc->cb", (2, 3, 4))),
    ("einsum", summed("ab,bc,cd->ad", (2, 3), (3, 4), (4, 5))),
    ("einsum", summed("...ij,...jk->...ik", (1, 4, 5), (7, 5, 6))),
    ("einsum", summed("i...,i...->...", (3, 4, 5), (3, 4, 1))),
    ("einsum", summed("...ij,jk", (2, 3, 4), (4, 5))),
]


EXPLICIT = {"zero_point", "branch_names"}  # these keep the operator


def inputs_for(graph: onnx.ModelProto) -> dict[str, Any]:
    """Values that find the corners: infinities for floats, negatives and outsiders for integers."""
    feeds = random_feeds(graph)
    for name, values in feeds.items():
        if operators(graph)[0] in ("IsInf", "Trilu") and values.dtype.kind == "f":
            feeds[name] = SPECIAL
        if operators(graph)[0] == "OneHot" and values.dtype.kind == "i":
            feeds[name] = RNG.integers(-6, 8, values.shape).astype(values.dtype)
        if operators(graph)[0] == "Mod":
            whole = {"a": INTS, "b": DIVISORS}[name]
            feeds[name] = whole if values.dtype.kind == "i" else np.abs(values) + 0.1
    return feeds


def test_every_pass_says_what_it_does() -> None:
    for rewrite in REWRITES:
        for heading in ("**Given:**", "**Result:**", "Parity:"):
            assert heading in str(rewrite.apply.__doc__), rewrite.apply
    assert set(PASSES) == {name for name, _ in CASES} | {"float_image", "int32_border"}


@pytest.mark.parametrize(("name", "before"), CASES)
def test_a_pass_keeps_values_names_and_types(name: str, before: onnx.ModelProto) -> None:
    feeds = inputs_for(before)
    expected = run_onnx(before, feeds, optimise=False)
    after = PASSES[name].apply(onnx.ModelProto.FromString(before.SerializeToString()))
    assert (operators(before)[0] not in operators(after)) != (name in EXPLICIT)
    assert list(after.graph.input) == list(before.graph.input)
    assert list(after.graph.output) == list(before.graph.output)
    onnx.checker.check_model(after, full_check=True)
    actual = run_onnx(after, feeds, optimise=False)["y"]
    wanted = expected["y"]
    assert actual.dtype == wanted.dtype
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(actual[~finite], wanted[~finite])
    assert compare(actual[finite], wanted[finite]).relative < 1e-6


@pytest.mark.parametrize(("name", "before"), CASES)
def test_a_pass_applies_below_its_version_alone(name: str, before: onnx.ModelProto) -> None:
    below = PASSES[name].below
    lowered = lower(before, "8.2.1", inputs_for(before))
    assert name in [applied.name for applied in lowered.passes]
    assert lowered.findings == []
    assert opset_of(lowered.model) == min(13, opset_of(before))
    if below is None:
        assert name in [p.name for p in lower(before, "11.4", inputs_for(before)).passes]
        return
    newer = lower(before, f"{below[0]}.{below[1]}", inputs_for(before))
    assert name not in [applied.name for applied in newer.passes]
    assert operators(before)[0] in operators(newer.model)


@pytest.mark.parametrize(
    ("name", "before"),
    [
        (
            "layer_norm",
            model("LayerNormalization", {"x": X}, {"s": weight(8)}, opset=17, outputs=2),
        ),
        ("trilu", model("Trilu", {"x": X, "k": np.array(1)})),
        (
            "mod",
            model(
                "Mod", {"a": np.array([1], np.uint8), "b": np.array([1], np.uint8)}, output=np.uint8
            ),
        ),
        (
            "one_hot",
            model(
                "OneHot",
                {**INDEX, "v": np.array([0, 1], np.float32)},
                {"d": np.int64(5)},
                order="idv",
            ),
        ),
        ("is_inf", model("IsInf", {"x": X}, output=np.bool_, detect_negative=0, detect_positive=0)),
        ("cubic_resize", resized(scaled((2, 2)), mode="linear")),
        ("cubic_resize", resized({"s": np.array([2, 2, 1, 1], np.float32)}, mode="cubic")),
        ("antialias_resize", resized(scaled((2, 2)), mode="linear")),
        ("einsum", summed("ii->i", (3, 3))),
        ("einsum", summed("...ii,ij->...j", (2, 3, 3), (3, 4))),
    ],
)
def test_a_form_that_cannot_be_written_is_left(name: str, before: onnx.ModelProto) -> None:
    after = PASSES[name].apply(onnx.ModelProto.FromString(before.SerializeToString()))
    assert after == before


def test_a_form_that_is_left_is_found_with_its_remedy() -> None:
    lowered = lower(summed("ii->i", (3, 3)), "8.2")
    (finding,) = lowered.findings
    assert (finding.where, finding.subject, finding.first_version) == ("node", "Einsum", "10.12")
    assert "take that diagonal before export" in finding.remedy


def plain_norm(axes: int = 256) -> onnx.ModelProto:
    """Layer normalization as it is usually written, with the same weights as `operator_norm`."""
    steps = [
        ("ReduceMean", ["x"], "m", {"axes": [-1]}),
        ("Sub", ["x", "m"], "c", {}),
        ("Mul", ["c", "c"], "q", {}),
        ("ReduceMean", ["q"], "v", {"axes": [-1]}),
        ("Add", ["v", "e"], "ve", {}),
        ("Sqrt", ["ve"], "d", {}),
        ("Div", ["c", "d"], "y", {}),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [64, axes])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [64, axes])
    epsilon = numpy_helper.from_array(np.array(1e-5, np.float32), "e")
    nodes = [helper.make_node(op, i, [o], o, **attributes) for op, i, o, attributes in steps]  # type: ignore[arg-type]
    graph = helper.make_graph(nodes, "plain", [x], [y], [epsilon])
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


@pytest.mark.parametrize("size", [1e-3, 1e-2, 0.1, 1.0, 100.0, 300.0, 7e3, 3e4])
@pytest.mark.parametrize("kind", ["uniform", "outlier", "offset"])
def test_layer_norm_does_not_overflow_fp16(kind: str, size: float) -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(-1.0, 1.0, (64, 256))
    if kind == "outlier":
        x *= 0.01
        x[:, 7] = 1.0
    elif kind == "offset":
        x = 0.5 + 0.5 * x
    x = (size * x).astype(np.float16).astype(np.float32)
    graph = model("LayerNormalization", {"x": x}, {"s": np.ones(256, np.float32)}, opset=17)
    expected = run_onnx(graph, {"x": x})["y"]
    ours, plain = (
        run_onnx(with_rounding(to_fp16(m, [])), {"x": x}, optimise=False)["y"]
        for m in (layer_norm(graph), plain_norm())
    )
    assert compare(ours, expected).relative < 2e-3
    if size >= 1e3:  # its variance is infinite, and everything becomes 0
        assert compare(plain, expected).relative > 0.9


def test_layer_norm_of_equal_values_is_its_bias() -> None:
    graph = layer_norm(norm(-1))
    flat = np.full(X.shape, 7.0, np.float32)
    bias = numpy_helper.to_array(graph.graph.initializer[1])
    np.testing.assert_allclose(run_onnx(graph, {"x": flat})["y"][0, 0, 0], bias, atol=1e-6)


def test_layer_norm_of_fp16_computes_in_fp32_as_onnx_says() -> None:
    before = norm(-1, dtype=np.float16)
    x = {"x": (1000 * X).astype(np.float16)}
    expected = run_onnx(before, x)["y"]
    after = layer_norm(onnx.ModelProto.FromString(before.SerializeToString()))
    assert operators(after)[0] == "Cast"
    assert compare(run_onnx(after, x)["y"], expected).relative < 2e-3
    assert lower(before, "8.2.1").findings == []


def test_integers_are_divided_exactly() -> None:
    large = {"a": np.array([2**62 + 1, -(2**62) - 1]), "b": np.array([7, 7])}
    after = PASSES["mod"].apply(model("Mod", large, output=np.int64))
    np.testing.assert_array_equal(run_onnx(after, large)["y"], large["a"] % large["b"])


def test_a_cubic_resize_of_a_constant_is_folded() -> None:
    graph = resized({"z": np.array([2, 3, 20, 5], np.int64)}, mode="cubic")
    x = {"x": X}
    expected = run_onnx(graph, x)["y"]
    graph.graph.initializer.append(numpy_helper.from_array(X, "x"))
    del graph.graph.input[:]
    folded = cubic_resize(graph)
    assert operators(folded) == ["Identity"]
    np.testing.assert_allclose(run_onnx(folded, {})["y"], expected, atol=1e-6)


def test_nodes_in_branches_are_rewritten() -> None:
    branch = helper.make_graph(
        [helper.make_node("Reciprocal", ["x"], ["r"], "inner")],
        "branch",
        [],
        [helper.make_tensor_value_info("r", TensorProto.FLOAT, X.shape)],
    )
    outer = model("Relu", {"x": X, "c": np.array([True])}, order="x")
    other = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["n"], "other")],
        "other",
        [],
        [helper.make_tensor_value_info("n", TensorProto.FLOAT, X.shape)],
    )
    del outer.graph.node[:]
    outer.graph.node.append(
        helper.make_node("If", ["c"], ["y"], "if", then_branch=branch, else_branch=other)
    )
    assert lower(outer, "8.2.1").findings == []


def bytes_graph(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "bytes",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 4, 6, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    made = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    return onnx.shape_inference.infer_shapes(made)


TURN = helper.make_node("Transpose", ["image"], ["turned"], "turn", perm=[0, 3, 1, 2])
TURNED_TO_FLOAT = helper.make_node("Cast", ["turned"], ["f"], "cast", to=TensorProto.FLOAT)
TO_FLOAT = helper.make_node("Cast", ["image"], ["f"], "cast", to=TensorProto.FLOAT)
NEGATED = helper.make_node("Neg", ["f"], ["y"], "neg")
COUNTED = helper.make_node("ReduceMax", ["image"], ["most"], "max")


@pytest.mark.parametrize(
    ("nodes", "left"),
    [
        ((TO_FLOAT, NEGATED), ["Neg"]),
        ((TURN, TURNED_TO_FLOAT, NEGATED), ["Transpose", "Neg"]),
        (  # what the cast gives is the graph's
            (helper.make_node("Cast", ["image"], ["y"], "cast", to=TensorProto.FLOAT),),
            ["Cast"],
        ),
        (
            (
                helper.make_node("Cast", ["image"], ["h"], "half", to=TensorProto.FLOAT16),
                helper.make_node("Cast", ["h"], ["y"], "cast", to=TensorProto.FLOAT),
            ),
            ["Cast", "Cast"],
        ),
    ],
)
def test_images_become_float(nodes: Sequence[onnx.NodeProto], left: list[str]) -> None:
    before = bytes_graph(*nodes)
    image = random_feeds(before)["image"]
    assert image.max() > 1
    expected = run_onnx(before, {"image": image})["y"]
    lowered = lower(before, "8.2.1")
    assert lowered.findings == []
    applied = next(p for p in lowered.passes if p.name == "float_image")
    assert applied.border == {"image": "float32"}
    assert operators(float_image(before)) == left
    actual = run_onnx(lowered.model, {"image": image.astype(np.float32)})["y"]
    np.testing.assert_array_equal(actual, expected)
    assert "float_image" not in [p.name for p in lower(bytes_graph(*nodes), "8.5").passes]


def test_an_input_of_bytes_that_is_computed_with_stays() -> None:
    cast = helper.make_node("Cast", ["most"], ["y"], "cast", to=TensorProto.FLOAT)
    graph = bytes_graph(COUNTED, cast)
    assert float_image(onnx.ModelProto.FromString(graph.SerializeToString())) == graph
    findings = lower(graph, "8.2.1").findings
    assert [(f.where, f.subject) for f in findings] == [("image", "UINT8")]


def test_int64_at_the_border_becomes_int32() -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["n", "one"], ["more"], "add"),
            helper.make_node("Mul", ["more", "n"], ["y"], "mul"),
        ],
        "integers",
        [helper.make_tensor_value_info("n", TensorProto.INT64, [1, 4])],
        [
            helper.make_tensor_value_info("more", TensorProto.INT64, [1, 4]),
            helper.make_tensor_value_info("y", TensorProto.INT64, [1, 4]),
        ],
        [numpy_helper.from_array(np.array([1]), "one")],
    )
    before = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    n = np.array([[-3, 0, 5, 2**20]])
    lowered = lower(before, "8.6", {"n": n[:, ::-1] % 7})
    assert lowered.findings == []
    assert lowered.passes[-1].border == {"n": "int32", "more": "int32", "y": "int32"}
    values = run_onnx(lowered.model, {"n": n.astype(np.int32) % 100})
    assert {name: value.dtype for name, value in values.items()} == {
        "more": np.int32,
        "y": np.int32,
    }
    np.testing.assert_array_equal(values["y"], (n % 100 + 1) * (n % 100))
    assert lower(before, "9.0").passes == []


def reduced(axes: Any, **attributes: Any) -> onnx.ModelProto:
    return model("ReduceMean", {"x": X}, {"a": np.array(axes)}, **attributes)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (reduced([2, 3], keepdims=0), {"axes": [2, 3], "keepdims": 0}),
        (reduced([1], noop_with_empty_axes=0), {"axes": [1]}),
        (model("Reshape", {"x": X}, {"z": np.array([2, -1])}, allowzero=1), {}),
        (model("Relu", {"x": X}, opset=22), {}),
        (
            model("Split", {"x": X}, opset=18, outputs=2, axis=3, num_outputs=2),
            {"axis": 3},
        ),
        (
            model("AveragePool", {"x": X}, opset=19, kernel_shape=[2, 2], dilations=[1, 1]),
            {"kernel_shape": [2, 2]},
        ),
        (
            model("Cast", {"x": X}, opset=19, output=np.int32, to=TensorProto.INT32, saturate=1),
            {"to": TensorProto.INT32},
        ),
    ],
)
def test_older_opsets_have_older_forms(before: onnx.ModelProto, after: dict[str, Any]) -> None:
    expected = run_onnx(before, {"x": X})["y"]
    down = opset_down(onnx.ModelProto.FromString(before.SerializeToString()), 13)
    node = down.graph.node[0]
    assert {a.name: helper.get_attribute_value(a) for a in node.attribute} == after
    assert opset_of(down) == 13
    assert down.ir_version == 7  # what ONNX 1.8 wrote, which had opset 13
    np.testing.assert_allclose(run_onnx(down, {"x": X})["y"], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("graph", "opset", "reason"),
    [
        (model("Reshape", {"x": X}, {"z": np.array([0, -1])}, allowzero=0), 13, None),
        (model("Mish", {"x": X}), 17, "there is no Mish"),
        (model("ReduceMean", {"x": X, "a": np.array([1])}), 13, "its axes must be constants"),
        (reduced([1], noop_with_empty_axes=1), 13, "its attribute noop_with_empty_axes is not"),
        (
            model(
                "GroupNormalization",
                {"x": X},
                {"s": weight(3), "b": weight(3)},
                opset=21,
                num_groups=3,
            ),
            20,
            "it means something else",
        ),
        (
            model("Pad", {"x": X}, {"p": np.array([0, 1]), "v": np.float32(0), "a": np.array([1])}),
            13,
            "it has no input 'axes'",
        ),
        (
            model("GridSample", {"x": X, "g": weight(2, 3, 3, 2)}, opset=20),
            16,
            "its attribute mode has another default",
        ),
        (model("Equal", {"x": X, "b": X}, opset=19, output=np.bool_), 13, None),
    ],
)
def test_what_an_older_opset_does_not_have(
    graph: onnx.ModelProto, opset: int, reason: str | None
) -> None:
    if reason is None:
        assert opset_of(opset_down(graph, opset)) == opset
        return
    operator = operators(graph)[0]
    with pytest.raises(ExportError, match=f"{operator} 'node' cannot be written in .*{reason}"):
        opset_down(graph, opset)


def test_types_that_an_older_opset_does_not_have() -> None:
    graph = model("Relu", {"x": np.array([1], np.int32)}, opset=14, output=np.int32)
    with pytest.raises(ExportError, match="opset 13 does not have the graph's types"):
        opset_down(graph, 13)


def test_an_opset_that_cannot_be_lowered_is_a_finding_with_the_reason() -> None:
    lowered = lower(model("Mish", {"x": X}), "8.2.1")
    opset, operator = lowered.findings
    assert (opset.subject, operator.subject) == ("opset 18", "Mish")
    assert opset.why.endswith("Mish 'node' cannot be written in opset 13: there is no Mish")
    assert opset.remedy == OTHER_OPERATOR


def test_a_graph_without_static_shapes_is_refused_with_the_remedy() -> None:
    graph = model("Gelu", {"x": X}, opset=20)
    graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    lowered = lower(graph, "8.2.1")
    assert lowered.passes == []
    (finding,) = lowered.findings
    assert (finding.kind, finding.where, finding.subject) == ("shape", "x", "[batch, 3, 6, 8]")
    assert "--overwrite-input-shape" in finding.remedy


def test_an_output_whose_shape_only_the_declaration_leaves_open_gets_its_numbers() -> None:
    graph = norm(-1)
    graph.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    lowered = lower(graph, "8.2.1")
    assert lowered.findings == []
    sides = lowered.model.graph.output[0].type.tensor_type.shape.dim
    assert [side.dim_value for side in sides] == list(X.shape)


def test_random_inputs_are_of_the_type_and_the_same_every_time() -> None:
    inputs = {
        "f": np.zeros((2, 3), np.float16),
        "u": np.zeros((9, 9), np.uint8),
        "i": np.zeros(40, np.int32),
        "b": np.zeros(40, np.bool_),
    }
    feeds = random_feeds(model("Sum", inputs))
    assert {name: (x.dtype, x.shape) for name, x in feeds.items()} == {
        name: (x.dtype, x.shape)  # type: ignore[attr-defined]
        for name, x in inputs.items()
    }
    assert feeds["u"].max() > 127
    assert set(feeds["i"]) == {0, 1}
    np.testing.assert_array_equal(feeds["f"], random_feeds(model("Sum", inputs))["f"])


def test_a_type_that_there_are_no_random_values_of() -> None:
    graph = model("Relu", {"x": X})
    graph.graph.input[0].type.tensor_type.elem_type = TensorProto.BFLOAT16
    with pytest.raises(ExportError, match="input x is bfloat16"):
        random_feeds(graph)


def test_operators_of_other_domains_are_all_that_is_said() -> None:
    graph = model("Gelu", {"x": X}, opset=20)
    graph.graph.node.append(helper.make_node("Magic", ["x"], ["z"], "magic", domain="org.example"))
    graph.opset_import.append(helper.make_opsetid("org.example", 1))
    assert [f.subject for f in lower(graph, "8.2.1").findings] == ["org.example::Magic"]


def test_constants_of_every_form_become_weights() -> None:
    graph = model("Add", {"x": X}, order=["x", "c"])
    graph.graph.node.insert(0, helper.make_node("Constant", [], ["c"], "c", value_float=2.0))
    expected = run_onnx(graph, {"x": X})["y"]
    lowered = lower(graph, "10.3")
    assert operators(lowered.model) == ["Add"]
    np.testing.assert_array_equal(run_onnx(lowered.model, {"x": X})["y"], expected)


def test_the_models_own_metadata_stays() -> None:
    graph = norm(-1)
    helper.set_model_props(graph, {"licence": "mine"})
    before = graph.SerializeToString()
    lowered = lower(graph, "8.2.1")
    assert [(p.key, p.value) for p in lowered.model.metadata_props] == [("licence", "mine")]
    assert graph.SerializeToString() == before


def test_the_number_of_steps_is_known_beforehand() -> None:
    for version in ("8.2.1", "10.3", "11.4"):
        done: list[str] = []
        lower(norm(-1), version, report=done.append)
        assert len(done) == steps_for(version)


@pytest.mark.parametrize("version", ["8", "7.1", "12.0"])
def test_unknown_versions(version: str) -> None:
    with pytest.raises(ArgumentError, match=r"8\.2"):
        lower(norm(-1), version)


def test_a_pass_that_changes_values_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(graph: onnx.ModelProto) -> onnx.ModelProto:
        graph.graph.node[0].op_type = "Neg"
        return graph

    monkeypatch.setattr(table, "REWRITES", (Rewrite(careless, "Relu", None),))
    with pytest.raises(VerificationError, match="the pass 'careless' changed y of graph by"):
        lower(model("Relu", {"x": X}), "10.3")


def test_a_pass_that_changes_the_border_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(graph: onnx.ModelProto) -> onnx.ModelProto:
        graph.graph.node[0].output[0] = graph.graph.output[0].name = "renamed"
        return graph

    monkeypatch.setattr(table, "REWRITES", (Rewrite(careless, "Relu", None),))
    with pytest.raises(ExportError, match=r"'careless' made \{'renamed': 'float32'\}"):
        lower(model("Relu", {"x": X}), "10.3")


def our_graph(network: Any, spec: GraphSpec, opset: int) -> tuple[onnx.ModelProto, dict[str, Any]]:
    feeds = {
        name: x.numpy() for name, x in zip(spec.input_names, example_inputs(spec), strict=True)
    }
    return run_passes(trace(getattr(network, spec.name), spec, opset), spec, feeds)[0], feeds


@pytest.mark.parametrize(("opset", "tensorrt"), [(13, "8.2.1"), (16, "8.5.2"), (17, "10.3.0")])
@pytest.mark.parametrize("name", [spec.name for spec in FAMILY.graphs])
def test_our_graphs_with_a_float_image_are_taken(
    fused: Any, bound: Any, name: str, opset: int, tensorrt: str
) -> None:
    graph, feeds = our_graph(fused, bound(name, 240), opset)
    expected = run_onnx(graph, feeds)
    after = float_image(graph)
    onnx.checker.check_model(after, full_check=True)
    assert preflight(after, tensorrt) == []
    floats = {k: v.astype(np.float32) if v.dtype == np.uint8 else v for k, v in feeds.items()}
    actual = run_onnx(after, floats)
    assert max(compare(actual[key], expected[key]).relative for key in expected) <= 1e-5


@pytest.mark.parametrize("name", [spec.name for spec in FAMILY.graphs])
def test_our_graphs_of_opset_17_are_lowered_to_jetpack_4(fused: Any, bound: Any, name: str) -> None:
    graph, feeds = our_graph(fused, bound(name, 240), 17)
    lowered = lower(graph, "8.2.1", feeds)
    assert lowered.findings == []
    assert opset_of(lowered.model) == 13
    assert max(applied.relative for applied in lowered.passes) < 1e-6
