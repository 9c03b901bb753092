import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from sam2lite.cli.app import make_command
from sam2lite.cli.bundle.track import track
from sam2lite.errors import (
    ArgumentError,
    OutputError,
    PromptError,
    Sam2LiteError,
    SessionError,
    UnknownNameError,
    VideoError,
)
from sam2lite.runtimes import rle
from sam2lite.runtimes.commands import track_run
from sam2lite.runtimes.masks.options import NOTHING
from sam2lite.runtimes.video.frame_source import FrameSource
from sam2lite.runtimes.video.latest_frame import LatestFrame
from sam2lite.runtimes.video.live import Live
from sam2lite.runtimes.video.source import open_source
from sam2lite.runtimes.video.writer import VideoWriter
from tests.interrupts import interruptible

FRAMES = 8
WIDTH, HEIGHT = 96, 72
FPS = 12.5

app = make_command(track)


def frame(index: int) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return np.roll(noise, 2 * index, axis=1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with VideoWriter(path, FPS, WIDTH, HEIGHT) as writer:
        for index in range(FRAMES):
            writer.write(frame(index))
    return path


class Run:
    """Runs `track` with a bundle at its lowest rung; results go to `folder`, and nowhere else."""

    def __init__(self, bundle: Path, clip: Path, home: Path) -> None:
        self.folder = home / "out"
        self.home = home
        self._args = ["--bundle", str(bundle), "--rung", "240", "-o", str(self.folder)]
        self._clip = clip

    def __call__(self, *args: str, video: Path | str | None = None) -> Any:
        return CliRunner().invoke(
            app, [*self._args, "--video", str(video or self._clip), *args], catch_exceptions=True
        )

    def succeed(self, *args: str, video: Path | str | None = None) -> Any:
        result = self(*args, video=video)
        assert result.exception is None, result.exception
        return result

    def fail(self, kind: type[Sam2LiteError], *args: str, video: Path | str | None = None) -> str:
        """Return the message; nothing may have been written."""
        before = sorted(self.home.iterdir())
        result = self(*args, video=video)
        assert isinstance(result.exception, kind), result.exception
        assert result.stdout == ""
        assert sorted(self.home.iterdir()) == before
        return str(result.exception)

    @property
    def results(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads((self.folder / "results.json").read_text())
        return data


@pytest.fixture
def run(tiny_bundle: Path, clip: Path, tmp_path: Path) -> Run:
    return Run(tiny_bundle, clip, tmp_path)


def write_prompts(path: Path, prompts: list[dict[str, Any]]) -> str:
    path.write_text(json.dumps({"prompts": prompts}))
    return str(path)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (
            ["--policy", "fifo", "--tokens", "64", "--window", "3"],
            {"policy": "fifo", "tokens": 64, "window": 3},
        ),
        (["--window", "0", "--set", "motion_aware=true"], {"window": None, "motion_aware": True}),
        (["--set", "window=3", "--set", "resize=bicubic"], {"window": 3, "resize": "bicubic"}),
    ],
)
def test_what_is_remembered_has_flags_of_its_own(
    flags: list[str], expected: dict[str, Any], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(
        track_run, "VideoSegmenter", lambda *args, **more: seen.append((args, more))
    )
    run("--point", "40,30", *flags, "--provider", "SomeProvider", "--threads", "2")
    (((*_, threads, provider, resize, cleaning), settings),) = seen
    assert cleaning == NOTHING
    assert (threads, provider) == (2, "SomeProvider")
    assert {"resize": resize, **settings} == {"resize": "halving", **expected}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--window", "2", "--set", "window=3"], "--window and --set window are one setting"),
        (
            ["--deterministic", "--threads", "2"],
            "--deterministic is one thread, and --threads is 2",
        ),
        (["--deterministic", "--budget-ms", "9"], "--deterministic does not go with a budget"),
        (["--deterministic", "--max-age-ms", "9"], "--deterministic does not go with a budget"),
        (["--deterministic", "--live"], "does not go with --live: which frames are dropped"),
    ],
)
def test_flags_that_contradict_each_other(flags: list[str], message: str, run: Run) -> None:
    assert message in run.fail(ArgumentError, "--point", "40,30", *flags)


