from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import ExportError, VerificationError
from sam2lite.exporter.onnx.passes import pipeline
from sam2lite.exporter.onnx.passes.checked import check_pass
from sam2lite.exporter.onnx.passes.constants import constants
from sam2lite.exporter.onnx.passes.names import names
from sam2lite.exporter.onnx.passes.pipeline import PASSES, REGISTRY, run_passes
from sam2lite.exporter.onnx.passes.rows import rows
from sam2lite.exporter.onnx.passes.shapes import shapes
from sam2lite.exporter.onnx.passes.simplify import simplify
from sam2lite.exporter.onnx.passes.static import FORBIDDEN, static
from sam2lite.exporter.onnx.trace import example_inputs, trace
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE, run_onnx
from sam2lite.models.sam2lite.network import Sam2Lite
from tests.exporter.conftest import Specs

NAMES = [spec.name for spec in FAMILY.graphs]
SPEC = GraphSpec(
    "toy", (TensorSpec("x_bn", "float32", (1, 4)),), (TensorSpec("y_bn", "float32", (1, 4)),)
)


def toy(
    nodes: Sequence[onnx.NodeProto],
    initializers: Sequence[onnx.TensorProto] = (),
    output_shape: Sequence[int | str] = (1, 4),
    opset: int = 17,
) -> onnx.ModelProto:
    """A model from x_bn to y_bn."""
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("x_bn", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y_bn", TensorProto.FLOAT, output_shape)],
        list(initializers),
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)])


def tensor(name: str, values: Any, dtype: Any = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def scaled() -> onnx.ModelProto:
    """x * 2 with everything that the passes are for: a Constant, a foldable Add, a number."""
    return toy(
        [
            helper.make_node("Constant", [], ["one"], value=tensor("", 1.0), name="/one"),
            helper.make_node("Add", ["one", "onnx::Add_7"], ["two"], name="/Add"),
            helper.make_node("Mul", ["x_bn", "two"], ["z"], name="/scale/Mul"),
            helper.make_node("Add", ["z", "onnx::Add_8"], ["y_bn"], name="/scale/Add"),
        ],
        [tensor("onnx::Add_7", 1.0), tensor("onnx::Add_8", [0.0, 1.0, 2.0, 3.0])],
    )


def feeds(spec: GraphSpec) -> dict[str, np.ndarray]:
    return dict(zip(spec.input_names, (x.numpy() for x in example_inputs(spec)), strict=True))


def test_registry_holds_every_pass_once() -> None:
    assert len(REGISTRY) == len(PASSES)
    assert list(REGISTRY.values()) == list(PASSES)


@pytest.mark.parametrize("apply", PASSES)
def test_every_pass_shows_what_it_does(apply: Callable[[onnx.ModelProto], onnx.ModelProto]) -> None:
    for heading in ("**Given:**", "**Result:**", "Parity:"):
        assert heading in str(apply.__doc__)


def test_constants_become_initializers() -> None:
    model = constants(scaled())
    assert [node.op_type for node in model.graph.node] == ["Add", "Mul", "Add"]
    assert "one" in [item.name for item in model.graph.initializer]


def token_graph() -> onnx.ModelProto:
    """Tokens through a linear layer, ReLU, a sum with a table, and a transposition out."""
    x = helper.make_tensor_value_info("x_bnc", TensorProto.FLOAT, [1, 5, 4])
    y = helper.make_tensor_value_info("y_bcn", TensorProto.FLOAT, [1, 3, 5])
    rng = np.random.default_rng(0)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x_bnc", "weight"], ["product"], name="/fc/MatMul"),
            helper.make_node("Add", ["bias", "product"], ["sum"], name="/fc/Add"),
            helper.make_node("Relu", ["sum"], ["relu"], name="/Relu"),
            helper.make_node("Add", ["relu", "table"], ["placed"], name="/Add"),
            helper.make_node("Transpose", ["placed"], ["turned"], name="/T", perm=[0, 2, 1]),
            helper.make_node("Neg", ["turned"], ["y_bcn"], name="/Neg"),
        ],
        "tokens",
        [x],
        [y],
        [
            tensor("weight", rng.normal(size=(4, 3))),
            tensor("bias", rng.normal(size=3)),
            tensor("table", rng.normal(size=(1, 5, 3))),
        ],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def test_rows_writes_linear_layers_as_gemm_on_two_axes() -> None:
    before, after = token_graph(), rows(token_graph())
    assert [node.op_type for node in after.graph.node] == [
        *("Reshape", "Gemm", "Relu", "Add", "Transpose"),
        *("Reshape", "Neg"),  # Neg is none of those that it knows, and gets all its axes
    ]
    assert next(n.name for n in after.graph.node if n.op_type == "Gemm") == "/fc/MatMul"
    x = {"x_bnc": np.random.default_rng(1).normal(size=(1, 5, 4)).astype(np.float32)}
    expected, actual = run_onnx(before, x), run_onnx(after, x)
    np.testing.assert_allclose(actual["y_bcn"], expected["y_bcn"], atol=1e-6)


