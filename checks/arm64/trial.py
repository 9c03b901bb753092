"""One bundle on one core: doctor, verify, track and device.pyz, against this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from arm64.bundles import Subject
from arm64.comparison import Likeness, complaint, likeness
from arm64.machine import Machine
from arm64.running import Runner, masks, reason, track_options

from sam2lite.exporter.bundle.device_app import DEVICE_APP

OK = "ok"


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


@dataclass(frozen=True)
class Row:
    """What became of a bundle on a core; each is `ok`, or what went wrong.

    Attributes:
        subject: the bundle's name.
        core: that was emulated.
        doctor: whether it says that the bundle can run.
        verify: whether files and graphs hold.
        track: likeness of its masks to this machine's.
        app: the same of device.pyz.
        faults: what is wrong, in words; none if all is as it must be.
    """

    subject: str
    core: str
    doctor: str
    verify: str
    track: str
    app: str
    faults: tuple[str, ...]


def masks_here(subject: Subject, clip: Clip, folder: Path) -> list[np.ndarray]:
    """Return this machine's masks.

    Raises:
        RuntimeError: tracking fails even here.
    """
    output = folder / f"{subject.folder.name}-here"
    options = track_options(clip.folder, clip.click, clip.frames, output)
    done = Runner().sam2lite("track", "--bundle", str(subject.folder), *options)
    if done.returncode:
        raise RuntimeError(f"{subject.name} cannot be tracked with on this machine: {reason(done)}")
    return masks(output)


def try_on(
    machine: Machine,
    core: str,
    subject: Subject,
    clip: Clip,
    folder: Path,
    expected: list[np.ndarray],
    to_fp32: Likeness | None,
) -> Row:
    """Run everything on a core.

    Args:
        machine: the emulated one.
        core: that it has.
        subject: the bundle.
        clip: to track.
        folder: for results.
        expected: this machine's masks.
        to_fp32: this machine's INT8 masks against FP32's, for a bundle in INT8.
    """
    runner, bundle = Runner(machine, core), str(subject.folder)
    faults: list[str] = []

    def say(name: str, fault: str) -> str:
        if fault:
            faults.append(f"{subject.name} on {core}, {name}: {fault}")
        return fault or OK

    def compared(name: str, frames: int) -> str:
        output = folder / f"{subject.folder.name}-{core}-{name.rpartition('.')[2]}"
        options = track_options(clip.folder, clip.click, frames, output)
        if name == DEVICE_APP:
            done = runner.file(subject.folder / DEVICE_APP, "track", *options)
        else:
            done = runner.sam2lite("track", "--bundle", bundle, *options)
        if done.returncode:
            return say(name, reason(done))
        found = likeness(masks(output), expected)
        say(name, complaint(found, frames, subject.is_trained, to_fp32))
        return str(found)

    doctor = runner.sam2lite("doctor", "--bundle", bundle)
    verify = runner.sam2lite("verify", bundle)
    return Row(
        subject.name,
        core,
        say("doctor", reason(doctor) if doctor.returncode else ""),
        say("verify", reason(verify) if verify.returncode else ""),
        compared("track", clip.frames),
        compared(DEVICE_APP, clip.app_frames),
        tuple(faults),
    )