def test_a_provider_that_is_not_there(run: Run) -> None:
    message = run.fail(SessionError, "--point", "40,30", "--provider", "NoSuchProvider")
    assert "execution provider NoSuchProvider is not in this onnxruntime" in message


def test_deterministic_runs_are_equal_to_the_last_bit(run: Run) -> None:
    found = []
    for _ in range(2):
        run.succeed("--point", "40,30", "--deterministic", "--force")
        found.append([entry["objects"] for entry in run.results["frames"]])
    assert found[0] == found[1]


def test_a_clip_becomes_a_folder_of_results(run: Run, clip: Path) -> None:
    result = run.succeed("--point", "40,30", "--box", "10,10,50,60,3")
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "masks",
        "overlay.mp4",
        "results.json",
    ]
    assert [path.name for path in run.home.iterdir()] == ["out"]

    results = run.results
    assert results["schema_version"] == 2
    assert (results["video"], results["width"], results["height"]) == (clip.name, WIDTH, HEIGHT)
    assert results["fps"] == FPS
    assert len(results["bundle_sha256"]) == 64
    assert results["model"]["name"] == "tiny"
    assert results["model"]["trained"] is False
    assert results["budget_ms"] is None
    assert results["prompts"] == [
        {"frame": 0, "object": 1, "points": [[40.0, 30.0]], "labels": [1]},
        {"frame": 0, "object": 3, "box": [10.0, 10.0, 50.0, 60.0]},
    ]
    assert (results["dropped_frames"], results["warnings"]) == (0, [])

    assert [entry["index"] for entry in results["frames"]] == list(range(FRAMES))
    for entry in results["frames"]:
        assert (entry["rung"], entry["lost"]) == (240, False)
        assert entry["latency_ms"] >= entry["compute_ms"] > 0.0
        assert entry["source_index"] == entry["index"]
        assert entry["pts_ms"] == pytest.approx(1000 * entry["index"] / FPS, abs=0.01)
        assert entry["dropped"] == 0
        assert list(entry["objects"]) == ["1", "3"]
        for object_id, found in entry["objects"].items():
            path = run.folder / "masks" / object_id / f"{entry['index']:05d}.png"
            image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            assert image is not None
            assert image.shape == (HEIGHT, WIDTH)
            assert set(np.unique(image)) <= {0, 255}
            np.testing.assert_array_equal(rle.decode(found["rle"]), image == 255)
            rows, columns = np.nonzero(image)
            assert found["area"] == len(rows)
            assert found["box"] == [min(columns), min(rows), max(columns) + 1, max(rows) + 1]
            assert found["centroid"] == pytest.approx([columns.mean(), rows.mean()], abs=0.01)
            assert found["visible"] is True
            assert found["lost"] is False
            assert 0.0 <= found["iou"] <= 1.0
            assert found["object_score"] > 0.0
    assert len(list((run.folder / "masks").rglob("*.png"))) == 2 * FRAMES

    overlay = open_source(run.folder / "overlay.mp4")
    assert (overlay.width, overlay.height, overlay.fps) == (WIDTH, HEIGHT, FPS)
    assert len(list(overlay)) == FRAMES
    assert "object 3: on 8 frames, its mask " in result.stdout
    account = "by its own account the network kept it in view on 100.0% of them, at an IoU of 0."
    assert account in result.stdout
    assert f"{run.folder}: 8 frames, 2 objects" in result.stdout
    assert "untrained" in result.stderr


