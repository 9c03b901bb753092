import copy
import json
import math
from collections.abc import Mapping

import numpy as np
import onnx
import pytest
import torch

from sam2lite.contracts.families import sam2lite as contract
from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import ExportError, VerificationError
from sam2lite.exporter.onnx.trace import example_inputs, feeds_of, trace
from sam2lite.exporter.verify.parity import (
    GRAPH_TOLERANCE,
    ErrorStatistics,
    calls_parity,
    compare,
    graph_parity,
    own_rounding,
    require_parity,
    run_onnx,
)
from sam2lite.exporter.verify.selection import Ranking, match_rows, run_unpruned
from sam2lite.models.sam2lite.network import Sam2Lite
from tests.exporter.conftest import Specs

AGE_INPUT = 2 * contract.MEMORY_CHANNELS  # of the importance MLP, after key and value
NAMES = [spec.name for spec in FAMILY.graphs]


def test_compare_measures_the_largest_error_and_the_noise() -> None:
    error = compare(np.array([1.0, -3.0]), np.array([1.0, -4.0]))
    assert error == ErrorStatistics(1.0, 0.25, pytest.approx(10 * math.log10(17.0)))  # type: ignore[arg-type]


def test_equal_tensors_have_no_error() -> None:
    error = compare(np.array([1, 2]), np.array([1, 2]))
    assert error == ErrorStatistics(0.0, 0.0, math.inf)
    assert json.loads(json.dumps(error.to_json(), allow_nan=False))["sqnr_db"] is None


def test_integers_do_not_wrap_around() -> None:
    assert compare(np.array([0], np.uint8), np.array([255], np.uint8)).max_abs == 255.0


@pytest.mark.parametrize(
    ("actual", "expected"),
    [(math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0), (math.inf, math.inf), (1e-30, 0.0)],
)
def test_what_has_no_finite_relative_error_is_infinite(actual: float, expected: float) -> None:
    error = compare(np.array([actual]), np.array([expected]))
    assert error.relative == math.inf
    with pytest.raises(VerificationError):
        require_parity({"x": error}, "here")


def test_shapes_must_agree() -> None:
    with pytest.raises(VerificationError, match=r"shapes \[2\] and \[1, 2\]"):
        compare(np.zeros(2), np.zeros((1, 2)))


def test_parity_bound_names_the_worst_output() -> None:
    good = ErrorStatistics(1.0, GRAPH_TOLERANCE, 100.0)
    bad = ErrorStatistics(1.0, 2e-5, 94.0)
    require_parity({"fine": good}, "graph@240 at opset 13")
    with pytest.raises(
        VerificationError, match=r"graph@240 at opset 13: worse is 2\.0e-05 of"
    ) as e:
        require_parity({"fine": good, "worse": bad}, "graph@240 at opset 13")
    assert e.value.exit_code == 3


def test_where_pytorch_rounds_more_than_the_tolerance_so_may_a_graph() -> None:
    found = {"fine": ErrorStatistics(1.0, 1e-6, 100.0), "sharp": ErrorStatistics(1.0, 2e-5, 94.0)}
    require_parity(found, "graph", lambda: {"fine": 1e-7, "sharp": 6e-6})
    with pytest.raises(VerificationError, match=r"sharp is 2\.0e-05 of .* more than 1e-05"):
        require_parity(found, "graph", lambda: {"fine": 1e-7, "sharp": 1e-6})
    with pytest.raises(VerificationError, match=r"sharp is .* more than 2e-05"):
        require_parity(found, "graph", lambda: {"fine": 1.0, "sharp": 4e-6})


def test_pytorchs_own_rounding_is_measured_and_not_asked_for_in_vain(
    network: Sam2Lite, bound: Specs
) -> None:
    spec = bound("mask_decoder", 240)
    rounding = own_rounding(network.mask_decoder, spec)
    assert list(rounding) == spec.output_names
    assert all(0.0 < error < GRAPH_TOLERANCE for error in rounding.values())

    def asked() -> dict[str, float]:
        raise AssertionError

    require_parity({"x": ErrorStatistics(1.0, GRAPH_TOLERANCE, 100.0)}, "graph", asked)


