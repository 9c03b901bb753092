import numpy as np
import pytest

from sam2lite.runtimes.commands.run_tally import RunTally, summary_lines, thread_warnings
from sam2lite.runtimes.results import FrameResult, ObjectResult
from sam2lite.targets.machine import read_machine

HEIGHT, WIDTH = 50, 80
LOGITS = np.zeros((4, 4), np.float32)


def found(share: float, visible: bool = True, lost: bool = False) -> ObjectResult:
    mask = np.zeros(HEIGHT * WIDTH, bool)
    mask[: round(share * mask.size)] = visible
    return ObjectResult(mask.reshape(HEIGHT, WIDTH), LOGITS, 0.9, 5.0, visible, lost, False)


def tallied(shares: list[float], budget_ms: float | None = None) -> RunTally:
    tally = RunTally(budget_ms, simulated=False)
    for index, share in enumerate(shares):
        times = {"total": 40.0 + index}
        tally.add(FrameResult(index, {1: found(share)}, 480, times, None), 50.0, index % 2)
    return tally


def test_a_mask_that_swallows_the_wall_is_told() -> None:
    (warning,) = tallied([0.03, 0.04, 0.06, 0.81, 0.7]).warnings()
    assert "object 1 grew from 3.0% to 81.0% of the picture (frame 3)" in warning
    assert "whatever the network thinks" in warning


@pytest.mark.parametrize(
    "shares",
    [
        pytest.param([0.05, 0.1, 0.2, 0.38], id="somebody comes nearer"),
        pytest.param([0.001, 0.02], id="small, however it grew"),
        pytest.param([0.6, 0.9], id="large from the first"),
        pytest.param([0.0, 0.0], id="never there"),
    ],
)
def test_what_may_well_be_is_not_warned_of(shares: list[float]) -> None:
    assert tallied(shares).warnings() == []


def test_the_summary_keeps_facts_and_opinions_apart() -> None:
    tally = tallied([0.1, 0.2, 0.1], budget_ms=41.5)
    tally.add(
        FrameResult(3, {1: found(0, False, True)}, 480, {"total": 43.0}, None), 60.0, dropped=5
    )
    summary = dict(tally.summary(2.0), path="out", live=True, weights="smoke-test")
    assert (summary["frames"], summary["fps"], summary["dropped_frames"]) == (4, 2.0, 6)
    assert summary["over_budget_share"] == 0.5
    (record,) = summary["objects"].values()
    assert record["area_share"] == {"first": 0.1, "last": 0.0, "largest": 0.2, "largest_at": 1}
    assert (record["visible_share"], record["lost_frames"]) == (0.75, 1)
    lines = list(summary_lines(summary))
    assert "its mask 10.0% of the picture at first, 0.0% at the last, 20.0% at most" in lines[0]
    assert (
        "by its own account the network kept it in view on 75.0% of them, at an IoU of 0.90"
        in lines[1]
    )
    assert "lost on 1" in lines[1]
    assert "budget of 41.5 ms: 50% of the frames took longer" in lines[2]
    assert "ms from capture to mask" in lines[-1]
    assert lines[-2].startswith("weights: smoke-test")
    assert "6 dropped" in lines[-1]


def test_times_of_a_simulation_mean_nothing() -> None:
    tally = RunTally(None, simulated=True)
    tally.add(FrameResult(0, {}, 480, {"total": 1.0}, None), 1.0, 0)
    summary = dict(tally.summary(1.0), path="out", live=False, weights=None)
    assert summary["compute_ms"] is summary["latency_ms"] is None
    assert "simulated" in list(summary_lines(summary))[-1]


def test_more_threads_than_cores_are_told() -> None:
    cores = read_machine().cores
    assert thread_warnings(None) == thread_warnings(cores) == []
    assert f"{cores + 1} threads were asked for on {cores} cores" in thread_warnings(cores + 1)[0]
