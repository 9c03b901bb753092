"""Bits by a size: which steps fit, what is measured, and what is said where nothing fits."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from sam2lite.calibration.assignment import PrecisionAssignment
from sam2lite.errors import VerificationError
from sam2lite.exporter.precision.accuracy import Accuracy, AccuracyDrop, mean_iou
from sam2lite.exporter.precision.layers.sized import SizePoint, within_size
from sam2lite.exporter.precision.layers.steps import (
    Level,
    Step,
    affordable,
    by_noise,
    steps_between,
)
from sam2lite.exporter.precision.schemes import LayerChoice, Making, Scheme
from sam2lite.models.loaded import LoadedModel
from sam2lite.targets.registry import host_target

SMALLEST = 1_000_000
# Linear layers have three levels, a convolution two.
LEVELS = {
    "g.a": [Level(100_000, 1e-2), Level(200_000, 1e-4), Level(400_000, 0.0)],
    "g.b": [Level(100_000, 1e-3), Level(200_000, 1e-5), Level(400_000, 0.0)],
    "g.conv": [Level(50_000, 2e-3), Level(100_000, 0.0)],
}
FIRST = PrecisionAssignment(frozenset(LEVELS), {}, frozenset({"g.a", "g.b"}))


class Scored:
    """Stands for a trial: a plan's size and its score follow from its bits.

    Layers that are no more in their fewest bits have nodes that no step was counted with.
    """

    def __init__(self, nodes: int = 0) -> None:
        self._nodes = nodes

    def bytes_of(self, plan: PrecisionAssignment, sizes: Sequence[int]) -> int:
        size = SMALLEST
        for path, own in LEVELS.items():
            index = 0 if path in plan.narrow or (path == "g.conv" and path in plan.lowered) else 1
            index = len(own) - 1 if path in plan.kept else index
            size += own[index].bytes - own[0].bytes + (self._nodes if index else 0)
        return size

    def compare(self, plan: PrecisionAssignment) -> tuple[AccuracyDrop, float | None]:
        lost = float(len(plan.narrow))
        return AccuracyDrop(Accuracy(50.0, 60.0), Accuracy(50.0 - lost, 60.0), 8, 240), 0.9


@pytest.fixture
def making(mini_model: LoadedModel) -> Making:
    return Making(mini_model, host_target())


def sized(
    making: Making, max_mb: float, beside: int = 0, nodes: int = 0
) -> tuple[Making, list[SizePoint]]:
    steps = steps_between(LEVELS)
    layers = LayerChoice(lambda making: FIRST, lambda making, size: [], lambda making, size: steps)
    scheme = Scheme("w4a8", lambda making: None, layers=layers, max_drop=1.5)
    return within_size(scheme, making, cast(Any, Scored(nodes)), [240], max_mb, beside)


def test_steps_are_what_more_bits_cost_and_take_away() -> None:
    steps = steps_between(LEVELS)
    assert [(step.path, step.bytes) for step in steps] == [
        ("g.a", 100_000),
        ("g.a", 200_000),
        ("g.b", 100_000),
        ("g.b", 200_000),
        ("g.conv", 50_000),
    ]
    assert [step.path for step in by_noise(steps)][:3] == ["g.a", "g.conv", "g.b"]


@pytest.mark.parametrize(
    ("room", "taken"),
    [
        (0, []),
        (60_000, ["g.conv"]),  # a would help more, and does not fit
        (100_000, ["g.a"]),
        (150_000, ["g.a", "g.conv"]),
        (260_000, ["g.a", "g.conv", "g.b"]),
        (10_000_000, ["g.a", "g.conv", "g.b", "g.a", "g.b"]),
    ],
)
def test_what_fits_helps_most_for_its_size(room: int, taken: list[str]) -> None:
    assert [step.path for step in affordable(steps_between(LEVELS), room)] == taken


def test_a_step_that_does_not_help_is_not_taken() -> None:
    steps = [Step("g.a", 10, -1.0), Step("g.a", 10, 1.0), Step("g.b", 0, 1.0)]
    assert affordable(steps, 100) == [steps[2]]


def test_a_layer_may_take_one_step_or_two() -> None:
    plan = FIRST.raised(["g.a", "g.b", "g.a", "g.conv"], "because")
    assert plan.lowered == {"g.b"}
    assert not plan.narrow
    assert plan.kept == {"g.a": "because", "g.conv": "because"}
    assert FIRST.raised(["g.a"], "because").narrow == {"g.b"}


def test_a_size_is_held_and_others_are_measured(making: Making) -> None:
    made, points = sized(making, 1.16)
    assert made.assignment is not None
    assert made.assignment.narrow == {"g.b"}
    assert set(made.assignment.kept) == {"g.conv"}
    (chosen,) = (point for point in points if point.chosen)
    assert chosen.plan == made.assignment
    assert chosen.megabytes == 1.15
    sizes = [point.megabytes for point in points]
    assert sizes == sorted(sizes)
    assert len(points) == 4  # one third of the bytes is the chosen plan again
    assert [point.to_json()["four_bit_layers"] for point in points] == [2, 1, 0, 0]
    assert points[0].to_json()["eight_bit_layers"] == 1
    assert points[-1].to_json()["float_layers"] == 3


def test_a_size_that_cannot_be_held_names_the_smallest(making: Making) -> None:
    with pytest.raises(VerificationError, match=r"give --max-mb 1\.10 or more") as refused:
        sized(making, 1.05, beside=100_000)
    assert "--rungs" in str(refused.value)
    _, points = sized(making, 1.10, beside=100_000)
    assert points[0].chosen
    assert not points[0].plan.kept


def test_what_nodes_take_is_given_back(making: Making) -> None:
    _, points = sized(making, 1.16, nodes=8_000)
    (chosen,) = (point for point in points if point.chosen)
    assert chosen.plan.narrow == {"g.b"}
    assert not chosen.plan.kept  # the convolution had not fitted any more
    assert chosen.megabytes == 1.108


def test_masks_are_compared_where_either_is_not_empty() -> None:
    import numpy as np

    empty, half, full = (np.array([bits], np.uint8) for bits in (0x00, 0x0F, 0xFF))
    assert mean_iou([empty], [empty]) is None
    assert mean_iou([empty, half, full], [empty, full, full]) == 0.75
