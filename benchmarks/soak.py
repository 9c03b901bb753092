"""A long run, with all that may happen in one: `make soak`. It says what grows, and how fast.

    .venv/bin/python benchmarks/soak.py [--bundle DIR] [--frames 9000] [--json FILE]

Several objects are followed. Every 100 frames one of them is corrected, every 250 the input size
changes, every 700 one is let go and another taken in its place, every 1000 the state is saved and
loaded. Resident memory, open files and threads are noted every 50 frames from when all sizes were
used once; lines through them are fitted by least squares. Every object counts as present on every
frame, so that every frame is remembered.

Exit code 1 where memory grew by more than 10 MB from the first note to the last, or by more than
1 MB in 1000 frames by the fitted line, where files or threads grew at all, or where Tiny took more
than 400 MB altogether.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import typer

from sam2lite.bench.frame_feed import Frame, FrameFeed
from sam2lite.bench.machine_facts import describe_machine
from sam2lite.bench.startup import LoopSettings, start
from sam2lite.bench.synthetic import SyntheticFootage
from sam2lite.cli.app import run_app, share_threads
from sam2lite.cli.bundles import bundle_or_default
from sam2lite.runtimes.measuring.resident_memory import peak_rss_mb, rss_mb
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.segmenter import VideoSegmenter

NOTED_EVERY = 50
CORRECTED_EVERY = 100
SIZE_CHANGED_EVERY = 250
REPLACED_EVERY = 700
SAVED_EVERY = 1000
GROWTH_LIMIT_MB = 10.0
SLOPE_LIMIT_MB = 1.0  # in 1000 frames
PEAK_LIMIT_MB = {"tiny": 400.0}  # of the whole process, by model

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass
class Notes:
    """What was noted along the way, one entry for every note."""

    frames: list[int] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    open_files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def take(self, frame: int) -> None:
        """Look at this process."""
        self.frames.append(frame)
        self.rss_mb.append(rss_mb())
        self.open_files.append(len(list(Path("/proc/self/fd").iterdir())))
        self.threads.append(len(list(Path("/proc/self/task").iterdir())))

    def slope(self, values: list[Any]) -> float:
        """Return how much a value grows in 1000 frames, by least squares."""
        return round(1000.0 * float(np.polyfit(self.frames, values, 1)[0]), 4)


@app.command()
def soak(
    bundle: Annotated[Path | None, typer.Option(help="The default one if not given.")] = None,
    frames: Annotated[int, typer.Option(min=2000, help="Frames to track.")] = 9000,
    objects: Annotated[int, typer.Option(min=1, help="Objects to follow.")] = 3,
    largest: Annotated[int, typer.Option(help="Largest input size to use, px.")] = 336,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the result there.")
    ] = None,
) -> None:
    """Track many frames, with corrections and changes of size; print what grows."""
    opened = bundle_or_default(bundle)
    share_threads(opened, None)
    rungs = [rung for rung in opened.manifest.rungs if rung <= largest]
    settled = SIZE_CHANGED_EVERY * (len(rungs) + 1)
    footage = SyntheticFootage(objects)
    feed = FrameFeed(footage)
    frame, _ = feed.take()
    clicks = footage.clicks(objects)
    prompts = {key: Prompt([click]) for key, click in enumerate(clicks, 1)}
    notes = Notes()
    times: dict[int, list[float]] = {rung: [] for rung in rungs}
    settings = LoopSettings(rung=rungs[0])
    with start(opened.path, frame, prompts, settings).segmenter as segmenter, _state() as state:
        for index in range(1, frames + 1):
            _happen(segmenter, index, rungs, clicks, state, feed.take()[0], times)
            if index >= settled and index % NOTED_EVERY == 0:
                notes.take(index)
            if index % 500 == 0:
                print(f"frame {index}: {rss_mb()} MB", file=sys.stderr)
    result = {
        "machine": describe_machine(),
        "bundle_sha256": opened.sha256,
        "model": opened.manifest.model.name,
        "precision": opened.manifest.precision,
        "rungs": rungs,
        "objects": objects,
        "frames": frames,
        "first_note": notes.frames[0],
        "first_rss_mb": notes.rss_mb[0],
        "last_rss_mb": notes.rss_mb[-1],
        "grown_mb": round(notes.rss_mb[-1] - notes.rss_mb[0], 1),
        "slopes_per_1000_frames": {
            "rss_mb": notes.slope(notes.rss_mb),
            "open_files": notes.slope(notes.open_files),
            "threads": notes.slope(notes.threads),
        },
        "median_frame_ms": {
            str(rung): {"first_half": _half(each, 0), "second_half": _half(each, 1)}
            for rung, each in times.items()
        },
        "peak_rss_mb": peak_rss_mb(),
    }
    result["holds"] = _holds(result)
    text = json.dumps(result, indent=1)
    print(text)
    if json_file is not None:
        json_file.write_text(text + "\n", encoding="utf-8")
    if not result["holds"]:
        raise typer.Exit(1)


def _happen(
    segmenter: VideoSegmenter,
    index: int,
    rungs: list[int],
    clicks: list[tuple[int, int]],
    state: Path,
    frame: Frame,
    times: dict[int, list[float]],
) -> None:
    """Track a frame, and do whatever else is due."""
    if index % SIZE_CHANGED_EVERY == 0:
        segmenter.set_rung(rungs[index // SIZE_CHANGED_EVERY % len(rungs)])
    result = segmenter.track(frame)
    times[result.rung].append(result.stage_ms["total"])
    followed = segmenter.object_ids
    chosen = followed[index // CORRECTED_EVERY % len(followed)]
    click = clicks[index // CORRECTED_EVERY % len(clicks)]
    if index % CORRECTED_EVERY == 0:
        segmenter.correct(chosen, points=[click])
    if index % REPLACED_EVERY == 0:
        segmenter.remove(chosen)
        segmenter.prompt(frame, max(followed) + 1, points=[click])
    if index % SAVED_EVERY == 0:
        segmenter.save_state(str(state))
        segmenter.load_state(str(state))


def _holds(result: dict[str, Any]) -> bool:
    slopes = result["slopes_per_1000_frames"]
    return bool(
        result["grown_mb"] <= GROWTH_LIMIT_MB
        and slopes["rss_mb"] <= SLOPE_LIMIT_MB
        and max(slopes["open_files"], slopes["threads"]) <= 0.0
        and result["peak_rss_mb"] <= PEAK_LIMIT_MB.get(result["model"], float("inf"))
    )


def _half(values: list[float], number: int) -> float:
    middle = len(values) // 2
    return round(median(values[middle:] if number else values[:middle]), 2)


@contextmanager
def _state() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "state.npz"


if __name__ == "__main__":
    run_app(app)
