"""The reference loop against the published ones, frame by frame, with the same weights."""

import numpy as np
import pytest
from torch import Tensor

from sam2lite.models.sam2.config import PUBLISHED
from sam2lite.models.sam2.network import Sam2, build
from tests.models.sam2.reference.conftest import Trace
from tests.oracles.clip import random_clip
from tests.oracles.comparing import check_telling, gap
from tests.oracles.hugging_face import HuggingFaceModel, hugging_face_model, run_hugging_face
from tests.oracles.ours import run_ours
from tests.oracles.scenarios import (
    CONTESTED,
    CROWDED,
    PLAIN,
    SIDE,
    Record,
    Scenario,
    named,
    prompted,
    tracked,
)
from tests.oracles.small_network import small_network_of_2_0

LOGITS = 1e-4  # absolute, with memory in float32
OTHERS = 5e-5  # of scores, predicted IoUs and pointers
NOISE = 1e-6  # share by which features are changed to see what rounding memory makes of it

HUGGING_FACE = {"reference": "huggingface", "corrections": "in-place"}
META = {"reference": "meta", "corrections": "conditioning"}


def names(scenario: Scenario) -> str:
    return scenario.name


def check_exact(actual: list[Record], expected: list[Record]) -> None:
    check_telling(expected)
    found = gap(actual, expected)
    assert found.min_iou == 1.0
    assert found.logit <= LOGITS
    assert max(found.score, found.iou_prediction, found.pointer) <= OTHERS


@pytest.mark.parametrize(
    "scenario",
    [*(each for each in PLAIN if each.name != "box and click"), named("mask"), named("correction")],
    ids=names,
)
def test_hugging_face(
    scenario: Scenario, oracle_network: Sam2, oracle_clip: list[Tensor], hugging_face: Trace
) -> None:
    settings = {**HUGGING_FACE, "memory_dtype": "float32"}
    check_exact(run_ours(oracle_network, oracle_clip, scenario, **settings), hugging_face(scenario))


@pytest.mark.parametrize(
    "scenario", [each for each in CONTESTED if each.name != "mask on a tracked frame"], ids=names
)
def test_meta_as_patched_into_hugging_face(
    scenario: Scenario, oracle_network: Sam2, oracle_clip: list[Tensor], hugging_face: Trace
) -> None:
    expected = hugging_face(scenario, meta_like=True)
    ours = run_ours(oracle_network, oracle_clip, scenario, **META, memory_dtype="float32")
    check_exact(ours, expected)
    if scenario.name in ("mask", "correction"):
        # The two published loops are told apart.
        assert gap(expected, hugging_face(scenario)).logit > 100 * LOGITS


@pytest.mark.parametrize("name", ["click", "correction", "one in the future"])
def test_rounded_memory_is_as_near_as_noise_allows(
    name: str, oracle_network: Sam2, oracle_clip: list[Tensor], hugging_face: Trace
) -> None:
    scenario = named(name)
    expected = hugging_face(scenario, "bfloat16")
    check_telling(expected)
    noise = gap(hugging_face(scenario, "bfloat16", NOISE), expected)
    found = gap(run_ours(oracle_network, oracle_clip, scenario, **HUGGING_FACE), expected)
    assert found.logit <= 4 * noise.logit
    assert found.pointer <= 4 * noise.pointer
    # Memory is rounded at all, and that is what makes the difference.
    assert gap(expected, hugging_face(scenario)).logit > 10 * LOGITS


def test_an_object_that_is_added_later_changes_no_other(
    oracle_network: Sam2, oracle_clip: list[Tensor]
) -> None:
    settings = {**HUGGING_FACE, "memory_dtype": "float32"}
    alone = run_ours(oracle_network, oracle_clip, named("box"), **settings)
    both = run_ours(oracle_network, oracle_clip, named("object added later"), **settings)
    first = [each for each in both if each.object_id == 1]
    for actual, expected in zip(first, alone, strict=True):
        assert np.array_equal(actual.logits_hw, expected.logits_hw)


def test_a_network_of_2_0(oracle_clip: list[Tensor]) -> None:
    network, scenario = small_network_of_2_0(), named("click")
    model = hugging_face_model(network, SIDE)
    expected = run_hugging_face(model, oracle_clip, scenario, "float32")
    ours = run_ours(network, oracle_clip, scenario, **HUGGING_FACE, memory_dtype="float32")
    check_exact(ours, expected)


@pytest.mark.slow
@pytest.mark.parametrize("corrections", ["conditioning", "in-place"])
@pytest.mark.parametrize("scenario", [*PLAIN, *CONTESTED, CROWDED], ids=names)
def test_meta(
    scenario: Scenario, corrections: str, oracle_network: Sam2, oracle_clip: list[Tensor]
) -> None:
    pytest.importorskip("sam2", reason="Meta's package is not installed")
    from tests.oracles.meta import meta_predictor, run_meta

    if corrections == "in-place" and scenario.name == "further click after tracking":
        pytest.skip("Meta's predictor loses such a click")
    predictor = meta_predictor(oracle_network, SIDE, corrections)
    offline = scenario._replace(streaming=False)
    for memory_dtype in ("float32", "bfloat16"):
        settings = {"corrections": corrections, "memory_dtype": memory_dtype}
        expected = run_meta(predictor, oracle_clip, offline, memory_dtype)
        ours = run_ours(oracle_network, oracle_clip, offline, **settings)
        if memory_dtype == "float32":
            check_exact(ours, expected)
        else:
            noise = gap(run_meta(predictor, oracle_clip, offline, memory_dtype, NOISE), expected)
            assert gap(ours, expected).logit <= 4 * noise.logit


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [*PLAIN, *CONTESTED], ids=names)
def test_hugging_face_with_rounded_memory(
    scenario: Scenario, oracle_network: Sam2, oracle_clip: list[Tensor], hugging_face: Trace
) -> None:
    expected = hugging_face(scenario, "bfloat16")
    noise = gap(hugging_face(scenario, "bfloat16", NOISE), expected)
    found = gap(run_ours(oracle_network, oracle_clip, scenario, **HUGGING_FACE), expected)
    assert found.logit <= 4 * noise.logit


@pytest.mark.slow
def test_hiera_tiny_at_512() -> None:
    network = build(PUBLISHED["sam2.1_hiera_tiny"], seed=5)
    clip = random_clip(3, side=512)
    scenario = Scenario("click", (prompted(0, points=[(230, 190)]), *tracked()))
    model: HuggingFaceModel = hugging_face_model(network, 512)
    expected = run_hugging_face(model, clip, scenario, "float32")
    ours = run_ours(network, clip, scenario, **HUGGING_FACE, memory_dtype="float32")
    found = gap(ours, expected)
    assert found.min_iou == 1.0
    assert found.logit <= LOGITS
    assert sum(0.01 < (each.logits_hw > 0).mean() < 0.99 for each in expected) > 12
