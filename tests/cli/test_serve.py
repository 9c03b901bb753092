"""`sam2lite serve` from its first line to its end by a signal."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from sam2lite.cli.bundle.serve import serve
from sam2lite.errors import (
    ArgumentError,
    OutputError,
    Sam2LiteError,
    ServeError,
    UnknownNameError,
    VideoError,
)
from sam2lite.runtimes import rle
from sam2lite.runtimes.serve import run as serving
from sam2lite.runtimes.video.captured import CapturedFrame, now_ms
from sam2lite.runtimes.video.frame_source import FrameSource
from sam2lite.runtimes.video.writer import VideoWriter
from tests.interrupts import interruptible
from tests.runtimes.serve.client import Client

WIDTH, HEIGHT, FRAMES = 96, 72, 400
UNTRAINED = "warning: the weights of 'mini' are untrained; its masks mean nothing\n"
RUN = (
    "from sam2lite.cli.app import make_app, run_app\n"
    "from sam2lite.cli.bundle.serve import serve\n"
    "from sam2lite.cli.targets import targets\n"
    "run_app(make_app('tests', [serve, targets]))\n"
)

app = typer.Typer()
app.command()(serve)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    with VideoWriter(path, 25.0, WIDTH, HEIGHT) as writer:
        for index in range(FRAMES):
            writer.write(np.roll(noise, 2 * index, axis=1))
    return path


@contextmanager
def running(*options: str | Path) -> Iterator[tuple[Client, "subprocess.Popen[str]"]]:
    """Run the command until the page can be opened."""
    command = [sys.executable, "-c", RUN, "serve", "--port", "0", *options]
    with interruptible(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("open http://127.0.0.1:"), (line, process.communicate())
        yield Client("127.0.0.1", int(line.split("/")[2].partition(":")[2])), process


def wait_until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(600):
        if holds():
            return
        pause.wait(0.1)
    pytest.fail("it did not happen within 60 s")


@pytest.mark.parametrize(
    ("number", "live"), [(signal.SIGTERM, ["--live"]), (signal.SIGINT, [])], ids=["live", "file"]
)
def test_a_signal_ends_a_run_in_order(
    number: signal.Signals, live: list[str], mini_bundle: Path, clip: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    with running("--bundle", mini_bundle, "--video", clip, "-o", folder, *live) as (
        client,
        process,
    ):
        assert client.get("/").status == 200
        state = client.get("/state").json
        assert (state["paused"], state["frames"], state["live"]) == (True, 0, bool(live))
        prompted = client.post("/prompt", frame=0, points=[[40, 30]])
        assert (prompted.status, prompted.json["visible"]) == (200, True)
        client.post("/pause", paused=False)
        wait_until(lambda: client.get("/state").json["frames"] >= 5)
        viewer = client.parts("/live")
        index = int(next(viewer).headers["X-Frame-Index"])
        next(viewer)
        late = client.post("/prompt", object=2, frame=index, box=[10, 10, 50, 40])
        assert (late.status, late.json["frame"]) == (200, index)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
        assert len(list(viewer)) < 50
    assert process.returncode == 128 + number
    assert stderr == UNTRAINED
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert stdout.startswith(f"{tmp_path / 'out'}: ")
    header, *lines = map(json.loads, (tmp_path / "out" / "results.jsonl").read_text().splitlines())
    assert (header["width"], header["height"]) == (WIDTH, HEIGHT)
    records = [line for line in lines if "index" in line]
    assert [record["index"] for record in records] == list(range(len(records)))
    assert f" {len(records)} frames" in stdout
    assert rle.decode(records[0]["objects"]["1"]["rle"]).shape == (HEIGHT, WIDTH)
    if not live:
        assert [record["source_index"] for record in records] == list(range(len(records)))
    with pytest.raises(ConnectionRefusedError):
        client.get("/")


def test_a_file_to_its_end(mini_bundle: Path, clip: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.mp4"
    with VideoWriter(short, 25.0, WIDTH, HEIGHT) as writer:
        for index in range(6):
            writer.write(np.full((HEIGHT, WIDTH, 3), 40 * index, np.uint8))
    with running("--bundle", mini_bundle, "--video", short) as (client, process):
        client.post("/pause", paused=False)
        wait_until(lambda: bool(client.get("/state").json["ended"]))
        assert client.post("/prompt", frame=5, points=[[9, 9]]).json["visible"]
        lines = client.get("/results.jsonl").body.splitlines()
        assert [json.loads(line).get("index") for line in lines] == [None, *range(6), None]
        process.terminate()
        stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert stdout == "6 frames, 0 dropped; the results are gone, since there was no -o\n"


def test_a_port_in_use_is_one_sentence(mini_bundle: Path, clip: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = ["--bundle", str(mini_bundle), "--video", str(clip), "--port", str(port)]
        done = subprocess.run(
            [sys.executable, "-c", RUN, "serve", *options],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"{UNTRAINED}error: cannot listen on port {port} of 127.0.0.1: address already in use; "
        "choose another with --port, or 0 for one that is free\n"
    )


@pytest.mark.parametrize(
    ("kind", "options", "named"),
    [
        (ServeError, ["--host", "nowhere.invalid"], "there is no address 'nowhere.invalid' here"),
        (ServeError, ["--port", "70000"], "ports are 0 to 65535"),
        (VideoError, ["--video", "none.mp4"], "cannot read 'none.mp4'"),
        (ArgumentError, ["--budget-ms", "0"], "budget_ms is 0.0"),
        (ArgumentError, ["--budget-ms", "9", "--max-age-ms", "9"], "give one of them"),
        (ArgumentError, ["--preset", "paper"], "--budget-ms"),
        (ArgumentError, ["--set", "window"], "no NAME=VALUE"),
        (UnknownNameError, ["--rung", "241"], "known: 240"),
        (UnknownNameError, ["--set", "nothing=1"], "nothing"),
    ],
)
def test_wrong_arguments_leave_nothing(
    kind: type[Sam2LiteError],
    options: list[str],
    named: str,
    mini_bundle: Path,
    clip: Path,
    tmp_path: Path,
) -> None:
    usual = ["--bundle", str(mini_bundle), "--video", str(clip), "--port", "0"]
    result = CliRunner().invoke(app, [*usual, "-o", str(tmp_path / "out"), *options])
    assert isinstance(result.exception, kind), result.exception
    assert named in str(result.exception)
    assert list(tmp_path.iterdir()) == []


class DyingCamera(FrameSource):
    """Delivers a few frames, and then no more."""

    is_live = True

    def __init__(self) -> None:
        super().__init__("camera 0", np.zeros((HEIGHT, WIDTH, 3), np.uint8), 25.0, None)

    def _captured(self) -> Iterator[CapturedFrame]:
        for index in range(4):
            yield CapturedFrame(self.first_bgr, index, now_ms(), None)
        raise VideoError("camera 0 has delivered no frame for 5.0 s")


def test_what_a_camera_gave_before_it_failed_is_kept(
    mini_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "open_source", lambda video: DyingCamera())
    usual = ["--bundle", str(mini_bundle), "--video", "0", "--port", "0"]
    result = CliRunner().invoke(app, [*usual, "-o", str(tmp_path / "out")])
    assert isinstance(result.exception, VideoError)
    assert f"; the 4 frames before are in {tmp_path / 'out'}" in str(result.exception)
    lines = (tmp_path / "out" / "results.jsonl").read_text().splitlines()
    assert [json.loads(line).get("index") for line in lines] == [None, 0, 1, 2, 3]


def test_what_is_not_ours_is_not_replaced(mini_bundle: Path, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    usual = ["--bundle", str(mini_bundle), "--video", str(clip), "--port", "0", "--force"]
    result = CliRunner().invoke(app, [*usual, "-o", str(tmp_path)])
    assert isinstance(result.exception, OutputError)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
