"""The loops against Hugging Face's EdgeTAM, frame by frame, with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from sam2lite.models.edgetam.config import EdgeTamConfig
from sam2lite.models.edgetam.family import HOST
from sam2lite.models.edgetam.network import EdgeTam, build
from sam2lite.models.sam2.graphs import graph_module
from tests.oracles.comparing import check_telling, gap
from tests.oracles.edge_networks import EDGE_SIDE, at_edge_side
from tests.oracles.hugging_face import prepared, run_hugging_face
from tests.oracles.ours import run_ours
from tests.oracles.rules import run_rules
from tests.oracles.scenarios import CONTESTED, SCENARIOS, Record, Scenario, named, prompted, tracked

LOGITS = 1e-4  # absolute
OTHERS = 5e-5  # of scores, predicted IoUs and pointers
HUGGING_FACE = {"reference": "huggingface", "corrections": "in-place", "memory_dtype": "float32"}
META = {"reference": "meta", "corrections": "conditioning", "memory_dtype": "float32"}
# The others are compared in the slow suite.
QUICK = ("two objects", "mask")
QUICK_OF_META = ("correction",)

Trace = Callable[[Scenario, bool], list[Record]]


def some(scenarios: tuple[Scenario, ...], quick: tuple[str, ...]) -> list[Any]:
    return [
        pytest.param(each, marks=() if each.name in quick else pytest.mark.slow, id=each.name)
        for each in scenarios
    ]


def check_exact(actual: list[Record], expected: list[Record]) -> None:
    found = gap(actual, expected)
    assert found.min_iou == 1.0
    assert found.logit <= LOGITS
    assert max(found.score, found.iou_prediction, found.pointer) <= OTHERS


@pytest.fixture(scope="session")
def traced(network: EdgeTam, clip: list[Tensor], published: ModuleType) -> Trace:
    """What the published loop gives of a scenario, run once for all tests."""
    models: dict[bool, Any] = {}
    known: dict[tuple[str, bool], list[Record]] = {}

    def trace(scenario: Scenario, meta_like: bool) -> list[Record]:
        if meta_like not in models:
            kind = published.MetaLikeEdgeModel if meta_like else published.EdgeModel
            models[meta_like] = published.edge_model(network, EDGE_SIDE, kind)
        key = (scenario.name, meta_like)
        if key not in known:
            known[key] = run_hugging_face(models[meta_like], clip, scenario)
        return known[key]

    return trace


@pytest.mark.parametrize("scenario", some(SCENARIOS, QUICK))
def test_hugging_face(
    scenario: Scenario, network: EdgeTam, clip: list[Tensor], traced: Trace
) -> None:
    """Two objects, and prompts on later frames, too."""
    scenario = at_edge_side(scenario)
    expected = traced(scenario, False)
    check_telling(expected)
    check_exact(run_ours(network, clip, scenario, **HUGGING_FACE), expected)


@pytest.mark.parametrize(
    "scenario",
    some(tuple(e for e in CONTESTED if e.name != "mask on a tracked frame"), QUICK_OF_META),
)
def test_meta_as_patched_into_hugging_face(
    scenario: Scenario, network: EdgeTam, clip: list[Tensor], traced: Trace
) -> None:
    scenario = at_edge_side(scenario)
    expected = traced(scenario, True)
    check_telling(expected)
    check_exact(run_ours(network, clip, scenario, **META), expected)
    if scenario.name in ("mask", "correction"):
        # The two published loops are told apart.
        assert gap(expected, traced(scenario, False)).logit > 100 * LOGITS


@pytest.mark.parametrize(
    ("name", "settings"), [("two objects", HUGGING_FACE), ("further click after tracking", META)]
)
def test_the_rules_are_the_reference_loop(
    name: str, settings: dict[str, str], network: EdgeTam, clip: list[Tensor]
) -> None:
    scenario = at_edge_side(named(name))
    expected = run_ours(network, clip, scenario, **settings)
    check_telling(expected)
    check_exact(run_rules(network, clip, scenario, **settings), expected)


@pytest.mark.parametrize("size", [512, pytest.param(1024, marks=pytest.mark.slow)])
def test_the_image_encoder_of_the_published_size(size: int, published: ModuleType) -> None:
    network = build(EdgeTamConfig(), seed=2)
    model = published.edge_model(network, size)
    frame = (256 * torch.rand(1, 3, size, size)).to(torch.uint8)
    maps = model.get_image_features(prepared(frame), return_dict=True).fpn_hidden_states
    pix_feat, _, s8, s4 = graph_module(HOST.fused(network), "image_encoder")(frame)
    for ours, theirs in zip((s4, s8, pix_feat), maps, strict=True):
        expected = theirs.permute(1, 2, 0).reshape(ours.shape)
        assert float((ours - expected).abs().max() / expected.abs().max()) <= 2e-5


@pytest.mark.slow
@pytest.mark.parametrize("size", [512, 768])
def test_larger_inputs(
    size: int, network: EdgeTam, clip: list[Tensor], published: ModuleType
) -> None:
    """Windows of the perceiver hold 4 and 9 cells."""
    frames = [
        torch.nn.functional.interpolate(frame.float(), (size, size)).to(torch.uint8)
        for frame in clip[:10]
    ]
    scenario = Scenario("click", (prompted(0, points=[(0.4 * size, 0.4 * size)]), *tracked(last=9)))
    expected = run_hugging_face(published.edge_model(network, size), frames, scenario)
    check_exact(run_ours(network, frames, scenario, **HUGGING_FACE), expected)