def test_rows_leaves_a_product_that_others_want_too() -> None:
    model = token_graph()
    model.graph.node[5].input[0] = "turned"
    model.graph.node.insert(1, helper.make_node("Neg", ["product"], ["other"], name="/Other"))
    assert "Gemm" not in [node.op_type for node in rows(model).graph.node]


def test_simplify_folds_and_merges() -> None:
    model = simplify(constants(scaled()))
    assert [node.name for node in model.graph.node] == ["/scale/Mul", "/scale/Add"]
    assert len(model.graph.initializer) == 2
    assert not model.metadata_props


def test_simplify_reports_a_broken_graph() -> None:
    broken = toy([helper.make_node("Relu", ["nothing"], ["y_bn"])])
    with pytest.raises(ExportError, match="onnxsim failed"):
        simplify(broken)


def test_numbered_initializers_are_named_after_their_reader() -> None:
    model = names(scaled())
    assert [item.name for item in model.graph.initializer] == ["/Add:1", "/scale/Add:1"]
    assert [list(node.input) for node in model.graph.node if node.name == "/scale/Add"] == [
        ["z", "/scale/Add:1"]
    ]


def test_shapes_of_every_value_are_written_down() -> None:
    model = shapes(scaled())
    assert {value.name for value in model.graph.value_info} >= {"two", "z"}


@pytest.mark.parametrize(
    "model",
    [
        toy([helper.make_node("Relu", ["nothing"], ["y_bn"])]),
        toy([helper.make_node("Relu", ["x_bn"], ["y_bn"])], output_shape=(1, 5)),
        toy(
            [
                helper.make_node("Relu", ["late"], ["y_bn"]),
                helper.make_node("Relu", ["x_bn"], ["late"]),
            ]
        ),
    ],
    ids=["unknown input", "wrong shape", "wrong order"],
)
def test_shapes_refuses_an_invalid_graph(model: onnx.ModelProto) -> None:
    with pytest.raises(ExportError, match="not valid ONNX"):
        shapes(model)


@pytest.mark.parametrize("op_type", FORBIDDEN)
def test_static_refuses_a_forbidden_operator(op_type: str) -> None:
    model = toy([helper.make_node(op_type, ["x_bn"], ["y_bn"], name="/bad")])
    with pytest.raises(ExportError, match=f"node /bad is a {op_type}: "):
        static(model)


def test_static_refuses_another_domain() -> None:
    model = toy([helper.make_node("Gelu", ["x_bn"], ["y_bn"], name="/g", domain="com.microsoft")])
    with pytest.raises(ExportError, match=r"/g is a Gelu of the domain com\.microsoft"):
        static(model)


def test_static_refuses_a_value_without_a_fixed_shape() -> None:
    model = toy([helper.make_node("Relu", ["x_bn"], ["y_bn"], name="/r")], output_shape=("n", 4))
    with pytest.raises(ExportError, match="/r is a Relu and its output y_bn has no fixed shape"):
        static(model)


