import pytest

from sam2lite.errors import ArgumentError
from sam2lite.training.batches import BatchShape
from sam2lite.training.run.schedule import (
    LAST_LR,
    LAST_TEMPERATURE,
    PHASES,
    WARM_UP_STEPS,
    Phase,
    learning_rate,
    schedule_of,
)

CLIPS = BatchShape(96, 4, 5, 2)
IMAGES = BatchShape(96, 1, 12, 2)
SHORT = (
    Phase("a", 1, 0.2, (CLIPS,)),
    Phase("b", 1, 0.6, (CLIPS, CLIPS, IMAGES)),
    Phase("c", 2, 0.2, (CLIPS,), budget=64),
)


def test_phases_take_their_share() -> None:
    schedule = schedule_of((1, 2), SHORT)
    names = [schedule.at(progress).phase.name for progress in (0.0, 0.19, 0.21, 0.79, 0.81, 1.5)]
    assert names == ["a", "a", "b", "b", "c", "c"]
    assert schedule.at(0.5).inside == pytest.approx(0.5)
    assert schedule_of((2,), SHORT).at(0.0).phase.name == "c"


def test_stages_are_checked() -> None:
    for stages in ((), (4,), (1, 0)):
        with pytest.raises(ArgumentError, match="choose from 1, 2, 3"):
            schedule_of(stages)


def test_a_phase_takes_its_batches_in_turn() -> None:
    moment = schedule_of((1,), SHORT).at(0.9)
    assert [moment.batch(step) for step in range(4)] == [CLIPS, CLIPS, IMAGES, CLIPS]
    assert schedule_of((1,), SHORT).at(0.0).batch(2) == CLIPS


def test_the_gate_cools_down() -> None:
    schedule = schedule_of((2,), SHORT)
    assert schedule.at(0.0).temperature() == 1.0
    assert schedule.at(1.0).temperature() == pytest.approx(LAST_TEMPERATURE)


def test_the_learning_rate_warms_up_and_falls() -> None:
    assert learning_rate(1.0, 0, 0.0) == pytest.approx(1.0 / WARM_UP_STEPS)
    assert learning_rate(1.0, 10**6, 0.0) == 1.0
    assert learning_rate(1.0, 10**6, 0.5) == pytest.approx((1 + LAST_LR) / 2)
    assert learning_rate(1.0, 10**6, 1.0) == pytest.approx(LAST_LR)


def test_the_plan_is_whole() -> None:
    assert sum(phase.share for phase in PHASES) == pytest.approx(1.0)
    assert {phase.stage for phase in PHASES} == {1, 2, 3}
    assert all(bool(phase.budget) == (phase.stage == 2) for phase in PHASES)
    # Stride 16 must divide the side: an odd grid at stride 32 is the encoder's own business.
    assert all(batch.side % 16 == 0 for phase in PHASES for batch in phase.batches)
