"""The reference loop against published rules, frame by frame, with the same weights."""

from functools import cache
from itertools import combinations

import pytest
from torch import Tensor

from sam2lite.models.efficienttam.config import EfficientTamConfig
from sam2lite.models.efficienttam.network import EfficientTam
from tests.oracles.clip import random_clip
from tests.oracles.comparing import check_telling, gap
from tests.oracles.efficienttam import EfficientTamModel, efficienttam_model, encoded
from tests.oracles.efficienttam_networks import (
    KEY_POOLED,
    LOGIT_POOLED,
    PLAIN,
    RULES,
    telling_efficienttam,
)
from tests.oracles.hugging_face import prepared, run_hugging_face
from tests.oracles.meta import run_meta
from tests.oracles.ours import run_ours
from tests.oracles.scenarios import SCENARIOS, SIDE, Record, Scenario, named

LOGITS = 1e-4  # absolute, with memory in float32
OTHERS = 5e-5  # of scores, predicted IoUs and pointers
SETTINGS = {"reference": "meta", "corrections": "conditioning", "memory_dtype": "float32"}
VARIANTS = (PLAIN, LOGIT_POOLED, KEY_POOLED)
# Here objects come and go with every variant; in some of the others they stay.
TELLING = {"click", "box", "clicks", "two objects", "two conditioning frames", "correction"}
# One of each variant, which have clicks, a box, and several prompts; the others are slow.
QUICK = {
    (PLAIN.name, "box"),
    (LOGIT_POOLED.name, "two conditioning frames"),
    (KEY_POOLED.name, "correction"),
}


@cache
def network_of(variant: EfficientTamConfig) -> EfficientTam:
    return telling_efficienttam(variant)


@cache
def clip() -> list[Tensor]:
    return random_clip(6)


@cache
def oracle_of(variant: EfficientTamConfig) -> EfficientTamModel:
    return efficienttam_model(dict(network_of(variant).state_dict()), RULES[variant.name], SIDE)


def check_exact(scenario: Scenario, actual: list[Record], expected: list[Record]) -> None:
    if scenario.name in TELLING:
        check_telling(expected)
    found = gap(actual, expected)
    assert found.min_iou == 1.0
    assert found.logit <= LOGITS
    assert max(found.score, found.iou_prediction, found.pointer) <= OTHERS


@pytest.mark.parametrize(
    ("variant", "scenario"),
    [
        pytest.param(
            variant,
            scenario,
            id=f"{variant.name}-{scenario.name}",
            marks=() if (variant.name, scenario.name) in QUICK else pytest.mark.slow,
        )
        for variant in VARIANTS
        for scenario in SCENARIOS
        if scenario.name != "mask on a tracked frame"
    ],
)
def test_rules_patched_into_hugging_face(variant: EfficientTamConfig, scenario: Scenario) -> None:
    expected = run_hugging_face(oracle_of(variant), clip(), scenario, "float32")
    ours = run_ours(network_of(variant), clip(), scenario, **SETTINGS)
    check_exact(scenario, ours, expected)


@pytest.mark.parametrize("size", [160, 224, 256])
def test_the_image_encoder(size: int) -> None:
    """Windows that reach beyond the grid, and one that fills it; with the table as it is."""
    network = network_of(PLAIN)
    image = prepared(random_clip(1, size)[0])
    (found,) = network.image_encoder(image)
    expected = encoded(dict(network.state_dict()), image)
    assert float((found - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


def test_variants_agree_until_a_second_memory_is_seen() -> None:
    click = named("click")
    start = click._replace(name="start of a click", steps=click.steps[:4])
    runs = [run_ours(network_of(variant), clip(), start, **SETTINGS) for variant in VARIANTS]
    for one, other in combinations(runs, 2):
        differences = [
            float(abs(a.logits_hw - b.logits_hw).max()) for a, b in zip(one, other, strict=True)
        ]
        # The prompt and its frame once more, then one memory; two from the third frame on.
        assert max(differences[:3]) == 0.0
        assert differences[3] > 100 * LOGITS


@pytest.mark.slow
@pytest.mark.parametrize("corrections", ["conditioning", "in-place"])
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_published_predictor(
    scenario: Scenario, variant: EfficientTamConfig, corrections: str
) -> None:
    pytest.importorskip("efficient_track_anything", reason="EfficientTAM's package is missing")
    from tests.oracles.efficienttam_published import published_predictor

    if corrections == "in-place" and scenario.name == "further click after tracking":
        pytest.skip("the published predictor loses such a click")
    state = dict(network_of(variant).state_dict())
    predictor = published_predictor(state, RULES[variant.name], SIDE, corrections)
    offline = scenario._replace(streaming=False)
    expected = run_meta(predictor, clip(), offline, "float32")
    settings = {**SETTINGS, "corrections": corrections}
    ours = run_ours(network_of(variant), clip(), offline, **settings)
    check_exact(scenario, ours, expected)
