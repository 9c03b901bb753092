from sam2lite.bench.controller_trace import last_third_p50_ms, phases, rung_changes, trace
from sam2lite.bench.frame_loop import FrameRecord, LoopRun
from sam2lite.runtimes.controller import ControllerState


def record(rung: int, total_ms: float, controlled: bool = True) -> FrameRecord:
    state = ControllerState(rung, 8, "holding", total_ms, 1.0) if controlled else None
    return FrameRecord(rung, {"decode": 1.0, "total": total_ms}, lost=False, controller=state)


def run_of(rungs_and_times: list[tuple[int, float]], warmup: int = 0) -> LoopRun:
    return LoopRun([record(*item) for item in rungs_and_times], warmup, None)


FALLS_AND_RISES = [(480, 40.0)] * 3 + [(240, 20.0)] * 3 + [(480, 30.0)] * 3


def test_changes_are_found_where_the_rung_is_another() -> None:
    assert rung_changes(run_of(FALLS_AND_RISES).records) == [3, 6]


def test_one_phase_without_a_load() -> None:
    (phase,) = phases(run_of(FALLS_AND_RISES), budget_ms=30.0)
    assert (phase.load, phase.first_frame, phase.end_frame) == ("none", 0, 9)
    assert (phase.rung, phase.rung_changes, phase.settled_frame) == (480, 2, 6)
    assert (phase.p50_ms, phase.status) == (30.0, "holding")
    assert phase.within_budget == 0.6667  # a frame that takes the budget is within it


def test_three_phases_with_a_load() -> None:
    run = LoopRun(run_of(FALLS_AND_RISES).records, 1, load_frames=(3, 7))
    before, during, after = phases(run, budget_ms=25.0)
    assert [p.load for p in (before, during, after)] == ["before", "during", "after"]
    assert (before.settled_frame, before.rung_changes) == (0, 0)
    assert (during.rung, during.settled_frame, during.rung_changes) == (480, 6, 1)
    assert (after.first_frame, after.end_frame, after.settled_frame) == (7, 9, 7)


def test_trace_holds_every_frame_the_warm_up_too() -> None:
    entries = trace(run_of(FALLS_AND_RISES, warmup=4))
    assert [entry["frame"] for entry in entries] == list(range(9))
    assert entries[3] == {
        "frame": 3,
        "rung": 240,
        "window": 8,
        "latency_ms": 20.0,
        "age_ms": None,
        "status": "holding",
    }


def test_trace_is_empty_without_a_controller() -> None:
    assert trace(LoopRun([record(480, 9.0, controlled=False)], 0, None)) == []


def test_last_third_leaves_the_warm_up_out() -> None:
    times = [100.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert last_third_p50_ms(run_of([(480, ms) for ms in times], warmup=1)) == 5.5


def test_last_third_of_one_frame() -> None:
    assert last_third_p50_ms(run_of([(480, 7.0)])) == 7.0
