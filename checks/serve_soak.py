"""`serve` for a long time, with viewers that click, correct, leave and misbehave.

    .venv/bin/python checks/serve_soak.py --minutes 30 [--bundle DIR] [--cost-rounds 10]

A process of its own serves a drawn clip that is played again and again, first as fast as the loop
can go and then as a camera of 25 frames a second would. Of the first part comes what viewers cost:
frames a second with none and with two of them, taking turns. In the second, one viewer has the
page's own stream and one plain pictures; somebody clicks, corrects, removes and pauses, viewers go
and come, and now and then a client sends what it should not, or reads nothing.

It prints resident memory, threads and open descriptors at the start (when every kind of request has
been made) and at the end, and what a SIGTERM does. Exit code 1 where memory grew by more than
10 MB, a thread or a descriptor is left, two viewers cost more than 5 %, a request was not answered
as it should be, or the end was not in order.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from sam2lite.cli.app import run_app
from sam2lite.cli.bundles import bundle_or_default
from sam2lite.data.clips import ClipConfig, first_click, generate_clip
from sam2lite.runtimes.commands.children import running_file
from sam2lite.runtimes.serve import run as serving
from sam2lite.runtimes.stream.recent import LATE_FRAMES
from sam2lite.runtimes.video.captured import CapturedFrame, now_ms
from sam2lite.runtimes.video.frame_source import FrameSource

MOST_GROWTH_MB = 10.0
MOST_COST = 0.05
COST_S = 6.0  # of a measurement with or without viewers
SAMPLE_S = 2.0
WIDTH, HEIGHT, FRAMES, FPS = 640, 360, 32, 25.0
CLIP = generate_clip(14, ClipConfig(height=HEIGHT, width=WIDTH, frames=FRAMES))

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Endless(FrameSource):
    """The drawn clip, forwards and backwards without end."""

    def __init__(self) -> None:
        self._frames_bgr = [np.ascontiguousarray(rgb[..., ::-1]) for rgb in CLIP.frames_rgb_thwc]
        super().__init__("drawn.mp4", self._frames_bgr[0], FPS, None)

    def _captured(self) -> Iterator[CapturedFrame]:
        there_and_back = [*range(FRAMES), *range(FRAMES - 2, 0, -1)]
        for index, frame in enumerate(itertools.cycle(there_and_back)):
            yield CapturedFrame(self._frames_bgr[frame], index, now_ms(), 1000 / FPS * index)


def serve_endless(bundle: Path | None, live: bool, folder: Path) -> None:
    """Be the process that serves; the soak has as many frames as it can, at the smallest size."""

    def open_endless(video: str) -> FrameSource:
        return Endless()

    setattr(serving, "open_source", open_endless)  # noqa: B010  # it is not a name of that module
    opened = bundle_or_default(bundle)
    opened.share_threads(None)
    rung = opened.manifest.rungs[0] if live else None
    serving.serve_video(
        opened, "-", lambda url: print(url, flush=True), port=0, live=live, output=folder, rung=rung
    )


@dataclass
class Served:
    """A process that serves, and what was asked of it.

    Attributes:
        process: that serves.
        port: it listens on.
        shown: index of the newest picture that a viewer has.
        answers: how many, by their status.
        wrong: requests that were not answered as they should be.
    """

    process: subprocess.Popen[str]
    port: int
    shown: int = 0
    answers: dict[int, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def ask(self, path: str, body: Any = None, expected: int = 200, **headers: str) -> Any:
        """Ask, and note whether the answer is the one that should come."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=40)
        try:
            raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            if raw is not None:
                headers.setdefault("Content-Type", "application/json")
            connection.request("GET" if raw is None else "POST", path, raw, headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        self.answers[answer.status] = self.answers.get(answer.status, 0) + 1
        if answer.status != expected:
            self.wrong.append(f"{path} gave {answer.status} for {expected}: {text[:200]!r}")
        return json.loads(text) if answer.status == 200 and path != "/results.jsonl" else text

    @contextmanager
    def viewer(self, path: str) -> Iterator[None]:
        """Have somebody watch while the block runs."""
        over = threading.Event()

        def watch() -> None:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=40)
            connection.request("GET", path)
            answer = connection.getresponse()
            while not over.is_set():
                line = answer.readline()
                if not line:
                    self.wrong.append(f"{path} ended")
                    break
                if line.startswith(b"X-Frame-Index: "):
                    self.shown = max(self.shown, int(line.split()[1]))
                if line.startswith(b"Content-Length: "):
                    length = int(line.split()[1])
                if line == b"\r\n":
                    answer.read(length)
            connection.close()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(20)

    def cpu_s(self) -> float:
        """Return the time of processors that it has taken."""
        fields = (Path("/proc") / str(self.process.pid) / "stat").read_text().rpartition(")")[2]
        user, system = map(int, fields.split()[11:13])
        return (user + system) / os.sysconf("SC_CLK_TCK")

    def facts(self) -> tuple[float, int, int]:
        """Return resident memory in MB, threads and open descriptors."""
        folder = Path("/proc") / str(self.process.pid)
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        rss_mb = int(status["VmRSS"].split()[0]) * 1024 / 1e6
        return rss_mb, int(status["Threads"]), len(list((folder / "fd").iterdir()))