def test_the_summary_as_json(run: Run) -> None:
    result = run.succeed("--point", "40,30", "--json")
    summary = json.loads(result.stdout)
    assert summary["path"] == str(run.folder)
    assert (summary["frames"], summary["dropped_frames"], summary["warnings"]) == (FRAMES, 0, [])
    (found,) = summary["objects"].values()
    assert (found["frames"], found["visible_share"], found["lost_frames"]) == (FRAMES, 1.0, 0)
    areas = [entry["objects"]["1"]["area"] for entry in run.results["frames"]]
    share = found["area_share"]
    assert share["first"] == pytest.approx(areas[0] / WIDTH / HEIGHT, abs=1e-4)
    assert share["last"] == pytest.approx(areas[-1] / WIDTH / HEIGHT, abs=1e-4)
    assert share["largest_at"] == np.argmax(areas)
    assert summary["trained"] is False
    for kind in ("compute_ms", "latency_ms"):
        times = [entry[kind] for entry in run.results["frames"]]
        assert min(times) * 0.99 <= summary[kind]["p50"] <= summary[kind]["p95"]
        assert summary[kind]["p95"] <= max(times) * 1.01


def test_prompts_for_later_frames(run: Run) -> None:
    prompts = [
        {"frame": 3, "object": 2, "points": [[40, 30], [5, 5]], "labels": [1, 0]},
        {"frame": 5, "object": 2, "box": [10, 10, 50, 60]},
    ]
    run.succeed("--prompts", write_prompts(run.home / "prompts.json", prompts))
    objects = [list(entry["objects"]) for entry in run.results["frames"]]
    assert objects == [[]] * 3 + [["2"]] * (FRAMES - 3)
    names = sorted(path.name for path in (run.folder / "masks" / "2").iterdir())
    assert names == [f"{index:05d}.png" for index in range(3, FRAMES)]
    assert [prompt["frame"] for prompt in run.results["prompts"]] == [3, 5]
    assert len(list(open_source(run.folder / "overlay.mp4"))) == FRAMES


def test_a_mask_prompt_is_followed_from_itself(run: Run) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:60, 30:70] = 1
    path = run.home / "mask.png"
    cv2.imwrite(str(path), mask)
    run.succeed("--mask", str(path), "--frames", "2")
    shown = rle.decode(run.results["frames"][0]["objects"]["1"]["rle"])
    assert (shown & (mask > 0)).sum() / (shown | (mask > 0)).sum() > 0.95
    np.testing.assert_array_equal(rle.decode(run.results["prompts"][0]["mask"]), mask > 0)


def test_the_number_of_frames_can_be_limited(run: Run) -> None:
    result = run.succeed("--point", "40,30", "--frames", "3")
    assert len(run.results["frames"]) == 3
    assert "3 frames, 1 objects" in result.stdout


def test_video_and_masks_can_be_left_out(run: Run) -> None:
    run.succeed("--point", "40,30", "--no-overlay", "--no-masks")
    assert [path.name for path in run.folder.iterdir()] == ["results.json"]
    assert len(run.results["frames"]) == FRAMES


def test_a_folder_of_frames_is_a_video(run: Run) -> None:
    folder = run.home / "frames"
    folder.mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / f"{index}.png"), frame(index))
    run.succeed("--point", "40,30", video=folder)
    assert len(run.results["frames"]) == 3


def test_a_budget_is_held_and_recorded(run: Run) -> None:
    run.succeed("--point", "40,30", "--budget-ms", "0.001", "--preset", "paper")
    assert run.results["budget_ms"] == 0.001
    for entry in run.results["frames"]:
        assert sorted(entry["controller"]) == ["scale", "status", "window"]
    assert run.results["frames"][-1]["controller"]["status"] == "saturated"


def test_a_prompt_beyond_the_end_of_a_live_clip_is_told(run: Run) -> None:
    prompts = [{"frame": 0, "points": [[40, 30]]}, {"frame": 99, "points": [[40, 30]]}]
    path = write_prompts(run.home / "prompts.json", prompts)
    result = run.succeed("--live", "--prompts", path)
    results = run.results
    assert results["live"] is True
    assert len(results["frames"]) + results["dropped_frames"] <= FRAMES
    assert results["frames"]
    assert ["99" in warning for warning in results["warnings"]] == [True]
    assert results["warnings"][0] in result.stderr


