from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from sam2lite.errors import ArgumentError
from sam2lite.exporter.bundle.writer import write_bundle
from sam2lite.exporter.onnx.backend import PLAIN
from sam2lite.exporter.tensorrt.preflight import Finding, preflight, preflight_folder
from sam2lite.exporter.tensorrt.preflight_limits import CHECKS
from sam2lite.models.loaded import LoadedModel
from sam2lite.targets.tensorrt.limits import LIMITS
from sam2lite.targets.tensorrt.ops import OPERATORS, REMEDIES

ENCODER, DECODER = "image_encoder@240", "mask_decoder@240"
MEMORY, SELECT = "memory_encoder@240", "memory_select"


def model(
    operator: str,
    inputs: int = 1,
    outputs: int = 1,
    *,
    opset: int = 17,
    constants: Sequence[onnx.TensorProto] = (),
    types: Sequence[int] = (TensorProto.FLOAT, TensorProto.FLOAT),
    shape: Sequence[int | str] = (1, 4, 8, 8),
    domain: str = "",
    **attributes: Any,
) -> onnx.ModelProto:
    """Return one node: inputs x0, x1, ..., then the constants; outputs y0, y1, ..."""
    names = [f"x{index}" for index in range(inputs)]
    made = [f"y{index}" for index in range(outputs)]
    node = helper.make_node(
        operator, [*names, *(c.name for c in constants)], made, "node", domain=domain, **attributes
    )
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info(name, types[0], shape) for name in names],
        [helper.make_tensor_value_info(name, types[1], shape) for name in made],
        initializer=constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def constant(name: str, values: Sequence[float], dtype: int = TensorProto.INT64) -> Any:
    return helper.make_tensor(name, dtype, [len(values)], values)


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def test_a_plain_graph_has_no_findings() -> None:
    for version in ("8.2.1", "8.5", "8.6", "10.3", "10.16", "11.4.1"):
        assert preflight(model("Relu", opset=13), version) == []


@pytest.mark.parametrize(
    ("operator", "version", "first"),
    [
        ("LayerNormalization", "8.5.2", "8.6"),
        ("Gelu", "8.6", "10.0"),
        ("Attention", "10.13", "10.14"),
        ("Trilu", "8.2.1", "8.5"),
        ("Xor", "8.2.1", "8.4"),
        ("MatMulInteger", "11.1", None),
        ("Unique", "11.1", None),  # nothing is known about how to do without
    ],
)
def test_an_operator_that_is_too_new(operator: str, version: str, first: str | None) -> None:
    shape = (4, 8, 8) if operator == "Trilu" else (1, 4, 8, 8)  # 8.5 has it up to 3 dimensions
    graph = model(operator, opset=13, shape=shape)
    finding = only(preflight(graph, version))
    assert (finding.kind, finding.where, finding.subject) == ("operator", "node", operator)
    assert finding.first_version == first
    assert finding.remedy
    if first is not None:
        assert preflight(graph, first) == []


def test_layer_norm_is_remedied_by_an_older_opset() -> None:
    finding = only(preflight(model("LayerNormalization", 2), "8.5"))
    assert "--opset 16" in finding.remedy


def test_an_operator_of_another_domain_needs_a_plugin() -> None:
    finding = only(preflight(model("Gelu", domain="com.microsoft", opset=13), "11.1"))
    assert finding.subject == "com.microsoft::Gelu"
    assert finding.first_version is None


def test_operators_in_branches_are_found() -> None:
    # The branches' node is one that 8.2 does not have; If itself it takes.
    then, other = (
        helper.make_graph(
            [helper.make_node("Trilu", ["x0"], [name], "inner")],
            "branch",
            [],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4, 8, 8])],
        )
        for name in "te"
    )
    outer = model("Relu", opset=13)
    outer.graph.node.append(
        helper.make_node("If", ["c"], ["z"], "if", then_branch=then, else_branch=other)
    )
    outer.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, [1]))
    assert [finding.where for finding in preflight(outer, "8.2")] == ["inner", "inner"]


@pytest.mark.parametrize(
    ("opset", "version", "first"),
    [(14, "8.2", "8.4"), (18, "8.6", "10.0"), (21, "10.3", "10.9"), (23, "10.9", "10.13")],
)
def test_an_opset_that_is_too_new(opset: int, version: str, first: str) -> None:
    finding = only(preflight(model("Relu", opset=opset), version))
    assert (finding.kind, finding.where, finding.first_version) == ("opset", "graph", first)
    assert "--opset" in finding.remedy
    assert preflight(model("Relu", opset=opset), first) == []


def test_an_opset_that_no_parser_knows() -> None:
    newest = model("Relu")
    newest.opset_import[0].version = 99
    assert preflight(newest, "11.1")[0].first_version is None