@pytest.mark.parametrize("opset", [13, 17, 18])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rung", [240, 288])
def test_graphs_agree_with_the_unfused_network(
    network: Sam2Lite, fused: Sam2Lite, bound: Specs, name: str, opset: int, rung: int
) -> None:
    spec = bound(name, rung)
    model = trace(getattr(fused, name), spec, opset)
    parity = graph_parity(getattr(network, name), model, spec, seed=opset)
    assert list(parity) == spec.output_names
    require_parity(parity, name)
    assert {error.ties for error in parity.values()} == {0}


def test_a_changed_weight_is_caught(network: Sam2Lite, fused: Sam2Lite, bound: Specs) -> None:
    spec = bound("image_encoder", 240)
    model = trace(fused.image_encoder, spec, 17)
    bias = next(x for x in model.graph.initializer if x.name == "lateral_s8.bias")
    changed = onnx.numpy_helper.to_array(bias) + np.float32(1e-3)
    bias.CopyFrom(onnx.numpy_helper.from_array(changed, bias.name))
    parity = graph_parity(network.image_encoder, model, spec)
    with pytest.raises(VerificationError, match="features_s8_bchw"):
        require_parity(parity, "image_encoder@240")
    assert parity["features_s4_bchw"].relative < GRAPH_TOLERANCE


@pytest.mark.parametrize("name", ["memory_encoder", "memory_select"])
def test_keeping_the_worst_instead_of_the_best_is_caught(
    network: Sam2Lite, fused: Sam2Lite, bound: Specs, name: str
) -> None:
    spec = bound(name, 240)
    model = trace(getattr(fused, name), spec, 17)
    topk = next(node for node in model.graph.node if node.op_type == "TopK")
    next(a for a in topk.attribute if a.name == "largest").i = 0
    parity = graph_parity(getattr(network, name), model, spec)
    selected = [output for output in parity if output != "candidate_score_bn"]
    assert len(selected) == 3
    assert all(parity[output].relative == math.inf for output in selected)


@pytest.mark.parametrize("name", ["memory_encoder", "memory_select"])
def test_order_of_the_rows_does_not_matter(
    network: Sam2Lite, fused: Sam2Lite, bound: Specs, name: str
) -> None:
    """Ranked from the 1st best or in any other order, they are the same tokens."""
    spec = bound(name, 240)
    model = trace(getattr(fused, name), spec, 17)
    topk = next(node for node in model.graph.node if node.op_type == "TopK")
    indices = topk.output[1]
    best = onnx.helper.make_node(
        "Slice", ["unsliced", "last", "first", "axis", "back"], [indices], name="/Reverse"
    )
    topk.output[1] = "unsliced"
    for key, value in {"last": -1, "first": -10_000, "axis": 1, "back": -1}.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([value]), key))
    model.graph.node.insert(list(model.graph.node).index(topk) + 1, best)
    parity = graph_parity(getattr(network, name), model, spec)
    require_parity(parity, name)
    assert {error.ties for error in parity.values()} == {0}


def test_near_ties_are_counted_and_still_compared(network: Sam2Lite, bound: Specs) -> None:
    """All scores are nearly equal, and the reference ranks the other way round."""

    def ranked_by_age(weight: float) -> torch.nn.Module:
        module = copy.deepcopy(network.memory_select)
        layers = [layer for layer in module.modules() if isinstance(layer, torch.nn.Linear)]
        with torch.no_grad():
            for layer, gain in zip(layers, (1.0, 1.0, weight), strict=True):
                layer.weight.zero_()
                layer.bias.zero_()
                layer.weight[0, AGE_INPUT if layer is layers[0] else 0] = gain
        return module

    spec = bound("memory_select", 240)
    model = trace(ranked_by_age(1e-3), spec, 17)
    parity = graph_parity(ranked_by_age(-1e-3), model, spec)
    budget, new = network.config.budget, contract.TOKENS_PER_FRAME
    assert parity["kept_index_bn"].ties == parity["kept_key_bnc"].ties == min(budget, new)
    assert parity["kept_index_bn"].max_abs == parity["kept_key_bnc"].max_abs == 0.0
    assert parity["candidate_score_bn"].relative > GRAPH_TOLERANCE
    assert parity["candidate_score_bn"].ties == 0