def test_nothing_pointed_out_is_refused_with_an_example(run: Run) -> None:
    assert "--point 320,240" in run.fail(ArgumentError)


@pytest.mark.parametrize(
    ("kind", "args", "named"),
    [
        (PromptError, ["--point", "98,30"], "frame 0, object 1: the click (98, 30)"),
        (PromptError, ["--box", "0,0,97.5,72,4"], "frame 0, object 4: the box"),
        (PromptError, ["--point", "40"], "cannot read '40'"),
        (ArgumentError, ["--point", "4,3", "--backend", "trt"], "made for 'ort'"),
        (ArgumentError, ["--point", "4,3", "--preset", "paper"], "--budget-ms"),
        (ArgumentError, ["--point", "4,3", "--budget-ms", "0"], "budget_ms is 0.0"),
        (UnknownNameError, ["--point", "4,3", "--rung", "241"], "known: 240, 336, 480"),
        (
            UnknownNameError,
            ["--point", "4,3", "--budget-ms", "9", "--preset", "best"],
            "known: default, paper",
        ),
        (
            ArgumentError,
            [word for number in range(1, 18) for word in ("--point", f"4,3,1,{number}")],
            "17 objects are pointed out, but 16",
        ),
    ],
)
def test_wrong_arguments_leave_nothing(
    run: Run, kind: type[Sam2LiteError], args: list[str], named: str
) -> None:
    assert named in run.fail(kind, *args)


@pytest.mark.parametrize("args", [["--frames", "0"], ["--threads", "0"], ["--budget-ms", "fast"]])
def test_numbers_out_of_range_are_refused(run: Run, args: list[str]) -> None:
    assert run("--point", "4,3", *args).exit_code == 2
    assert not run.folder.exists()


@pytest.mark.parametrize(
    ("last", "args"), [(FRAMES, []), (3, ["--frames", "3"])], ids=["clip", "limit"]
)
def test_a_prompt_that_is_never_reached_is_refused(run: Run, last: int, args: list[str]) -> None:
    prompts = [{"frame": 0, "points": [[4, 3]]}, {"frame": last, "points": [[4, 3]]}]
    path = write_prompts(run.home / "prompts.json", prompts)
    message = run.fail(PromptError, "--prompts", path, *args)
    assert f"frame {last}, but only {last} are tracked" in message


def test_results_are_replaced_only_by_force(run: Run) -> None:
    run.folder.mkdir()
    (run.folder / "notes.txt").write_text("mine")
    assert "--force" in run.fail(OutputError, "--point", "40,30")
    assert (run.folder / "notes.txt").read_text() == "mine"
    run.fail(PromptError, "--point", "400,30", "--force")
    assert (run.folder / "notes.txt").read_text() == "mine"
    assert "holds more than" in run.fail(OutputError, "--point", "40,30", "--force")
    assert (run.folder / "notes.txt").read_text() == "mine"
    (run.folder / "notes.txt").unlink()
    run.succeed("--point", "40,30", "--frames", "3")
    run.succeed("--point", "40,30", "--force", "--frames", "2")
    assert len(run.results["frames"]) == 2


def test_a_video_that_cannot_be_read_leaves_nothing(run: Run) -> None:
    broken = run.home / "broken.mp4"
    broken.write_bytes(b"no video")
    assert "broken.mp4" in run.fail(VideoError, "--point", "40,30", video=broken)
    run.fail(VideoError, "--point", "40,30", video=run.home / "missing.mp4")


def test_a_video_that_breaks_on_the_way_leaves_nothing(run: Run) -> None:
    folder = run.home / "frames"
    folder.mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / f"{index}.png"), frame(index)[: HEIGHT - 8 * (index == 2)])
    message = run.fail(VideoError, "--point", "40,30", video=folder)
    assert "frame 2 of" in message


class DyingCamera:
    """Delivers a few frames, and then no more."""

    pts_ms = None
    step = 1

    def __init__(self, frames: int) -> None:
        self._left = frames

    def read(self) -> tuple[bool, np.ndarray | None]:
        self._left -= 1
        time.sleep(0.05)
        return self._left >= 0, frame(self._left) if self._left >= 0 else None

    def release(self) -> None:
        self._left = 0