@contextmanager
def served(bundle: Path | None, live: bool, folder: Path) -> Iterator[Served]:
    """Run the process that serves until the block ends."""
    command = [*running_file(__file__), "--serve", str(folder), *(["--live"] if live else [])]
    if bundle is not None:
        command += ["--bundle", str(bundle)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        yield Served(process, int(url.rstrip("/").rpartition(":")[2]))
    finally:
        process.kill()
        process.wait()


def rate(run: Served, seconds: float) -> tuple[float, float]:
    """Return frames a second over a while, and milliseconds of processors that each took."""
    before, cpu_s, started = run.ask("/state")["frames"], run.cpu_s(), time.monotonic()
    time.sleep(seconds)
    frames = max(1, run.ask("/state")["frames"] - before)
    return frames / (time.monotonic() - started), 1e3 * (run.cpu_s() - cpu_s) / frames


def cost_of_viewers(bundle: Path | None, rounds: int, folder: Path) -> float:
    """Return by which share two viewers make the loop slower."""
    alone, watched = [], []
    with served(bundle, False, folder) as run:
        click(run, 1, *first_click(CLIP, CLIP.object_ids[0]))
        run.ask("/pause", {"paused": False})
        rate(run, COST_S)
        for _ in range(rounds):
            alone.append(rate(run, COST_S))
            with run.viewer("/live"), run.viewer("/live"):
                watched.append(rate(run, COST_S))
    slower = [1 - two[0] / none[0] for none, two in zip(alone, watched, strict=True)]
    for which, unit in enumerate(("frames/s", "ms of processors a frame")):
        without = statistics.median(each[which] for each in alone)
        with_two = statistics.median(each[which] for each in watched)
        print(f"{unit}: {without:.2f} without viewers, {with_two:.2f} with two", flush=True)
    cost = statistics.median(slower)
    print(f"two viewers make it slower by {cost:.1%} ({min(slower):.1%} to {max(slower):.1%})")
    return cost


def click(run: Served, object_id: int, x: float, y: float, label: int = 1) -> None:
    """Point at something on the frame that was shown last."""
    point = {"object": object_id, "frame": run.shown, "points": [[x, y]], "labels": [label]}
    run.ask("/prompt", point)


def misbehave(run: Served) -> None:
    """Send what should not be sent."""
    run.ask("/../../etc/passwd", expected=404)
    run.ask("/pause", b"x" * 70_000, expected=413)
    run.ask("/prompt", {"points": [[WIDTH + 20, 0]]}, expected=400)
    run.ask("/state", expected=403, Host="evil.example")
    run.ask("/pause", {"paused": True}, expected=403, Origin="http://evil.example")


def one_round(run: Served, chance: random.Random) -> None:
    """Do what people do within some seconds."""
    for number, object_id in enumerate(CLIP.object_ids[:3], 1):
        x, y = first_click(CLIP, object_id)
        click(run, number, x, y)
        time.sleep(chance.uniform(0.2, 1.0))
        click(run, number, chance.uniform(0, WIDTH - 1), chance.uniform(0, HEIGHT - 1), 0)
    run.ask("/pause", {"paused": True})
    time.sleep(0.5)
    click(run, 1, *first_click(CLIP, CLIP.object_ids[0]))
    run.ask("/pause", {"paused": False})
    run.ask("/remove", {"object": chance.randint(1, 3)})
    misbehave(run)
    for path in ("/", "/page.js", "/state"):
        connection = HTTPConnection("127.0.0.1", run.port, timeout=40)
        connection.request("GET", path)
        connection.getresponse().read()
        connection.close()
    with run.viewer("/stream.mjpg"):  # comes, and goes again
        time.sleep(chance.uniform(0.2, 1.0))


@contextmanager
def deaf(run: Served) -> Iterator[None]:
    """Have a client ask for pictures and read none of them."""
    connection = HTTPConnection("127.0.0.1", run.port, timeout=40)
    connection.request("GET", "/live")
    try:
        yield
    finally:
        connection.close()


def soak(bundle: Path | None, minutes: float, folder: Path) -> list[str]:
    """Return what went wrong."""
    faults: list[str] = []
    chance = random.Random(0)
    with served(bundle, True, folder) as run:
        run.ask("/pause", {"paused": False})
        with run.viewer("/live"), run.viewer("/stream.mjpg"):
            time.sleep(2)
            one_round(run, chance)
            run.ask("/results.jsonl")
            # Memory that is bounded fills up: of the frames that were shown, and of threads.
            until_s = time.monotonic() + min(300.0, 60 * minutes / 5)
            while time.monotonic() < until_s or run.ask("/state")["frames"] < LATE_FRAMES + 50:
                one_round(run, chance)
        time.sleep(1)
        _, threads, descriptors = run.facts()
        print(f"start: {threads} threads, {descriptors} descriptors, nobody watching")
        memory: list[float] = []
        until_s = time.monotonic() + 60 * minutes
        with run.viewer("/live"), run.viewer("/stream.mjpg"):
            while time.monotonic() < until_s:
                with deaf(run):
                    one_round(run, chance)
                memory.append(run.facts()[0])
                time.sleep(SAMPLE_S)
        time.sleep(11)  # until the last client that reads nothing is let go
        _, threads_left, descriptors_left = run.facts()
        state = run.ask("/state")
        few = max(1, len(memory) // 10)
        before, after = statistics.median(memory[:few]), statistics.median(memory[-few:])
        print(f"end: {threads_left} threads, {descriptors_left} descriptors, nobody watching")
        print(
            f"resident memory: {before:.1f} MB at first, {after:.1f} at last, "
            f"{max(memory):.1f} at most"
        )
        print(f"{state['frames']} frames, {state['dropped']} dropped; answers: {run.answers}")
        if threads_left > threads or descriptors_left > descriptors:
            faults.append("threads or descriptors are left")
        if after - before > MOST_GROWTH_MB:
            faults.append(f"memory grew by {after - before:.1f} MB")
        faults += run.wrong[:10]
        started = time.monotonic()
        run.process.send_signal(signal.SIGTERM)
        code = run.process.wait(60)
        lines = (folder / "results.jsonl").read_bytes().splitlines()
        indices = [json.loads(line)["index"] for line in lines if b'"index"' in line]
        print(
            f"SIGTERM: exit code {code} after {time.monotonic() - started:.1f} s; "
            f"{len(lines)} lines of results"
        )
        if code != 128 + signal.SIGTERM or indices != list(range(len(indices))):
            faults.append("the end was not in order")
    return faults


@app.command()
def main(
    minutes: Annotated[float, typer.Option(help="Of the soak.")] = 30.0,
    bundle: Annotated[Path | None, typer.Option(help="What to track with.")] = None,
    cost_rounds: Annotated[int, typer.Option(help="Of the measurement; 0 leaves it out.")] = 10,
    serve: Annotated[Path | None, typer.Option(hidden=True)] = None,
    live: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Soak `serve`, and say what it does to memory, threads and descriptors."""
    if serve is not None:
        from sam2lite.runtimes.commands.interrupts import interrupted

        serve_endless(bundle, live, serve)
        raise typer.Exit(interrupted() or 0)
    faults = []
    with tempfile.TemporaryDirectory() as home:
        if cost_rounds and cost_of_viewers(bundle, cost_rounds, Path(home) / "cost") > MOST_COST:
            faults.append("two viewers cost more than 5 %")
        if minutes:
            faults += soak(bundle, minutes, Path(home) / "soak")
    for fault in faults:
        print(f"FAULT: {fault}")
    raise typer.Exit(1 if faults else 0)


if __name__ == "__main__":
    run_app(app)