SCORES = np.array([0.9, 0.8, 0.5, 0.4999, 0.1])


@pytest.mark.parametrize(
    ("kept", "ties", "wrong"),
    [
        ([0, 1, 2], 0, 0),
        ([2, 0, 1], 0, 0),
        ([0, 1, 3], 1, 0),
        ([0, 1, 4], 1, 1),  # 2 may be left out, 4 must not be kept
        ([0, 2, 3], 1, 1),  # 3 may be kept, 1 must not be left out
        ([0, 1, 1], 0, 1),  # twice
    ],
)
def test_rows_are_matched_as_a_set(kept: list[int], ties: int, wrong: int) -> None:
    candidates = np.random.RandomState(0).standard_normal((5, 8))
    match = match_rows(candidates[kept] + 1e-6, candidates, Ranking(SCORES, 3))
    assert match.candidate_k.tolist() == kept
    assert (match.ties, match.wrong) == (ties, wrong)


def test_a_nan_score_is_no_tie() -> None:
    candidates = np.eye(3)
    match = match_rows(candidates[[0, 2]], candidates, Ranking(np.array([1.0, math.nan, 0.5]), 2))
    assert match.wrong == 2


def test_unpruned_run_holds_every_candidate(network: Sam2Lite, bound: Specs) -> None:
    inputs = example_inputs(bound("memory_encoder", 240))
    outputs, ranking = run_unpruned(network.memory_encoder, inputs)
    with torch.no_grad():
        pruned = network.memory_encoder(*inputs)
    assert ranking is not None
    assert ranking.kept == 31 and ranking.scores_n.shape == (225,)
    assert (np.diff(ranking.scores_n) <= 0).all()
    for every, best in zip(outputs, pruned, strict=True):
        torch.testing.assert_close(every[:, :31], best[:, :31])
        torch.testing.assert_close(every[:, 225:], best[:, 31:])


def test_two_selections_in_one_module_are_refused() -> None:
    class Twice(torch.nn.Module):
        def forward(self, x_bn: torch.Tensor) -> torch.Tensor:
            return torch.topk(torch.topk(x_bn, 3, dim=1).values, 2, dim=1).values

    with pytest.raises(VerificationError, match="Twice calls TopK 2 times"):
        run_unpruned(Twice(), [torch.rand(1, 4)])


def test_graph_that_onnxruntime_refuses_is_an_export_error() -> None:
    spec = GraphSpec("relu", (TensorSpec("x_bn", "float32", (1, 4)),), ())
    model = trace(torch.nn.ReLU(), spec._replace(outputs=spec.inputs), 17)
    with pytest.raises(ExportError, match=r"onnxruntime .* cannot run the graph"):
        run_onnx(model, {"x_bn": np.zeros((1, 5), np.float32)})


def test_calls_are_compared_together(network: Sam2Lite, bound: Specs) -> None:
    spec = bound("memory_encoder", 240)
    calls = [feeds_of(spec, example_inputs(spec, seed)) for seed in range(3)]

    def off_in_the_last_call(feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        with torch.no_grad():
            outputs = network.memory_encoder(*map(torch.from_numpy, feeds.values()))
        scale = 1.01 if feeds is calls[-1] else 1.0
        return {n: scale * x.numpy() for n, x in zip(spec.output_names, outputs, strict=True)}

    alone = calls_parity(network.memory_encoder, off_in_the_last_call, spec, calls[-1:])
    together = calls_parity(network.memory_encoder, off_in_the_last_call, spec, calls)
    assert alone["token_value_bnc"].sqnr_db == pytest.approx(40.0, abs=0.1)
    assert together["token_value_bnc"].sqnr_db == pytest.approx(40.0 + 10 * math.log10(3), abs=0.5)