def test_what_a_camera_gave_before_it_failed_is_kept(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_camera(spec: str, live: bool, kept: set[int]) -> FrameSource:
        return Live(spec, FPS, LatestFrame(DyingCamera(4), "camera 0", stall_timeout_s=0.5))

    monkeypatch.setattr(track_run, "open_source", open_camera)
    result = run("--point", "40,30", video="0")
    assert isinstance(result.exception, VideoError)
    count = len(run.results["frames"])
    assert 1 <= count <= 4
    message = str(result.exception)
    assert "camera 0 has delivered no frame" in message
    assert f"the {count} frames before are in {run.folder}" in message
    assert len(list(open_source(run.folder / "overlay.mp4"))) == count


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "long.mp4"
    with VideoWriter(path, FPS, WIDTH, HEIGHT) as writer:
        for index in range(1000):
            writer.write(frame(index))
    return path


def interrupt(
    bundle: Path, clip: Path, output: Path, number: signal.Signals, *args: str
) -> tuple[int, str, str]:
    """Send a signal after the third frame; return the exit code and both outputs."""
    code = (
        "from sam2lite.cli.app import make_app, run_app\n"
        "from sam2lite.cli.bundle.track import track\n"
        "run_app(make_app('tests', [track]))\n"
    )
    options = ["--bundle", str(bundle), "--rung", "240", "--video", str(clip), "-o", str(output)]
    with interruptible(
        [sys.executable, "-c", code, "track", *options, "--point", "40,30", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        wait_until(lambda: bool(list(output.parent.glob(".*/masks/1/00002.png"))), process)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr


def wait_until(done: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    pause = threading.Event()
    for _ in range(6000):
        if done():
            return
        assert process.poll() is None, process.communicate()
        pause.wait(0.01)
    pytest.fail("it did not happen within 60 s")


@pytest.mark.parametrize(
    ("number", "live"),
    [
        (signal.SIGINT, True),
        (signal.SIGINT, False),
        (signal.SIGTERM, True),
        (signal.SIGTERM, False),
    ],
)
def test_a_signal_ends_a_run_in_order(
    number: signal.Signals, live: bool, tiny_bundle: Path, long_clip: Path, tmp_path: Path
) -> None:
    args = ["--live", "--json"] if live else ["--json"]
    code, stdout, stderr = interrupt(tiny_bundle, long_clip, tmp_path / "out", number, *args)
    assert code == 128 + number
    assert f"{number.name} ended the run; what was tracked before is in" in stderr
    assert "interrupted" not in stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    summary = json.loads(stdout)
    assert results["ended_by"] == summary["ended_by"] == number.name
    assert 3 <= summary["frames"] == len(results["frames"]) < 1000
    assert len(list((tmp_path / "out" / "masks" / "1").iterdir())) == summary["frames"]
    assert list(open_source(tmp_path / "out" / "overlay.mp4"))


def test_a_prompt_on_a_repeated_frame_goes_to_that_frame(
    run: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("frames")
    for index in range(7):
        picture = frame(min(index, 4) if index < 6 else index)  # 4 and 5 are the same
        cv2.imwrite(str(folder / f"{index}.png"), picture)
    prompts = tmp_path_factory.mktemp("prompts") / "prompts.json"
    entries = [{"frame": 0, "object": 1}, {"frame": 5, "object": 1}, {"frame": 5, "object": 2}]
    data = {"prompts": [{**entry, "points": [[40, 30]]} for entry in entries]}
    prompts.write_text(json.dumps(data))
    run.succeed("--prompts", str(prompts), video=folder)
    frames = json.loads((run.folder / "results.json").read_text())["frames"]
    assert [found["index"] for found in frames] == list(range(7))
    # The second object begins where it was pointed out, and not on the frame that looks the same.
    assert [sorted(found["objects"]) for found in frames] == [["1"]] * 5 + [["1", "2"]] * 2
