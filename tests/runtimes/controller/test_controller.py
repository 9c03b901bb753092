"""The controller against simulated devices, whose true times it does not know."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest

from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.runtimes.controller import ControllerState, FrameController

TimeOf = Callable[[ControllerState], float]
RUNGS = (240, 288, 336, 384, 432, 480)
FINE_RUNGS = tuple(range(240, 481, 8))
LADDERS_MS = {
    "measured": (14, 19, 26, 33, 42, 52),
    "quadratic": tuple(52 * (0.1 + 0.9 * (rung / 480) ** 2) for rung in RUNGS),
    "ratio 1.3": tuple(52 / 1.3**step for step in range(5, -1, -1)),
    "ratio 1.5": tuple(52 / 1.5**step for step in range(5, -1, -1)),
    "mixed": (11.7, 17.5, 22.8, 34.2, 40, 52),
    "bumpy": (14, 20, 23, 34, 38, 52),
}
STATUSES = {"holding", "settling", "saturated"}


def play(
    controller: FrameController,
    time_ms: TimeOf,
    loads: Sequence[float],
    noise: float = 0.0,
    spike: Callable[[int], object] | None = None,
    delay: int = 0,
    seed: int = 0,
) -> list[ControllerState]:
    """Return the states that each frame ran under; `spike(frame)` triples a frame's time."""
    rng = random.Random(seed)
    state = controller.state
    queue, states = [state] * delay, []
    for frame, load in enumerate(loads):
        queue.append(state)
        running = queue.pop(0)
        states.append(running)
        latency_ms = time_ms(running) * load * math.exp(noise * rng.gauss(0, 1))
        latency_ms *= 3 if spike and spike(frame) else 1
        state = controller.observe(latency_ms, running.rung)
    return states


def ladder_time(times_ms: Sequence[float]) -> TimeOf:
    return lambda state: times_ms[RUNGS.index(state.rung)]


def continuous_time(state: ControllerState) -> float:
    return 48 * (0.1 + 0.9 * (state.rung / 480) ** 2)


def rungs_of(states: Sequence[ControllerState]) -> list[int]:
    return [state.rung for state in states]


def changes(states: Sequence[ControllerState]) -> int:
    return sum(a != b for a, b in pairwise(rungs_of(states)))


def clear_budgets(times_ms: Sequence[float], loads: Sequence[float]) -> Iterator[float]:
    """Return budgets between two rungs that no rung meets within 5 % under any of the loads."""
    for lower, upper in pairwise(times_ms):
        for budget_ms in (lower * 1.06, math.sqrt(lower * upper), upper / 1.06):
            if all(abs(time * load / budget_ms - 1) > 0.05 for time in times_ms for load in loads):
                yield budget_ms


def highest_that_fits(times_ms: Sequence[float], load: float, budget_ms: float) -> int:
    fitting = [rung for rung, time in zip(RUNGS, times_ms, strict=True) if time * load <= budget_ms]
    return max(fitting, default=RUNGS[0])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_continuous_device_is_within_a_tenth_of_the_budget_in_15_frames(
    noise: float, seed: int
) -> None:
    loads = [1.0] * 60 + [70 / 48] * 60 + [1.0] * 60
    states = play(FrameController(33.3, FINE_RUNGS), continuous_time, loads, noise, seed=seed)
    errors = [
        continuous_time(state) * load / 33.3 - 1 for state, load in zip(states, loads, strict=True)
    ]
    for step in (0, 60, 120):
        assert max(map(abs, errors[step + 15 : step + 60])) <= 0.10