@pytest.mark.parametrize("opset", [13, 17])
@pytest.mark.parametrize("name", NAMES)
def test_passes_keep_values_and_the_tracers_names(
    fused: Sam2Lite, bound: Specs, name: str, opset: int
) -> None:
    spec = bound(name, 240)
    traced = trace(getattr(fused, name), spec, opset)
    before = onnx.ModelProto.FromString(traced.SerializeToString())
    model, reports = run_passes(traced, spec, feeds(spec))
    assert [report.name for report in reports] == list(REGISTRY)
    assert reports[-1].nodes == len(model.graph.node) < len(before.graph.node)
    assert max(report.relative for report in reports) < 1e-6
    own = {n.name for n in model.graph.node if not n.name.endswith((":rows", ":whole"))}
    assert own <= {node.name for node in before.graph.node}
    assert not [item.name for item in model.graph.initializer if "onnx::" in item.name]


def test_passes_are_repeatable(fused: Sam2Lite, bound: Specs) -> None:
    spec = bound("image_encoder", 240)
    once, again = (
        run_passes(trace(fused.image_encoder, spec, 17), spec, feeds(spec))[0] for _ in range(2)
    )
    assert once.SerializeToString(deterministic=True) == again.SerializeToString(deterministic=True)


def test_a_pass_that_changes_values_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(model: onnx.ModelProto) -> onnx.ModelProto:
        model.graph.initializer[-1].CopyFrom(
            tensor(model.graph.initializer[-1].name, [0.0, 1.0, 2.0, 4.0])
        )
        return model

    monkeypatch.setitem(pipeline.REGISTRY, "names", careless)
    with pytest.raises(VerificationError, match="'names' changed y_bn of toy by"):
        run_passes(scaled(), SPEC, feeds(SPEC))


def test_a_pass_that_renames_an_output_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(model: onnx.ModelProto) -> onnx.ModelProto:
        model.graph.node[-1].output[0] = model.graph.output[0].name = "renamed"
        return model

    monkeypatch.setitem(pipeline.REGISTRY, "names", careless)
    with pytest.raises(ExportError, match=r"toy after the pass 'names' has the outputs renamed"):
        run_passes(scaled(), SPEC, feeds(SPEC))


@pytest.mark.parametrize(
    ("change", "message"),
    [({"dtype": "float16"}, r"y_bn float16\[1, 4\]"), ({"shape": (1, 5)}, r"y_bn float32\[1, 5\]")],
)
def test_a_trace_that_breaks_its_spec_is_caught(change: dict[str, Any], message: str) -> None:
    spec = SPEC._replace(outputs=(SPEC.outputs[0]._replace(**change),))
    with pytest.raises(ExportError, match=f"after the trace .* instead of {message}"):
        run_passes(scaled(), spec, feeds(SPEC))


def test_checker_accepts_the_result(fused: Sam2Lite, bound: Specs) -> None:
    spec = bound("memory_encoder", 288)
    model, _ = run_passes(trace(fused.memory_encoder, spec, 13), spec, feeds(spec))
    onnx.checker.check_model(model, full_check=True)


def test_a_graph_that_multiplies_roundings_may_round_anew() -> None:
    model = toy(
        [
            helper.make_node("Mul", ["x_bn", "steep"], ["z"]),
            helper.make_node("Sin", ["z"], ["y_bn"]),
        ],
        [tensor("steep", 1e4)],
    )
    given = {"x_bn": np.array([[0.31, 0.77, 1.2, 0.9]], np.float32)}
    values = run_onnx(model, given)["y_bn"]
    with pytest.raises(VerificationError, match="'other' changed y_bn"):
        check_pass("other", model, given, {"y_bn": values + np.float32(0.1)})
    report = check_pass("other", model, given, {"y_bn": values + np.float32(1e-3)})
    assert report.relative > GRAPH_TOLERANCE
    steady = toy([helper.make_node("Relu", ["x_bn"], ["y_bn"])])
    with pytest.raises(VerificationError, match="'other' changed y_bn"):
        check_pass("other", steady, given, {"y_bn": given["x_bn"] + np.float32(1e-3)})
