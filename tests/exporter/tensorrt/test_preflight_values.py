"""Types of inputs and values of attributes, version by version, as the parsers' sources say."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sam2lite.exporter.tensorrt.preflight import preflight
from sam2lite.targets.tensorrt.attributes import ATTRIBUTE_LIMITS
from sam2lite.targets.tensorrt.ops import OPERATORS
from sam2lite.targets.tensorrt.types import TYPE_LIMITS, VALUE_TYPES

F, H, I32, I64, B = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.INT32,
    TensorProto.INT64,
    TensorProto.BOOL,
)
SHAPE = [1, 4, 8, 8]


def between(
    operator: str, dtype: int, inputs: int = 1, more: Any = (), opset: int = 13, **attributes: Any
) -> onnx.ModelProto:
    """One node whose values have a type that is not at the border: casts lead to it and away.

    `more` are constants, given after the inputs.
    """
    names = [f"x{index}" for index in range(inputs)]
    constants = [
        numpy_helper.from_array(np.asarray(value), f"c{index}") for index, value in enumerate(more)
    ]
    nodes = [helper.make_node("Cast", [name], [name + "t"], name, to=dtype) for name in names]
    made = helper.make_node(
        operator,
        [*(n + "t" for n in names), *(c.name for c in constants)],
        ["t", "indices"][: 1 + (operator == "TopK")],
        "node",
        **attributes,
    )
    graph = helper.make_graph(
        [*nodes, made, helper.make_node("Cast", ["t"], ["y"], "back", to=F)],
        "graph",
        [helper.make_tensor_value_info(name, F, SHAPE) for name in names],
        [helper.make_tensor_value_info("y", F, SHAPE)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


@pytest.mark.parametrize(
    ("graph", "refused", "taken"),
    [
        (between("TopK", I32, more=[np.array([1])]), ["8.2", "8.4", "8.5.2"], ["8.6", "10.3"]),
        (between("TopK", I64, more=[np.array([1])]), ["8.2", "8.5"], ["8.6", "10.3"]),
        (between("ArgMax", I32), ["8.2", "8.5"], ["8.6", "10.3"]),
        (between("MatMul", I32, 2), ["8.2", "8.6", "10.3", "11.1"], []),
        (between("MatMul", F, 2), [], ["8.2", "10.3"]),
        (between("Relu", I32, opset=14), ["8.4", "10.3"], []),
        (between("Resize", I32, more=[np.array([], np.float32)] * 2), ["8.2", "8.4"], ["8.5"]),
        (between("Gather", B, more=[np.array([0])]), ["8.2", "8.4"], ["8.5", "10.3"]),
        (between("Where", B, 3), ["8.2", "8.4"], ["8.5"]),
        (between("Equal", B, 2), ["8.2", "8.4"], ["8.5"]),
        (between("Pow", I64, 2), ["8.2", "8.6", "10.3"], []),
        (between("Add", I32, 2), [], ["8.2", "10.3"]),
        (between("ReduceSum", I64), [], ["8.2", "10.3"]),
        (between("ReduceL2", I32), ["8.2", "10.3"], []),
        (between("Sign", I32), ["8.2", "8.6"], ["10.3"]),
        (between("Add", TensorProto.UINT32, 2), ["8.2", "8.6", "10.3", "11.1"], []),
        (between("Add", TensorProto.INT16, 2), ["8.2", "11.1"], []),
        (between("Add", TensorProto.BFLOAT16, 2), ["8.2", "8.6"], ["10.3"]),
        (between("Abs", TensorProto.UINT8), ["8.2", "8.6", "10.3"], []),
        (between("Identity", TensorProto.DOUBLE), [], ["8.2", "10.3"]),
    ],
)
def test_types(graph: onnx.ModelProto, refused: list[str], taken: list[str]) -> None:
    for version in refused:
        found = [f for f in preflight(graph, version) if f.kind == "type"]
        assert found, version
        assert all(f.remedy for f in found)
        if taken and found[0].subject != "BFLOAT16":
            assert found[0].first_version == taken[0] or taken[0] not in ("8.5", "8.6")
    for version in taken:
        assert [f for f in preflight(graph, version) if f.kind == "type"] == []


def single(operator: str, inputs: int = 1, opset: int = 13, **attributes: Any) -> onnx.ModelProto:
    names = [f"x{index}" for index in range(inputs)]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"], "node", **attributes)],
        "graph",
        [helper.make_tensor_value_info(name, F, SHAPE) for name in names],
        [helper.make_tensor_value_info("y", F, SHAPE)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


BAD_VALUES: dict[str, Any] = {
    "training_mode": 1,
    "dilations": [1, 2],
    "p": 3,
    "input_forget": 1,
    "layout": 1,
    "dtype": 11,
    "keep_aspect_ratio_policy": "not_larger",
    "coordinate_transformation_mode": "tf_crop_and_resize",
}
BAD_MODES = {"Pad": "wrap", "Resize": "quintic", "Upsample": "cubic", "GridSample": "cubic"}


@pytest.mark.parametrize("limit", ATTRIBUTE_LIMITS)
def test_values_of_attributes(limit: Any) -> None:
    for operator in limit.operators:
        bad: Any = BAD_MODES[operator] if limit.attribute == "mode" else BAD_VALUES[limit.attribute]
        since = ".".join(map(str, max(limit.since, OPERATORS[operator])))
        words = f"{limit.attribute}={bad}: {limit.why}"
        given: dict[str, Any] = {limit.attribute: bad}
        found = preflight(single(operator, **given), since)
        assert words in [f.why for f in found]
        taken: dict[str, Any] = {limit.attribute: limit.taken[-1]}
        good = [single(operator), single(operator, **taken)]
        if limit.attribute != "dilations":
            for graph in good:
                whys = [f.why for f in preflight(graph, since)]
                assert not [why for why in whys if why.startswith(limit.attribute + "=")]
        if limit.until is not None:
            later = preflight(single(operator, **given), ".".join(map(str, limit.until)))
            assert words not in [f.why for f in later]


@pytest.mark.parametrize(
    ("check", "graph", "version", "first"),
    [
        ("bias must be", single("Conv", 3), "8.2", "8.4"),
        ("bias must be", single("ConvTranspose", 3), "8.4", "8.5"),
        ("scale and bias", single("InstanceNormalization", 3), "8.5", "8.6"),
        ("thresholds", single("NonMaxSuppression", 5), "8.4", "8.5"),
        ("training mode", single("Dropout", 3), "11.1", None),
        ("scales must", single("Resize", 3), "8.2", "8.4"),
        ("of floats", single("Range", 3), "8.2", "8.4"),
        (
            "round_prefer_floor",
            single(
                "Resize",
                nearest_mode="ceil",
                coordinate_transformation_mode="tf_half_pixel_for_nn",
            ),
            "10.3",
            None,
        ),
        ("one more", single("AveragePool", pads=[2, 0, 0, 0]), "8.2", "8.4"),
        ("negative", single("ConvTranspose", 2, pads=[-1, 0, 0, 0]), "10.3", None),
        ("text and sparse", single("Constant", 0, value_string="a"), "10.3", None),
    ],
)
def test_forms(check: str, graph: onnx.ModelProto, version: str, first: str | None) -> None:
    assert [f for f in preflight(graph, version) if check in f.why]
    if first is not None:
        assert not [f for f in preflight(graph, first) if check in f.why]


def branch(name: str, shape: list[int]) -> onnx.GraphProto:
    value = helper.make_tensor_value_info(name, F, shape)
    return helper.make_graph([helper.make_node("Relu", ["x0"], [name])], name, [], [value])


def test_branches_of_different_ranks() -> None:
    graph = single("If", 1, then_branch=branch("a", SHAPE), else_branch=branch("b", [4, 8]))
    for version in ("8.2", "8.6", "10.3"):
        assert [f for f in preflight(graph, version) if "same number of dimensions" in f.why]


@pytest.mark.parametrize("index", [0, 1])
def test_linear_resizes_of_the_last_three_dimensions(index: int) -> None:
    scales = [np.array([2, 1, 1, 1], np.float32), np.array([1, 2, 2, 2], np.float32)][index]
    graph = single("Resize", mode="linear")
    graph.graph.node[0].input[:] = ["x0", "", "s"]
    graph.graph.initializer.append(numpy_helper.from_array(scales, "s"))
    found = [f for f in preflight(graph, "8.5") if "last three" in f.why]
    assert len(found) == 1 - index


def test_constants_beyond_32_bits() -> None:
    def adding(values: Any, operator: str) -> onnx.ModelProto:
        return between(operator, I64, 1, more=[np.array(values, np.int64)])

    for values in ([2**40], [-(2**31) - 1, 0]):
        (finding,) = preflight(adding(values, "Add"), "8.6")
        assert (finding.kind, finding.where, finding.first_version) == ("limit", "c0", "9.0")
        assert str(values[0]) in finding.why
        assert preflight(adding(values, "Add"), "10.3") == []
    assert preflight(adding([2**31 - 1, -(2**31)], "Add"), "8.2") == []


def test_the_end_of_a_slice_may_be_as_far_as_it_likes() -> None:
    graph = single("Slice")
    graph.graph.node[0].input[:] = ["x0", "from", "to"]
    for name, value in (("from", -(2**63)), ("to", 2**63 - 1)):
        graph.graph.initializer.append(numpy_helper.from_array(np.array([value]), name))
    assert preflight(graph, "8.2") == []
    graph.graph.node.append(helper.make_node("Add", ["to", "to"], ["z"]))
    assert [f.where for f in preflight(graph, "8.2")] == ["to"]


def test_the_tables_speak_of_known_names() -> None:
    known = set(TensorProto.DataType.keys())
    assert set(VALUE_TYPES) <= known
    for limit in TYPE_LIMITS:
        assert set(limit.operators) <= set(OPERATORS)
        assert set(limit.refused) <= known
    for entry in ATTRIBUTE_LIMITS:
        assert set(entry.operators) <= set(OPERATORS)