@pytest.mark.parametrize(
    ("dtype", "name", "refused", "first", "remedy"),
    [
        (TensorProto.UINT8, "UINT8", "8.2.1", "8.5", "float32"),
        (TensorProto.INT64, "INT64", "8.6", "9.0", "int32"),
        (TensorProto.BFLOAT16, "BFLOAT16", "8.6", "9.0", "float32"),
        (TensorProto.DOUBLE, "DOUBLE", "11.1", None, "float32"),
        (TensorProto.UINT16, "UINT16", "11.1", None, "int32"),
    ],
)
def test_types_at_the_border(
    dtype: int, name: str, refused: str, first: str | None, remedy: str
) -> None:
    # An input of the type, cast to float; then an output of it, cast from float.
    given = model("Cast", types=(dtype, TensorProto.FLOAT), opset=13, to=TensorProto.FLOAT)
    returned = model("Cast", types=(TensorProto.FLOAT, dtype), opset=13, to=dtype)
    for graph, where in ((given, "x0"), (returned, "y0")):
        finding = only(preflight(graph, refused))
        assert (finding.kind, finding.where, finding.subject) == ("type", where, name)
        assert finding.first_version == first
        assert remedy in finding.remedy
        if first is not None:
            assert preflight(graph, first) == []


@pytest.mark.parametrize(
    ("graph", "version", "taken"),
    [
        (model("Cast", types=(TensorProto.UINT8, TensorProto.FLOAT16), to=10), "8.6", True),
        (model("Cast", types=(TensorProto.UINT8, TensorProto.INT32), to=6), "8.6", False),
        (model("Transpose", types=(TensorProto.UINT8, TensorProto.UINT8)), "10.3", False),
    ],
)
def test_bytes_can_only_be_cast_to_float(graph: onnx.ModelProto, version: str, taken: bool) -> None:
    findings = preflight(graph, version)
    if taken:
        assert findings == []
    else:
        finding = only(findings)
        assert (finding.kind, finding.where, finding.subject) == ("type", "node", "UINT8")
        assert "float32" in finding.remedy


@pytest.mark.parametrize(
    ("shape", "printed"), [(("batch", 4, 8, 8), "[batch, 4, 8, 8]"), ((1, -1), "[1, -1]")]
)
def test_shapes_must_be_static(shape: Sequence[int | str], printed: str) -> None:
    findings = preflight(model("Relu", opset=13, shape=shape), "10.3")
    assert [(f.kind, f.where, f.subject) for f in findings] == [
        ("shape", "x0", printed),
        ("shape", "y0", printed),
    ]


def test_a_shape_that_is_not_said() -> None:
    graph = model("Relu", opset=13)
    graph.graph.output[0].type.tensor_type.ClearField("shape")
    assert only(preflight(graph, "10.3")).subject == "unknown"


ZERO, SHIFTED = constant("p", [0], TensorProto.INT8), constant("p", [3], TensorProto.INT8)
UNSIGNED = constant("p", [0], TensorProto.UINT8)
SCALE = constant("s", [1.0], TensorProto.FLOAT)


@pytest.mark.parametrize(
    ("check", "graph", "version", "first"),
    [
        ("variable_input", model("TopK", 2, opset=13), "8.5", "8.6"),
        ("k_from", model("TopK", constants=[constant("k", [3840])]), "10.3", None),
        ("unsorted", model("TopK", constants=[constant("k", [9])], sorted=0), "10.3", None),
        ("variable_input", model("Conv", 2, opset=13), "8.2", "8.5"),
        ("variable_input", model("CumSum", 2, opset=13), "11.1", None),
        ("variable_input", model("OneHot", 3, opset=13), "10.3", None),
        ("variable_input", model("Unsqueeze", 2, opset=13), "11.1", None),
        ("variable_input", model("ReduceSum", 2, opset=13), "8.6", None),
        ("variable_input", model("Slice", 4, opset=13), "8.6", "10.3"),
        ("cubic", model("Resize", opset=13, mode="cubic"), "8.2", "8.5"),
        ("antialias", model("Resize", opset=18, antialias=1), "10.16", None),
        ("einsum_form", model("Einsum", opset=13, equation="...ij -> ...ji"), "8.6", "10.12"),
        ("einsum_form", model("Einsum", opset=13, equation="ii->i"), "8.6", "10.12"),
        ("rank_not", model("GridSample", 2, shape=(1, 2, 3, 4, 5)), "10.3", None),
        ("rank_not", model("Attention", 3, opset=23, shape=(1, 16, 64)), "10.16", None),
        ("more_outputs", model("Attention", 3, 3, opset=23), "10.16", None),
        ("reduction_attribute", model("ScatterND", 3, reduction="add"), "11.1", None),
        ("reduction_attribute", model("ScatterElements", 3, reduction="add"), "8.6", "10.0"),
        ("opset_from", model("GroupNormalization", 3, opset=21), "10.8", "10.9"),
        ("more_outputs", model("LayerNormalization", 2, 2), "8.6", None),
        ("zero_point", model("QuantizeLinear", constants=[SCALE, SHIFTED]), "8.5", None),
        ("zero_point", model("DequantizeLinear", constants=[SCALE, SHIFTED]), "10.3", None),
        ("unsigned", model("QuantizeLinear", constants=[SCALE, UNSIGNED]), "8.5", None),
        ("unsigned", model("QuantizeLinear", constants=[SCALE]), "8.6", None),
        ("no_zero_point", model("DequantizeLinear", constants=[SCALE]), "8.5", "8.6"),
    ],
)
def test_limits(check: str, graph: onnx.ModelProto, version: str, first: str | None) -> None:
    findings = [f for f in preflight(graph, version) if f.kind == "limit"]
    finding = only(findings)
    operator = graph.graph.node[0].op_type
    concerned = [limit for limit in LIMITS if operator in limit.operators and limit.check == check]
    assert finding.why in [limit.why for limit in concerned]
    assert (finding.where, finding.subject, finding.first_version) == ("node", operator, first)
    assert finding.remedy
    if first is not None:
        assert [f for f in preflight(graph, first) if f.kind == "limit"] == []


