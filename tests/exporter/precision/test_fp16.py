"""FP16 that is computed in: what is pinned, what overflows, and how near the outputs stay."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sam2lite.calibration.calibrate import CalibrationSettings, recorded
from sam2lite.calibration.ranges import Provenance
from sam2lite.calibration.recorder import Recording
from sam2lite.contracts.families.sam2lite import FAMILY, IMAGE_ENCODER, MASK_DECODER, MEMORY_ENCODER
from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import CalibrationError, ExportError, VerificationError
from sam2lite.exporter.bundle.writer import write_bundle
from sam2lite.exporter.onnx.backend import PLAIN
from sam2lite.exporter.onnx.passes.pipeline import run_passes
from sam2lite.exporter.onnx.trace import example_inputs, trace
from sam2lite.exporter.onnx.value_types import value_types
from sam2lite.exporter.precision.fp16 import Fp16, pinned_nodes
from sam2lite.exporter.precision.fp16_convert import to_fp16, with_rounding
from sam2lite.exporter.precision.fp16_ranges import RangeReport, measure_ranges
from sam2lite.exporter.precision.fp16_rules import kept_by_rule
from sam2lite.exporter.verify.parity import run_onnx
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.network import Sam2Lite, build
from tests.conftest import MINI

RUNG = 240
X = {"x": np.array([[1.0, -0.5, 0.25, 1e-3]], np.float32)}
SPEC = GraphSpec(
    "toy", (TensorSpec("x", "float32", (1, 4)),), (TensorSpec("y", "float32", (1, 4)),)
)


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    model = build(MINI, seed=3)
    return HOST.untrained(model, MINI)


@pytest.fixture(scope="module")
def footage(
    loaded: LoadedModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recording, Provenance]:
    settings = CalibrationSettings(frames=4, observer="minmax")
    return recorded(loaded, [RUNG], settings, tmp_path_factory.mktemp("recordings"))


def toy(*nodes: onnx.NodeProto, **constants: float) -> onnx.ModelProto:
    """Return a graph from x to y, both float32 [1, 4]."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy")
    tensors = [numpy_helper.from_array(np.array(v, np.float32), k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "toy", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def node(operator: str, inputs: str, output: str) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), [output], f"{operator}.{output}")


def overflowing() -> onnx.ModelProto:
    """Return y = x * 1e4 * 1e4 / 5e4 + 1 / 3, 1e8 in between."""
    return toy(
        node("Mul", "x large", "a"),
        node("Mul", "a large", "b"),
        node("Div", "b back", "c"),
        node("Add", "c third", "y"),
        large=1e4,
        back=5e4,
        third=1 / 3,
    )


def graph(network: Sam2Lite, spec: GraphSpec, opset: int = 17) -> tuple[onnx.ModelProto, GraphSpec]:
    """Return a graph as schemes get it, after all passes."""
    bound = spec.bind(network.config.dims(RUNG))
    traced = trace(getattr(network.fused(), spec.name), bound, opset)
    inputs = zip(bound.input_names, example_inputs(bound), strict=True)
    return run_passes(traced, bound, {name: x.numpy() for name, x in inputs})[0], bound


def test_ranges_are_those_of_the_values() -> None:
    report = measure_ranges(overflowing(), [X, {"x": 2 * X["x"]}])
    greatest = {name: value.greatest for name, value in report.values.items()}
    assert greatest["b"] == pytest.approx(2e8)
    assert greatest["large"] == 1e4
    assert set(report.overflowing) == {"a", "b", "back"}  # `a` is 2e4: within the margin
    assert next(iter(report.to_json()["largest"])) == "b"


def test_subnormals_are_counted() -> None:
    tiny = toy(node("Mul", "x small", "y"), small=1e-4)
    found = measure_ranges(tiny, [{"x": np.array([[1.0, 0.5, 0.0, 0.1]], np.float32)}])
    assert found.values["y"].subnormal_share == pytest.approx(2 / 3)  # zeros do not count
    assert found.to_json()["subnormal_share"] == {"y": 0.6667}


