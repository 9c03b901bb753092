"""All bundles on one core: doctor, verify, track and device.pyz, against this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from arm64.bundles import Subject
from arm64.comparison import Likeness, complaint, likeness
from arm64.running import Command, Runner, masks, track_options

from sam2lite.exporter.bundle.device_app import DEVICE_APP

COLUMNS = ("doctor", "verify", "track", DEVICE_APP)
_OK = "ok"


@dataclass(frozen=True)
class Clip:
    """What is tracked.

    Attributes:
        folder: of its pictures.
        click: on its object.
        frames: to track.
        app_frames: to track with device.pyz.
    """

    folder: Path
    click: str
    frames: int
    app_frames: int

    def track(self, frames: int, output: Path) -> list[str]:
        """Return the options of `track` for some of the frames."""
        return track_options(self.folder, self.click, frames, output)


@dataclass(frozen=True)
class Expected:
    """What this machine says of a bundle.

    Attributes:
        masks: frame by frame.
        to_fp32: how alike those of a bundle in INT8 are to FP32's; None for FP32.
    """

    masks: list[np.ndarray]
    to_fp32: Likeness | None


@dataclass(frozen=True)
class Cell:
    """What became of a command with a bundle on a core.

    Attributes:
        subject: the bundle's name.
        core: that was emulated.
        column: one of `COLUMNS`.
        text: `ok`, how alike masks are, or what went wrong.
        fault: what is wrong, in words; nothing if all is as it must be.
    """

    subject: str
    core: str
    column: str
    text: str
    fault: str


def expected_here(subjects: Sequence[Subject], clip: Clip, folder: Path) -> dict[str, Expected]:
    """Return what this machine's masks are, by the names of bundles.

    Raises:
        RuntimeError: tracking fails even here.
    """
    outputs = [folder / f"{subject.folder.name}-here" for subject in subjects]
    commands = [
        Command(["track", "--bundle", str(subject.folder), *clip.track(clip.frames, output)])
        for subject, output in zip(subjects, outputs, strict=True)
    ]
    found: dict[str, Expected] = {}
    here = zip(subjects, outputs, Runner().run(commands), strict=True)
    for subject, output, done in here:
        if done.fault:
            raise RuntimeError(f"{subject.name} cannot be tracked with here: {done.fault}")
        made = masks(output)
        base = None if subject.of_fp32 is None else likeness(made, found[subject.of_fp32].masks)
        found[subject.name] = Expected(made, base)
    return found


@dataclass(frozen=True)
class Task:
    """A command with a bundle, and what to compare.

    Attributes:
        subject: the bundle.
        column: one of `COLUMNS`.
        command: to run.
        frames: to track; 0 for a command that tracks nothing.
        output: folder of its results.
    """

    subject: Subject
    column: str
    command: Command
    frames: int = 0
    output: Path = Path()


def of_track(subjects: Sequence[Subject], clip: Clip, folder: Path) -> Iterator[Task]:
    """Return the package's `track` with every bundle; results go into a folder."""
    for subject in subjects:
        output = folder / f"{subject.folder.name}-track"
        track = ["track", "--bundle", str(subject.folder), *clip.track(clip.frames, output)]
        yield Task(subject, "track", Command(track), clip.frames, output)


def of_checks(subjects: Sequence[Subject], clip: Clip, folder: Path) -> Iterator[Task]:
    """Return the package's `doctor` and `verify` with every bundle; they track nothing."""
    for subject in subjects:
        bundle = str(subject.folder)
        yield Task(subject, "doctor", Command(["doctor", "--bundle", bundle]))
        yield Task(subject, "verify", Command(["verify", bundle]))


def of_app(subjects: Sequence[Subject], clip: Clip, folder: Path) -> Iterator[Task]:
    """Return the commands of every bundle's `device.pyz`; results go into a folder."""
    for subject in subjects:
        app, output = subject.folder / DEVICE_APP, folder / f"{subject.folder.name}-app"
        track = Command(["track", *clip.track(clip.app_frames, output)], app)
        yield Task(subject, DEVICE_APP, track, clip.app_frames, output)


def results_of(
    runner: Runner,
    tasks: Sequence[Task],
    here: Mapping[str, Expected],
    say: Callable[[str], None],
) -> list[Cell]:
    """Run tasks, all of the package or all of `device.pyz`.

    Args:
        runner: of the core.
        tasks: to run.
        here: what this machine's masks are, by the names of bundles.
        say: is told what became of each.

    Raises:
        RuntimeError: Python does not start there.
    """
    cells = []
    for task, done in zip(tasks, runner.run([task.command for task in tasks]), strict=True):
        text, fault = done.fault or _OK, done.fault
        if not fault and task.frames:
            wanted = here[task.subject.name]
            found = likeness(masks(task.output), wanted.masks)
            text = str(found)
            fault = complaint(found, task.frames, task.subject.is_trained, wanted.to_fp32)
        cells.append(Cell(task.subject.name, runner.core, task.column, text, fault))
        name = f"{task.subject.name} on {runner.core}, {task.column}"
        say(f"{name}: {fault or text} ({done.cpu_s:.0f} CPU s)")
    return cells