@pytest.mark.parametrize(
    "graph",
    [
        model("TopK", constants=[constant("k", [32])], opset=13),
        model("QuantizeLinear", constants=[SCALE, ZERO], opset=13),
        model("DequantizeLinear", constants=[SCALE, ZERO], opset=13),
        model("Einsum", 2, opset=13, equation="bij,bjk->bik"),
        model("Resize", opset=13, mode="linear"),
        model("Conv", constants=[constant("w", [1.0], TensorProto.FLOAT)], opset=13),
        model("ScatterND", 3, opset=16, reduction="none"),
    ],
)
@pytest.mark.parametrize("version", ["8.5", "10.3", "11.1"])
def test_forms_that_are_taken(graph: onnx.ModelProto, version: str) -> None:
    assert preflight(graph, version) == []


def test_quantized_weights_are_constants() -> None:
    graph = model("Conv", constants=[constant("dq", [0.0], TensorProto.FLOAT)], opset=13)
    del graph.graph.initializer[:]
    graph.graph.initializer.extend([constant("w", [1], TensorProto.INT8), SCALE, ZERO])
    graph.graph.node.insert(0, helper.make_node("DequantizeLinear", ["w", "s", "p"], ["dq"]))
    assert preflight(graph, "8.2") == []


@pytest.mark.parametrize("version", ["8", "8.x", "", "7.1", "12.0"])
def test_versions_that_nothing_is_known_about(version: str) -> None:
    with pytest.raises(ArgumentError, match=r"8\.2"):
        preflight(model("Relu"), version)


def test_tables_fit_together() -> None:
    assert {limit.check for limit in LIMITS} == set(CHECKS)
    assert all(name in OPERATORS for limit in LIMITS for name in limit.operators)
    assert set(REMEDIES) - set(OPERATORS) == {
        "QLinearConv",
        "QLinearMatMul",
        "ConvInteger",
        "MatMulInteger",
        "DynamicQuantizeLinear",
    }


@pytest.fixture(scope="module")
def folders(
    mini_model: LoadedModel, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, tuple[Path, Any]]:
    """Our four graphs at 240 px, by opset."""
    made = {}
    for opset in (13, 16, 17):
        path = tmp_path_factory.mktemp("graphs") / str(opset)
        target = PLAIN._replace(opset=opset)
        made[opset] = path, write_bundle(mini_model, target, path, rungs=[240])
    return made


LAYER_NORM = ("operator", "LayerNormalization", "8.6")
OPSET_17 = ("opset", "opset 17", "8.4")
BYTES = ("type", "UINT8", "8.5")


@pytest.mark.parametrize(
    ("opset", "version", "expected"),
    [
        (13, "8.2.1", {ENCODER: {BYTES: 1}}),
        (16, "8.5.2", {}),
        (17, "8.6", {}),
        (17, "10.3", {}),
        (17, "10.16", {}),
        (17, "11.4.1", {}),
        (
            17,
            "8.5.2",
            {ENCODER: {LAYER_NORM: 3}, DECODER: {LAYER_NORM: 14}, MEMORY: {LAYER_NORM: 1}},
        ),
        (
            17,
            "8.2.1",
            {
                ENCODER: {OPSET_17: 1, BYTES: 1, LAYER_NORM: 3},
                DECODER: {OPSET_17: 1, LAYER_NORM: 14},
                MEMORY: {OPSET_17: 1, LAYER_NORM: 1},
                SELECT: {OPSET_17: 1},
            },
        ),
    ],
)
def test_our_graphs(
    folders: dict[int, tuple[Path, Any]],
    opset: int,
    version: str,
    expected: dict[str, dict[tuple[str, str, str], int]],
) -> None:
    findings = preflight_folder(*folders[opset], version)
    assert set(findings) == {ENCODER, DECODER, MEMORY, SELECT}
    found = {
        key: Counter((f.kind, f.subject, f.first_version) for f in listed)
        for key, listed in findings.items()
        if listed
    }
    assert found == expected


def test_the_image_is_what_jetpack_4_refuses(folders: dict[int, tuple[Path, Any]]) -> None:
    finding = only(preflight_folder(*folders[13], "8.2.1")[ENCODER])
    assert finding.where == "image_bchw"
    assert "float32" in finding.remedy
