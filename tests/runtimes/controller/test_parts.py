import math

import pytest

from sam2lite.errors import ArgumentError
from sam2lite.runtimes.controller.belief import Belief
from sam2lite.runtimes.controller.ladder import Ladder
from sam2lite.runtimes.controller.levels import Level, build_levels
from sam2lite.runtimes.controller.pid import Gains, Pid
from sam2lite.runtimes.controller.time_model import TimeModel

SCALES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
TOP = len(SCALES) - 1
GAINS = Gains(kp=0.5, ki=0.1, kd=0.2, max_step=0.4, integral_zone=0.3)


def taught(times_ms: dict[int, float], repeats: int = 30) -> TimeModel:
    """Return a model that has seen the given levels, in the given order."""
    model = TimeModel(SCALES)
    for level, time_ms in times_ms.items():
        for _ in range(repeats):
            model.observe(level, time_ms)
    return model


def test_pid_adds_up_its_three_terms() -> None:
    pid = Pid(GAINS)
    assert pid.step(0.1, blocked=False) == pytest.approx(0.5 * 0.1 + 0.1 * 0.1)
    assert pid.step(0.2, blocked=False) == pytest.approx(0.5 * 0.2 + 0.1 * 0.3 + 0.2 * 0.1)


@pytest.mark.parametrize(("error", "step"), [(5.0, 0.4), (-5.0, -0.4)])
def test_pid_step_is_limited(error: float, step: float) -> None:
    assert Pid(GAINS).step(error, blocked=False) == step


@pytest.mark.parametrize(("error", "blocked"), [(0.29, True), (0.31, False)])
def test_pid_does_not_wind_up(error: float, blocked: bool) -> None:
    pid = Pid(GAINS)
    for _ in range(100):
        pid.step(error, blocked)
    pid.step(0.0, blocked=False)
    assert pid.step(0.0, blocked=False) == 0.0


def test_published_pid_winds_up() -> None:
    pid = Pid(GAINS._replace(integral_zone=None))
    for _ in range(100):
        pid.step(1.0, blocked=True)
    assert pid.step(-1.0, blocked=False) == 0.4


def test_ladder_rises_when_the_scale_reaches_a_level() -> None:
    ladder = Ladder(SCALES, start=2, hysteresis=0.03, dwell=1)
    assert ladder.step(0.799, late=-0.2) == 2
    assert ladder.step(0.8, late=-0.2) == 3


def test_ladder_falls_only_beyond_the_hysteresis() -> None:
    ladder = Ladder(SCALES, start=3, hysteresis=0.03, dwell=1)
    assert ladder.step(0.79, late=0.03) == 3
    assert ladder.step(0.79, late=0.031) == 2
    assert ladder.step(0.5, late=0.5) == 0


def test_ladder_dwells_after_a_change() -> None:
    ladder = Ladder(SCALES, start=5, hysteresis=0.0, dwell=3)
    assert [ladder.step(0.6, late=1.0) for _ in range(3)] == [5, 5, 1]
    assert [ladder.step(1.0, late=-0.5) for _ in range(3)] == [1, 1, 5]


def test_ladder_saturation_has_hysteresis() -> None:
    ladder = Ladder(SCALES, start=0, hysteresis=0.03, dwell=1)
    lateness = [0.02, 0.04, 0.01, 0.0, 0.02]
    seen = []
    for late in lateness:
        ladder.step(0.5, late)
        seen.append(ladder.saturated)
    assert seen == [False, True, True, False, False]


def test_levels_without_windows_are_the_rungs() -> None:
    assert build_levels([480, 240, 480]) == [
        Level(240, 8, 0.5),
        Level(480, 8, 1.0),
    ]


def test_levels_put_smaller_windows_below_the_lowest_rung() -> None:
    levels = build_levels([384, 480], range(2, 9))
    assert [(level.rung, level.window) for level in levels] == [
        *[(384, window) for window in range(2, 9)],
        (480, 8),
    ]
    scales = [level.scale for level in levels]
    assert scales == sorted(set(scales))


def test_levels_take_the_windows_they_are_given() -> None:
    levels = build_levels([512, 1024], (1, 3, 6))
    assert [(level.rung, level.window) for level in levels] == [
        (512, 1),
        (512, 3),
        (512, 6),
        (1024, 6),
    ]
    assert [level.scale for level in levels] == pytest.approx([0.45, 0.47, 0.5, 1.0])
    assert build_levels([512], (6,)) == [Level(512, 6, 1.0)]