@pytest.mark.parametrize("name", LADDERS_MS)
@pytest.mark.parametrize("load", [0.7, 1.46])
def test_holds_the_highest_rung_that_fits_15_frames_after_a_step(name: str, load: float) -> None:
    times_ms = LADDERS_MS[name]
    for budget_ms in clear_budgets(times_ms, (1.0, load)):
        loads = [1.0] * 50 + [load] * 50 + [1.0] * 50
        states = play(FrameController(budget_ms, RUNGS), ladder_time(times_ms), loads)
        for step in (0, 50, 100):
            expected = highest_that_fits(times_ms, loads[step], budget_ms)
            rungs = rungs_of(states[step + 15 : step + 50])
            # A rung that has never run may be tried late, for three frames.
            assert rungs.count(expected) >= len(rungs) - 3
            assert set(rungs[5:]) == {expected}


@pytest.mark.parametrize("name", LADDERS_MS)
def test_noise_does_not_hide_the_rung(name: str) -> None:
    times_ms = LADDERS_MS[name]
    loads = [1.0] * 50 + [1.46] * 50 + [1.0] * 50
    right = []
    for seed, budget_ms in enumerate(clear_budgets(times_ms, (1.0, 1.46))):
        states = play(
            FrameController(budget_ms, RUNGS), ladder_time(times_ms), loads, 0.05, seed=seed
        )
        for step in (0, 50, 100):
            expected = highest_that_fits(times_ms, loads[step], budget_ms)
            right += [rung == expected for rung in rungs_of(states[step + 15 : step + 50])]
    assert sum(right) >= 0.95 * len(right)


@pytest.mark.parametrize("start_rung", RUNGS)
def test_the_start_does_not_decide_where_it_ends(start_rung: int) -> None:
    controller = FrameController(36, RUNGS, start_rung=start_rung)
    assert controller.rung == start_rung
    states = play(controller, ladder_time(LADDERS_MS["measured"]), [1.0] * 30)
    assert set(rungs_of(states[15:])) == {384}
    assert controller.status == "holding"


@pytest.mark.parametrize("percent_off", [-3, -1, 0, 1, 3])
@pytest.mark.parametrize("name", ["measured", "ratio 1.5"])
def test_a_budget_close_to_a_rung_makes_no_limit_cycle(name: str, percent_off: int) -> None:
    times_ms = LADDERS_MS[name]
    for time_ms in times_ms[1::2]:
        controller = FrameController(time_ms * (1 + percent_off / 100), RUNGS)
        states = play(controller, ladder_time(times_ms), [1.0] * 800, noise=0.05)
        assert changes(states[50:]) < 750 / 50


def test_no_limit_cycle_where_one_rung_costs_four_times_the_one_below() -> None:
    cliff_ms = (10, 12, 14, 56, 60, 64)
    controller = FrameController(30, RUNGS)
    states = play(controller, ladder_time(cliff_ms), [1.0] * 400, noise=0.02)
    assert set(rungs_of(states[15:])) == {336}


@pytest.mark.parametrize("rungs", [(256, 512, 1024), (240, 480), (120, 180, 240, 320, 480)])
def test_any_ladder_settles(rungs: Sequence[int]) -> None:
    def time_ms(state: ControllerState) -> float:
        return 50 * (state.rung / max(rungs)) ** 2

    for below, above in pairwise(rungs):
        budget_ms = 50 * below * above / max(rungs) ** 2
        states = play(FrameController(budget_ms, rungs), time_ms, [1.0] * 100)
        assert set(rungs_of(states[15:])) == {below}


def test_single_spikes_do_not_move_it() -> None:
    times_ms = LADDERS_MS["measured"]
    states = play(
        FrameController(36, RUNGS),
        ladder_time(times_ms),
        [1.0] * 400,
        noise=0.05,
        spike=lambda frame: frame % 9 == 8,
    )
    assert set(rungs_of(states[15:])) == {384}


def test_follows_a_load_that_comes_and_goes() -> None:
    loads = ([1.0] * 40 + [1.46] * 40) * 6
    states = play(
        FrameController(36, RUNGS), ladder_time(LADDERS_MS["measured"]), loads, noise=0.05
    )
    for step in range(0, len(loads), 40):
        expected = 384 if loads[step] == 1.0 else 288
        assert set(rungs_of(states[step + 15 : step + 40])) == {expected}