def test_a_value_that_is_not_finite_overflows() -> None:
    found = measure_ranges(toy(node("Log", "x", "y")), [X])
    assert found.overflowing["y"].greatest == np.inf
    assert found.to_json()["largest"]["y"] is None


def test_what_overflows_is_pinned_and_right() -> None:
    model = overflowing()
    expected = run_onnx(model, X)["y"]
    pinned = pinned_nodes(model, SPEC, measure_ranges(model, [X]))
    assert pinned == {
        "Mul.b": "overflow: b reaches 1e+08",
        "Div.c": "overflow: b reaches 1e+08",
    }
    without = run_onnx(with_rounding(to_fp16(model, ())), X)["y"]
    assert np.isinf(without).any()
    rendered = to_fp16(model, pinned)
    onnx.checker.check_model(rendered, full_check=True)
    actual = run_onnx(with_rounding(rendered), X)["y"]
    np.testing.assert_allclose(actual, expected, rtol=2e-3)
    assert not np.array_equal(actual, expected)


def test_casts_stand_only_where_precision_changes() -> None:
    model = overflowing()
    rendered = to_fp16(model, ["Mul.b", "Div.c"])
    operators = [n.op_type for n in rendered.graph.node]
    assert operators == ["Cast", "Mul", "Cast", "Mul", "Div", "Cast", "Add", "Cast"]
    constants = {t.name: t.data_type for t in rendered.graph.initializer}
    assert constants == {
        "large": TensorProto.FLOAT,  # of the pinned product, not rounded
        "large.fp16": TensorProto.FLOAT16,
        "back": TensorProto.FLOAT,
        "third.fp16": TensorProto.FLOAT16,
    }
    assert model == overflowing()


def test_rounding_is_not_optimised_away() -> None:
    third = toy(node("Mul", "x third", "y"), third=1 / 3)
    rounded = run_onnx(with_rounding(to_fp16(third, ())), X)["y"]
    half = (X["x"].astype(np.float16) * np.float16(1 / 3)).astype(np.float32)
    np.testing.assert_array_equal(rounded, half)


def test_rules_of_the_decoder(mini: Sam2Lite) -> None:
    model, _ = graph(mini, MASK_DECODER)
    kept = kept_by_rule(model, MASK_DECODER)
    operator = {n.name: n.op_type for n in model.graph.node}
    by_rule = {rule: {operator[n] for n, r in kept.items() if r == rule} for rule in kept.values()}
    assert by_rule["softmax"] == {"Softmax"}
    assert by_rule["layer norm"] == {"LayerNormalization"}
    assert {"Sin", "Cos", "Abs", "Min", "Clip"} <= by_rule["coordinates"]
    assert kept["/fourier/MatMul"] == "coordinates"
    assert "Gemm" not in by_rule["coordinates"]
    for name, op_type in operator.items():
        assert name in kept or op_type not in {"Softmax", "LayerNormalization", "Sin", "Cos"}


def test_pixels_are_normalised_in_fp32(mini: Sam2Lite) -> None:
    model, _ = graph(mini, IMAGE_ENCODER)
    operator = {n.name: n.op_type for n in model.graph.node}
    rules = kept_by_rule(model, IMAGE_ENCODER)
    kept = [operator[name] for name, rule in rules.items() if rule == "pixels"]
    assert sorted(kept) == ["Add", "Cast", "Mul"]


def test_what_feeds_topk_stays_in_fp32(mini: Sam2Lite) -> None:
    model, _ = graph(mini, MEMORY_ENCODER)
    kept = kept_by_rule(model, MEMORY_ENCODER)
    operator = {n.name: n.op_type for n in model.graph.node}
    selection = {operator[n] for n, rule in kept.items() if rule == "selection"}
    assert {"TopK", "Log", "Sigmoid"} <= selection
    assert "Conv" not in selection


