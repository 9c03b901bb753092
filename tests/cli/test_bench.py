import json
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from sam2lite.bench import measurement
from sam2lite.cli.bundle.bench import app
from sam2lite.device.sensors.find import Sensors
from sam2lite.device.sensors.power_rails import Rail
from sam2lite.device.sensors.thermal import Zone
from sam2lite.errors import (
    ArgumentError,
    BudgetMissedError,
    BundleError,
    OutputError,
    PromptError,
    UnknownNameError,
    VideoError,
)
from tests.interrupts import interruptible

runner = CliRunner(env={"COLUMNS": "200"})
STAGES = (
    "decode preprocess image_encoder mask_decoder memory_encoder memory_select postprocess total"
)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five frames of 128x96, as a folder."""
    folder = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(0)
    still = rng.integers(0, 256, (96, 128, 3), np.uint8)
    for index in range(5):
        cv2.imwrite(str(folder / f"{index}.png"), np.roll(still, 3 * index, axis=1))
    return folder


def bench(*arguments: object) -> Result:
    return runner.invoke(app, [str(argument) for argument in arguments])


def small(tiny_bundle: Path, video: Path) -> list[object]:
    return ["--bundle", tiny_bundle, "--video", video, "--frames", 3, "--warmup", 1, "--rung", 240]


def measured(result: Result, path: Path) -> dict[str, Any]:
    assert result.exception is None, result.exception
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def test_json_has_what_the_design_promises(tiny_bundle: Path, video: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    result = bench(*small(tiny_bundle, video), "--json", path, "--backend", "ort")
    report = measured(result, path)
    assert report["schema_version"] == 1
    assert {"model", "cores", "versions", "load_average"} <= set(report["machine"])
    assert len(report["bundle_sha256"]) == 64
    assert report["threads"] >= 1
    assert list(report["stages_ms"]) == STAGES.split()
    for values in [*report["stages_ms"].values(), report["outside_graphs_ms"]]:
        assert list(values) == ["p50", "p95", "p99"]
        assert 0.0 < values["p50"] <= values["p95"] <= values["p99"]
    assert min(report[key] for key in ("fps", "startup_ms", "rss_mb", "peak_rss_mb")) > 0.0
    assert (report["frames"], report["warmup"], report["objects"]) == (3, 1, 1)
    assert (report["dropped_frames"], report["lost_frames"]) == (0, 0)
    assert (report["rung"], report["presence"], report["controller"]) == (240, "forced", [])
    assert report["load"] is report["budget"] is report["object_costs"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_power_is_in_the_json_and_the_table(
    tiny_bundle: Path, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "power").write_text("5000\n")  # mW
    (tmp_path / "temp").write_text("99500\n")
    rail = Rail("VDD_IN", (str(tmp_path / "power"),), 1e-3)
    zone = Zone("CPU-therm", str(tmp_path / "temp"), 99.0)
    monkeypatch.setattr(measurement, "find_sensors", lambda: Sensors([rail], [], [zone], []))
    path = tmp_path / "a.json"
    result = bench(*small(tiny_bundle, video), "--json", path)
    report = measured(result, path)
    power = report["power"]
    assert (power["rail"], power["covers"], power["mean_w"]) == ("VDD_IN", "module", 5.0)
    # The loop's own time is all but a little of what passed from the first reading to the last.
    assert 0.9 * 5.0 / report["fps"] < power["joules_per_frame"]
    assert report["temperature_c"] == {"CPU-therm": 99.5}
    assert "J a frame; 5.00 W on average, 5.00 W at most, of the module (VDD_IN)" in result.stdout
    assert "99.5 C at most, in CPU-therm" in result.stdout
    assert "Warning: CPU-therm reached 99.5 C" in result.stdout


def test_nothing_is_said_of_power_that_is_not_read(
    tiny_bundle: Path, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurement, "find_sensors", lambda: Sensors([], [], [], []))
    path = tmp_path / "a.json"
    result = bench(*small(tiny_bundle, video), "--json", path)
    report = measured(result, path)
    assert (report["power"], report["temperature_c"], report["clocks_mhz"]) == (None, {}, {})
    assert " W " not in result.stdout
    assert " C " not in result.stdout


def test_tables_have_every_stage_in_order(tiny_bundle: Path, video: Path) -> None:
    result = bench(*small(tiny_bundle, video))
    assert result.exit_code == 0
    places = [result.stdout.index(f" {stage} ") for stage in STAGES.split()]
    assert places == sorted(places)
    assert "outside the graphs" in result.stdout
    assert "at rung 240" in result.stdout
    assert "untrained" in result.stdout
    assert result.stderr == ""


def test_a_short_video_is_said_to_start_again(tiny_bundle: Path, video: Path) -> None:
    result = bench(*small(tiny_bundle, video), "--frames", 12)
    assert result.exit_code == 0
    assert "too short: begun 3 times" in result.stdout


def test_synthetic_video_is_the_default(tiny_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    result = bench("--bundle", tiny_bundle, "--frames", 2, "--warmup", 0, "--json", path)
    report = measured(result, path)
    assert (report["video"]["width"], report["video"]["height"]) == (1280, 720)
    assert report["rung"] == 480
    assert result.stderr == ""


def test_controller_trace_is_consistent(tiny_bundle: Path, video: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    result = bench(
        *("--bundle", tiny_bundle, "--video", video, "--frames", 30, "--warmup", 2),
        *("--budget-ms", 0.5, "--load", 1, "--json", path),
    )
    report = measured(result, path)
    trace, budget = report["controller"], report["budget"]
    assert [entry["frame"] for entry in trace] == list(range(32))
    assert all(
        list(entry) == ["frame", "rung", "window", "latency_ms", "age_ms", "status"]
        for entry in trace
    )
    assert report["load"] == {"processes": 1, "first_frame": 12, "end_frame": 22}
    assert [phase["load"] for phase in budget["phases"]] == ["before", "during", "after"]
    assert (trace[0]["rung"], trace[-1]["rung"]) == (480, 240)  # nothing fits in half a millisecond
    assert (trace[-1]["status"], budget["status"]) == ("saturated", "saturated")
    assert budget["within_budget"] == 0.0
    changes = sum(a["rung"] != b["rung"] for a, b in pairwise(trace))
    assert result.stdout.count(" -> ") == changes >= 1
    assert "load on: 1 processes" in result.stdout
    assert "load off" in result.stdout


def test_missed_budget_is_exit_code_4_and_still_reported(
    tiny_bundle: Path, video: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    result = bench(
        *small(tiny_bundle, video),
        *("--budget-ms", 0.5, "--fail-over-budget", "--json", path),
    )
    assert isinstance(result.exception, BudgetMissedError)
    assert result.exception.exit_code == 4
    assert json.loads(path.read_text())["budget"]["last_third_p50_ms"] > 0.5
    assert "Budget 0.5 ms" in result.stdout


def test_kept_budget_is_exit_code_0(tiny_bundle: Path, video: Path) -> None:
    result = bench(*small(tiny_bundle, video), "--budget-ms", 60000, "--fail-over-budget")
    assert result.exit_code == 0


def test_further_objects(tiny_bundle: Path, video: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    result = bench(*small(tiny_bundle, video), "--objects", 2, "--point", "9,9,1,2", "--json", path)
    report = measured(result, path)
    assert report["objects"] == 2
    assert [row["objects"] for row in report["object_costs"]["rows"]] == [1, 2]
    assert {"ms_per_object", "mb_per_object", "share_of_encoder"} <= set(report["object_costs"])
    assert "A further object: " in result.stdout


def test_rungs(tiny_bundle: Path, video: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    result = bench(
        *("--bundle", tiny_bundle, "--video", video, "--frames", 2, "--rungs", "--json", path)
    )
    report = measured(result, path)
    assert [entry["rung"] for entry in report["rungs"]] == [480, 336, 240]
    assert set(report["rungs"][0]) == {"rung", "open_ms", "first_frame_ms", "p50_ms", "rss_mb"}
    assert {"machine", "bundle_sha256", "threads", "peak_rss_mb"} <= set(report)
    assert "First frame, ms" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--frames", 0], ArgumentError, "--frames is 0; choose 1"),
        (["--frames", 2, "--load", 1], ArgumentError, "--frames is 2; choose 3"),
        (["--warmup", -1], ArgumentError, "--warmup is -1"),
        (["--objects", 17], ArgumentError, "--objects is 17; choose 1 to 16"),
        (["--objects", 0], ArgumentError, "--objects is 0"),
        (["--threads", 0], ArgumentError, "--threads is 0"),
        (["--load", -1], ArgumentError, "--load is -1"),
        (["--load", 1000], ArgumentError, "--load is 1000"),
        (["--rung", 241], UnknownNameError, "unknown rung 241; known: 240, 336, 480"),
        (["--backend", "trt"], ArgumentError, "--backend is 'trt', but"),
        (["--budget-ms", 0], ArgumentError, "budget_ms is 0"),
        (["--budget-ms", 9, "--preset", "bold"], UnknownNameError, "known: default, paper"),
        (["--preset", "paper"], ArgumentError, "--preset means nothing without a budget"),
        (["--fail-over-budget"], ArgumentError, "--fail-over-budget means nothing without"),
        (["--rungs", "--budget-ms", 9], ArgumentError, "--budget-ms does not go with --rungs"),
        (["--rungs", "--load", 1], ArgumentError, "--load does not go with --rungs"),
        (["--rungs", "--rung", 240], ArgumentError, "--rung does not go with --rungs"),
        (["--point", "1"], PromptError, "cannot read '1'"),
        (["--point", "500,1"], PromptError, "outside the frame of 128x96"),
        (["--point", "1,1,1,2"], ArgumentError, "names object 2, but 1 are followed"),
        (["--video", "absent.mp4"], VideoError, "absent.mp4"),
        (["--bundle", "absent"], BundleError, "no bundle at absent"),
    ],
)
def test_bad_arguments(
    tiny_bundle: Path, video: Path, arguments: list[object], error: type[Exception], message: str
) -> None:
    result = bench("--bundle", tiny_bundle, "--video", video, *arguments)
    assert isinstance(result.exception, error)
    assert message in str(result.exception)
    assert result.stdout == ""


def test_unwritable_json_is_found_before_anything_else(tmp_path: Path) -> None:
    result = bench("--bundle", "absent", "--json", tmp_path / "absent" / "a.json")
    assert isinstance(result.exception, OutputError)


def test_existing_json_needs_force(tiny_bundle: Path, video: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    assert isinstance(bench(*small(tiny_bundle, video), "--json", path).exception, OutputError)
    assert path.read_text() == "old"
    measured(bench(*small(tiny_bundle, video), "--json", path, "--force"), path)


def command(*arguments: object) -> list[str]:
    code = "from sam2lite.cli.bundle.bench import run; run()"
    return [sys.executable, "-c", code, *(str(argument) for argument in arguments)]


def test_a_mistake_is_one_line_and_debug_adds_the_traceback(video: Path) -> None:
    plain = subprocess.run(
        command("--bundle", "absent"), capture_output=True, text=True, check=False
    )
    assert plain.returncode == 1
    assert plain.stderr.startswith("error: there is no bundle at absent")
    assert plain.stderr.count("\n") == 1
    debug = subprocess.run(
        command("--bundle", "absent", "--debug"), capture_output=True, text=True, check=False
    )
    assert debug.returncode == 1
    assert "Traceback" in debug.stderr


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_ctrl_c_ends_the_load_and_leaves_no_file(
    tiny_bundle: Path, video: Path, tmp_path: Path
) -> None:
    arguments = ("--bundle", tiny_bundle, "--video", video, "--frames", 100000, "--load", 2)
    with interruptible(
        command(*arguments, "--json", tmp_path / "a.json"), stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 30
        while len(load := children(process.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
    assert len(load) == 2
    # The signal may come before the parent knows of its last child, which then ends with its input.
    while any(Path(f"/proc/{pid}").exists() for pid in load) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in load)
    assert list(tmp_path.iterdir()) == []