def test_a_rung_that_loads_for_some_frames_is_waited_for() -> None:
    controller = FrameController(36, RUNGS)
    states = play(controller, ladder_time(LADDERS_MS["measured"]), [1.0] * 80, delay=6)
    assert set(rungs_of(states[40:])) == {384}
    assert controller.status == "holding"


@pytest.mark.parametrize("name", ["measured", "ratio 1.3", "ratio 1.5"])
def test_rungs_that_load_on_first_use_are_not_loaded_and_left_again_and_again(name: str) -> None:
    times_ms = dict(zip(RUNGS, LADDERS_MS[name], strict=True))
    for budget_ms in clear_budgets(LADDERS_MS[name], (1.0, 1.46)):
        controller = FrameController(budget_ms, RUNGS)
        load_frames = dict.fromkeys(RUNGS[:-1], 10) | {RUNGS[-1]: 0}
        running, used = RUNGS[-1], []
        for load in [1.0] * 100 + [1.46] * 100 + [1.0] * 100:
            load_frames[controller.rung] = max(load_frames[controller.rung] - 1, 0)
            if load_frames[controller.rung] == 0:
                running = controller.rung
            used.append(running)
            controller.observe(times_ms[running] * load, rung=running)
        for end, load in ((99, 1.0), (199, 1.46), (299, 1.0)):
            settled = used[end - 50 : end + 1]
            assert set(settled) == {highest_that_fits(LADDERS_MS[name], load, budget_ms)}


def test_a_rung_still_loading_is_settling() -> None:
    controller = FrameController(36, RUNGS)
    while controller.rung == 480:
        controller.observe(52)
    for _ in range(3):
        assert controller.observe(52, rung=480).status == "settling"


def test_a_wrong_lesson_is_forgotten_in_the_end() -> None:
    frames_at_432 = 0

    def slow_at_first(state: ControllerState) -> float:
        nonlocal frames_at_432
        frames_at_432 += state.rung == 432
        warming_up = state.rung == 432 and frames_at_432 <= 4
        return LADDERS_MS["measured"][RUNGS.index(state.rung)] * (1.4 if warming_up else 1.0)

    states = play(FrameController(46, RUNGS, start_rung=384), slow_at_first, [1.0] * 700)
    assert set(rungs_of(states[30:500])) == {384}
    assert states[-1].rung == 432


def test_saturated_until_the_lowest_rung_fits_again() -> None:
    controller = FrameController(20, RUNGS)
    time_ms = ladder_time(LADDERS_MS["measured"])
    play(controller, time_ms, [2.0] * 40, noise=0.05)
    assert (controller.rung, controller.window, controller.status) == (240, 8, "saturated")
    play(controller, time_ms, [1.0] * 40, noise=0.05)
    assert (controller.rung, controller.status) == (288, "holding")


@pytest.mark.parametrize(("latency_ms", "status"), [(30, "holding"), (40, "saturated")])
def test_one_rung_cannot_move(latency_ms: float, status: str) -> None:
    controller = FrameController(33, [480])
    for _ in range(10):
        assert controller.observe(latency_ms).rung == 480
    assert controller.status == status


WINDOWS = tuple(range(2, 9))


def windowed_time(state: ControllerState) -> float:
    return LADDERS_MS["measured"][RUNGS.index(state.rung)] * (1 - 0.05 * (8 - state.window))


def test_window_shrinks_last_and_grows_back_first() -> None:
    controller = FrameController(12.5, RUNGS, windows=WINDOWS)
    loads = [1.0] * 60 + [0.4] * 60 + [1.0] * 60
    states = play(controller, windowed_time, loads, noise=0.03)
    assert all(state.window == 8 for state in states if state.rung > 240)
    for end in (59, 179):
        assert states[end].rung == 240
        assert windowed_time(states[end]) == pytest.approx(12.5, rel=0.08)
    assert (states[119].rung, states[119].window) == (336, 8)