@pytest.mark.parametrize("windows", [(3, 1), (1, 1, 3), (0, 41), (-60, 2)])
def test_windows_must_ascend(windows: tuple[int, ...]) -> None:
    with pytest.raises(ArgumentError, match=r"windows are .*; give them ascending"):
        build_levels([480], windows)


def test_belief_is_the_gaussian_posterior() -> None:
    # By hand: the posterior of N([0, 0], [[2, 1], [1, 3]]) after observing x0 = 3 with variance 1.
    belief = Belief([0.0, 0.0], [[2.0, 1.0], [1.0, 3.0]])
    belief.measure(0, 3.0, variance=1.0)
    assert belief.mean == pytest.approx([2.0, 1.0])
    assert [belief.variance(0), belief.variance(1)] == pytest.approx([2 / 3, 8 / 3])
    assert belief.std_between(0, 1) == pytest.approx(math.sqrt(2 / 3 + 8 / 3 - 2 / 3))


def test_belief_loosened_together_keeps_its_differences() -> None:
    belief = Belief([0.0, 0.0], [[2.0, 1.0], [1.0, 3.0]])
    belief.loosen_all(5.0)
    assert belief.variance(0) == 7.0
    assert belief.std_between(0, 1) == pytest.approx(math.sqrt(3.0))
    belief.loosen(0, 1.0)
    assert belief.std_between(0, 1) == pytest.approx(2.0)


def test_model_waits_for_three_frames_at_a_level() -> None:
    model = TimeModel(SCALES)
    ready = []
    for level in (5, 5, 5, 4, 4, 4):
        model.observe(level, 50.0)
        ready.append(model.ready)
    assert ready == [False, False, True, False, False, True]
    assert model.started


def test_model_knows_what_it_has_seen_and_interpolates() -> None:
    model = taught({5: 50.0, 3: 40.0, 4: 44.0})
    assert math.exp(model.log_time(1.0)) == pytest.approx(50.0, rel=0.01)
    assert math.exp(model.log_time(0.9)) == pytest.approx(44.0, rel=0.01)
    assert 40.0 < math.exp(model.log_time(0.85)) < 44.0


def test_model_guesses_the_rest_of_a_power_law_and_hopes_a_little() -> None:
    model = taught({5: 50.0})
    guess_ms = math.exp(model.log_time(0.8))
    assert 0.8 * 50 * 0.8**1.8 < guess_ms < 50 * 0.8**1.8


def test_model_keeps_hoping_until_it_has_learned() -> None:
    model = taught({5: 50.0})
    before = model.log_time(0.9)
    model.observe(4, 60.0)
    model.observe(4, 60.0)
    assert model.log_time(0.9) == before
    model.observe(4, 60.0)
    assert math.exp(model.log_time(0.9)) == pytest.approx(60.0, rel=0.05)


def test_model_applies_a_change_of_load_to_all_levels() -> None:
    model = taught({5: 50.0, 4: 42.0})
    for _ in range(5):
        model.observe(4, 84.0)
    assert math.exp(model.log_time(1.0)) == pytest.approx(100.0, rel=0.02)


def test_model_does_not_see_a_spike() -> None:
    model = taught({5: 50.0})
    before = model.log_time(1.0)
    for latency_ms in (50.0, 150.0, 50.0, 50.0, 50.0):
        model.observe(5, latency_ms)
    assert model.log_time(1.0) == pytest.approx(before, abs=1e-6)


def test_model_forgets_lessons_but_not_the_present_level() -> None:
    model = taught({4: 50.0, 5: 500.0})
    for _ in range(640):
        model.observe(4, 50.0)
    assert math.exp(model.log_time(0.9)) == pytest.approx(50.0, rel=0.01)
    assert math.exp(model.log_time(1.0)) < 70.0


@pytest.mark.parametrize("step", [-0.3, -0.1, 0.0, 0.1])
def test_moving_the_scale_moves_the_time(step: float) -> None:
    model = taught({5: 50.0, 3: 33.0, 4: 42.0})
    moved = model.move(0.88, step)
    assert model.log_time(moved) == pytest.approx(model.log_time(0.88) + step)


def test_moving_stops_at_the_levels_bounds() -> None:
    model = taught({5: 50.0})
    assert model.move(0.8, 9.0) == 1.0
    assert model.move(0.8, -9.0) == pytest.approx(0.5)


def test_moving_passes_over_a_slower_level_to_a_higher_one_that_fits() -> None:
    model = taught({3: 40.0, 5: 60.0, 4: 30.0})
    allowed = math.log(35.0) - model.log_time(0.5)
    assert 0.9 < model.move(0.5, allowed) < 1.0