@pytest.mark.parametrize("opset", [13, 17])
def test_layer_norm_is_known_at_every_opset(opset: int, mini: Sam2Lite) -> None:
    model, _ = graph(mini, MEMORY_ENCODER, opset)
    kept = kept_by_rule(model, MEMORY_ENCODER)
    operators = [n.op_type for n in model.graph.node if kept.get(n.name) == "layer norm"]
    whole = ["LayerNormalization"]
    parts = ["Add", "Div", "Pow", "ReduceMean", "ReduceMean", "Sqrt", "Sub"]
    assert sorted(operators) == (parts if opset == 13 else whole)


def test_graphs_of_a_folder(
    loaded: LoadedModel, footage: tuple[Recording, Provenance], tmp_path: Path
) -> None:
    manifest = write_bundle(loaded, PLAIN, tmp_path / "o", rungs=[RUNG], scheme=Fp16(*footage))
    assert manifest.precision == "fp16"
    assert manifest.graphs["memory_select"].precision == "fp32"
    assert manifest.calibration is not None
    assert manifest.calibration["frames"] == 4
    for spec in FAMILY.graphs[:-1]:
        key = f"{spec.name}@{RUNG}"
        model = onnx.load(tmp_path / "o" / manifest.graphs[key].file)
        onnx.checker.check_model(model, full_check=True)
        kinds = value_types(model)
        bound = manifest.graphs[key].spec
        for tensor in (*bound.inputs, *bound.outputs):
            assert helper.tensor_dtype_to_np_dtype(kinds[tensor.name]) == tensor.dtype
        report = manifest.verification["graphs"][key]
        assert min(report["sqnr_db"].values()) > 50.0
        assert set(report["sqnr_db"]) == set(bound.output_names)
        assert len(report["ranges"]["largest"]) == 10
        computing = {
            n.name: n for n in model.graph.node if n.op_type in ("Conv", "Gemm", "Softmax")
        }
        for name, each in computing.items():
            wanted = TensorProto.FLOAT if name in report["pinned"] else TensorProto.FLOAT16
            assert kinds[each.output[0]] == wanted, name
        feeds = footage[0].sample(spec.name, RUNG, 1)[0]
        run_onnx(
            tmp_path / "o" / manifest.graphs[key].file,
            {n: x.numpy() for n, x in zip(bound.input_names, feeds, strict=True)},
        )


def test_too_much_error_is_refused(mini: Sam2Lite, footage: tuple[Recording, Provenance]) -> None:
    model, spec = graph(mini, MEMORY_ENCODER)
    with pytest.raises(VerificationError, match="export without --fp16"):
        Fp16(*footage, least_sqnr_db=200.0).render(model, spec, RUNG)


def test_a_rung_that_was_not_recorded_is_refused(
    mini: Sam2Lite, footage: tuple[Recording, Provenance]
) -> None:
    spec = IMAGE_ENCODER.bind(mini.config.dims(288))
    with pytest.raises(CalibrationError, match=r"no call of image_encoder@288 .*at 288 px"):
        Fp16(*footage).render(trace(mini.fused().image_encoder, spec, 17), spec, 288)


def test_unknown_types_are_refused() -> None:
    strange = toy(node("Relu", "x", "a"), helper.make_node("Odd", ["a"], ["b"], domain="odd"))
    strange.opset_import.append(helper.make_opsetid("odd", 1))
    strange.graph.node.append(node("Relu", "b", "y"))
    with pytest.raises(ExportError, match="cannot tell the type of b"):
        to_fp16(strange, ())


def test_a_report_of_nothing_pins_by_rule_alone() -> None:
    model = toy(node("Softmax", "x", "a"), node("Relu", "a", "y"))
    assert pinned_nodes(model, SPEC, RangeReport({})) == {"Softmax.a": "softmax"}
