"""The rules on a real, small network: against the reference loop, and the published one."""

from typing import Any

import numpy as np
import pytest
from torch import Tensor

from sam2lite.models.sam2.network import Sam2
from tests.oracles.clip import random_clip
from tests.oracles.hugging_face import hugging_face_model, run_hugging_face
from tests.oracles.ours import run_ours
from tests.oracles.rules import run_rules
from tests.oracles.scenarios import SCENARIOS, SIDE, Record, Scenario
from tests.oracles.telling_networks import small_network

QUICK = (("further click after tracking", 0), ("mask", 2))
SETTINGS: list[dict[str, Any]] = [
    {"reference": "meta", "corrections": "conditioning"},
    {"reference": "meta", "corrections": "in-place"},
    {"reference": "huggingface", "corrections": "in-place"},
]


@pytest.fixture(scope="module")
def network() -> Sam2:
    return small_network()


@pytest.fixture(scope="module")
def clip() -> list[Tensor]:
    return random_clip(3)


def same(actual: list[Record], expected: list[Record]) -> None:
    for one, other in zip(actual, expected, strict=True):
        assert one[:3] == other[:3]
        np.testing.assert_allclose(one.logits_hw, other.logits_hw, rtol=0, atol=1e-4)
        np.testing.assert_allclose(one.pointer, other.pointer, rtol=0, atol=5e-5)
        assert one.score == pytest.approx(other.score, abs=5e-5)
        assert one.iou == pytest.approx(other.iou, abs=5e-5)


@pytest.mark.parametrize(
    ("scenario", "settings"),
    [
        (next(each for each in SCENARIOS if each.name == name), SETTINGS[place])
        for name, place in QUICK
    ],
)
def test_the_reference_loop(
    scenario: Scenario, settings: dict[str, Any], network: Sam2, clip: list[Tensor]
) -> None:
    settings = dict(settings, memory_dtype="float32")
    same(
        run_rules(network, clip, scenario, **settings),
        run_ours(network, clip, scenario, **settings),
    )


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_reference_loop_in_everything(
    scenario: Scenario, settings: dict[str, Any], network: Sam2, clip: list[Tensor]
) -> None:
    settings = dict(settings, memory_dtype="float32")
    found = run_rules(network, clip, scenario, **settings)
    same(found, run_ours(network, clip, scenario, **settings))
    if settings["reference"] == "huggingface":
        model = hugging_face_model(network, SIDE)
        same(found, run_hugging_face(model, clip, scenario, "float32"))
