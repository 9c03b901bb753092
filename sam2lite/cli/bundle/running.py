"""What `track` and `serve` share: options of a run, and the bundle opened for it."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli.app import share_threads
from sam2lite.cli.bundles import bundle_or_default
from sam2lite.cli.prompted_video import warn
from sam2lite.cli.simulated import require_times, simulated_elsewhere
from sam2lite.contracts.arguments import DEFAULT_PRESET
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.controller.age_budget import check_one_budget

Video = Annotated[
    str,
    typer.Option(
        metavar="FILE|FOLDER|CAMERA",
        help="A video, a folder of frames, a camera (0, camera, /dev/video0, csi:0), a URL "
        "(rtsp://, http://) or a GStreamer pipeline.",
    ),
]
TrackWith = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="What to track with.", show_default="Tiny, made once"),
]
BudgetMs = Annotated[
    float | None,
    typer.Option(help="Milliseconds a frame may take; the input size then follows.", metavar="MS"),
]
MaxAgeMs = Annotated[
    float | None,
    typer.Option(
        help="Milliseconds from capture to mask that a live source may take; the input size "
        "then follows. Instead of --budget-ms.",
        metavar="MS",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(help="Of the controller: default or paper.", show_default=DEFAULT_PRESET),
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Processor threads.", show_default="the target's")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Another setting of what is remembered, such as motion_aware=true; the network "
        "says which there are. Or how frames are resized: resize=bicubic or antialias. "
        "Repeatable.",
    ),
]
Live = Annotated[
    bool, typer.Option("--live", help="Play a file at its own rate, dropping late frames.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace the folder.")]


def open_to_run(
    bundle: Path | None,
    backend: str | None,
    budget_ms: float | None,
    max_age_ms: float | None,
    threads: int | None,
) -> Bundle:
    """Open a bundle, warn of what its results do not mean, and have its sessions share threads.

    Args:
        bundle: its folder; Tiny, made once, if not given.
        backend: to run it with; the one that it was made for if not given.
        budget_ms: what a frame may take, if anything is to hold that.
        max_age_ms: or how long it may be from capture to mask.
        threads: of the backend; the target's if not given.

    Raises:
        ArgumentError: a budget is asked for where times mean nothing.
        BundleError: the bundle cannot be used.
        SessionError: the backend cannot be used.
    """
    opened = bundle_or_default(bundle, backend)
    if budget_ms is not None or max_age_ms is not None:
        require_times(opened)
    simulated_elsewhere(opened)
    share_threads(opened, threads)
    if not opened.manifest.model.trained:
        warn(f"the weights of {opened.manifest.model.name!r} are untrained; its masks mean nothing")
    return opened


def check_budgets(budget_ms: float | None, max_age_ms: float | None, preset: str | None) -> None:
    """Refuse two budgets, and a preset of the controller without one.

    Raises:
        ArgumentError: that was asked for.
    """
    if preset is not None and budget_ms is None and max_age_ms is None:
        raise ArgumentError("--preset is of the controller; give it a budget with --budget-ms")
    check_one_budget(budget_ms, max_age_ms)