def test_window_saturates_at_its_minimum() -> None:
    controller = FrameController(5, RUNGS, windows=WINDOWS)
    play(controller, windowed_time, [1.0] * 60)
    assert (controller.rung, controller.window, controller.status) == (240, 2, "saturated")


def test_windows_of_one_size_hold_a_budget_that_the_whole_does_not() -> None:
    costs_ms = {1: 500.0, 3: 700.0, 6: 1000.0}
    controller = FrameController(800, [512], windows=(1, 3, 6))
    assert (controller.rung, controller.window) == (512, 6)
    states = play(controller, lambda state: costs_ms[state.window], [1.0] * 60 + [0.5] * 60)
    assert (states[59].window, states[59].status) == (3, "holding")
    assert (states[119].window, states[119].status) == (6, "holding")


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize("windows", [(), WINDOWS, (1, 3, 6)])
@pytest.mark.parametrize("seed", range(5))
def test_bounds_hold_whatever_it_is_told(preset: str, windows: tuple[int, ...], seed: int) -> None:
    rng = random.Random(seed)
    odd = [0.0, -1.0, math.nan, math.inf, -math.inf, 1e308, 3.5e6, 1e-320]
    rungs = rng.sample(RUNGS, rng.randint(1, 6))
    controller = FrameController(10 ** rng.uniform(-3, 5), rungs, preset, windows)
    for _ in range(300):
        latency_ms = rng.choice(odd) if rng.random() < 0.3 else 10 ** rng.uniform(-4, 6)
        state = controller.observe(latency_ms, rng.choice([None, *rungs]))
        assert state.rung in rungs
        assert state.window in (windows or (8,))
        assert min(rungs) / max(rungs) <= state.scale <= 1.0
        assert state.status in STATUSES


@pytest.mark.parametrize("latency_ms", [0.0, -5.0, math.nan, math.inf, 1e9])
def test_a_time_that_is_none_changes_nothing(latency_ms: float) -> None:
    controller = FrameController(36, RUNGS)
    play(controller, ladder_time(LADDERS_MS["measured"]), [1.0] * 30)
    before = controller.state
    for _ in range(20):
        assert controller.observe(latency_ms) == before


def test_the_published_law_oscillates_and_the_default_does_not() -> None:
    def scale_steps(preset: str) -> Any:
        states = play(FrameController(33.3, FINE_RUNGS, preset), continuous_time, [1.0] * 200)
        return [abs(a.scale - b.scale) for a, b in pairwise(states[100:])]

    assert scale_steps("paper") == pytest.approx([0.05] * 99)
    assert scale_steps("default") == pytest.approx([0.0] * 99, abs=1e-3)


def test_state_says_what_the_next_frame_runs_at() -> None:
    controller = FrameController(36, [480, 240, 480])
    assert controller.state == ControllerState(480, 8, "settling", 0.0, 1.0)
    state = controller.observe(20.0)
    assert state == controller.state
    assert (state.rung, state.window, state.status) == (
        controller.rung,
        controller.window,
        controller.status,
    )
    assert state.latency_ms == 20.0


@pytest.mark.parametrize("budget_ms", [0, -1, math.nan, math.inf])
def test_a_budget_must_be_a_time(budget_ms: float) -> None:
    with pytest.raises(ArgumentError, match="budget is"):
        FrameController(budget_ms, RUNGS)


@pytest.mark.parametrize("rungs", [[], [0, 240], [-48]])
def test_rungs_must_be_sizes(rungs: Sequence[int]) -> None:
    with pytest.raises(ArgumentError, match="above 0 px"):
        FrameController(33, rungs)


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="'fast'; known: default, paper"):
        FrameController(33, RUNGS, preset="fast")
    with pytest.raises(UnknownNameError, match="rung 512; known: 240, 480"):
        FrameController(33, [240, 480], start_rung=512)
    with pytest.raises(UnknownNameError, match="rung 512; known: 240, 480"):
        FrameController(33, [240, 480]).observe(20.0, rung=512)
