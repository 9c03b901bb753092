"""The `sam2lite-bench` command: how fast a bundle is on this machine, and what it takes."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from sam2lite.cli.app import Debug, Version, make_command, run_app, share_threads
from sam2lite.cli.bundles import Backend, bundle_or_default
from sam2lite.cli.given import refuse_without
from sam2lite.cli.json_output import STDOUT, json_option, put_json
from sam2lite.cli.progress import shown_progress
from sam2lite.cli.simulated import require_times
from sam2lite.contracts.loop import MAX_OBJECTS
from sam2lite.errors import ArgumentError, BudgetMissedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sam2lite.bench.frame_feed import Footage
    from sam2lite.runtimes.bundle import Bundle
    from sam2lite.runtimes.prompts import Prompt

SYNTHETIC = "synthetic"
DEFAULT_PRESET = "default"
MAX_THREADS = 1024
MAX_LOAD = 64  # processes; more is a slip of the finger


def bench(
    context: typer.Context,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Bundle to measure; the default one if not given."),
    ] = None,
    backend: Backend = None,
    video: Annotated[
        str,
        typer.Option(
            metavar="FILE|camera|synthetic",
            help="What to track. A file is played again if it is too short; synthetic is a "
            "procedural clip of 1280x720 that is played to and fro.",
        ),
    ] = SYNTHETIC,
    frames: Annotated[
        int, typer.Option(help="Frames to measure; with --rungs, for each input size.")
    ] = 200,
    warmup: Annotated[int, typer.Option(help="Frames to track before, which do not count.")] = 10,
    point: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y[,LABEL[,OBJECT]]",
            help="Click on an object in the first frame; repeatable. If not given, the synthetic "
            "clip's objects or a grid over the frame, which is its centre for one object.",
        ),
    ] = None,
    objects: Annotated[
        int,
        typer.Option(
            help=f"Objects to follow, up to {MAX_OBJECTS}. From 2 on, and without --budget-ms, "
            "what each further one costs is measured too."
        ),
    ] = 1,
    rung: Annotated[
        int | None,
        typer.Option(help="Input side, px; the largest if not given. With a budget, the first."),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="Threads of ONNX Runtime; the target's or the physical cores."),
    ] = None,
    budget_ms: Annotated[
        float | None, typer.Option(help="Let the controller hold this frame time.")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="Of the controller: default, or paper for the published one.")
    ] = DEFAULT_PRESET,
    load: Annotated[
        int,
        typer.Option(help="Processes that compete for the cores in the second third of the run."),
    ] = 0,
    rungs: Annotated[
        bool,
        typer.Option(
            "--rungs", help="Measure every input size instead: opening, first frame, memory."
        ),
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|BACKEND",
            help="Track in turn with another bundle, or with this one in another backend, and say "
            "which is faster here; export and `sam2lite targets host` will say so, too.",
        ),
    ] = None,
    fail_over_budget: Annotated[
        bool,
        typer.Option(
            "--fail-over-budget",
            help="Exit code 4 if the median of the last third of the frames exceeds the budget.",
        ),
    ] = False,
    to_json: Annotated[str | None, json_option()] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the JSON file.")] = False,
    debug: Debug = False,
    version: Version = False,
) -> None:
    """Measure a bundle here: time by stage, memory, start-up.

    Objects count as present on every frame, whatever the network says, so that every frame does
    all of the work. Times are medians and percentiles over frames; `total` leaves decoding out.

    Exit code 0: measured. 1: the video, the bundle or the output cannot be used. 2: wrong
    arguments. 4: --fail-over-budget, and it was.
    """
    to_file = None if to_json in (None, STDOUT) else Path(str(to_json))
    refuse_without(context, "force", "--json FILE", to_file is not None)
    _check_range("--frames", frames, 3 if load else 1, 10**6)  # three thirds
    _check_range("--warmup", warmup, 0, 10**6)
    _check_range("--objects", objects, 1, MAX_OBJECTS)
    _check_range("--threads", threads, 1, MAX_THREADS)
    _check_range("--load", load, 0, MAX_LOAD)
    given = {
        "--rung": rung is not None,
        "--budget-ms": budget_ms is not None,
        "--load": load > 0,
        "--preset": preset != DEFAULT_PRESET,
        "--fail-over-budget": fail_over_budget,
    }
    if against is not None:
        lone = {**given, "--rung": False, "--rungs": rungs, "--budget-ms": budget_ms is not None}
        _refuse({**lone, "--point": bool(point)}, "does not go with --against")
    elif rungs:
        _refuse(given, "does not go with --rungs, which measures every rung without a budget")
    elif budget_ms is None:
        budgeted = {name: given[name] for name in ("--preset", "--fail-over-budget")}
        _refuse(budgeted, "means nothing without a budget; add --budget-ms")
    from sam2lite.bench.json_file import reserved_json
    from sam2lite.bench.machine_facts import load_average
    from sam2lite.bench.measurement import Amount, loop_result, rungs_result
    from sam2lite.bench.report import Subject
    from sam2lite.bench.startup import LoopSettings
    from sam2lite.bench.tables import print_loop, print_rungs

    measure, show = (rungs_result, print_rungs) if rungs else (loop_result, print_loop)
    with ExitStack() as stack:
        write = stack.enter_context(reserved_json(to_file, force)) if to_file else None
        opened = _open(bundle, backend, rung)
        if against is not None:
            _measure_against(opened, against, rung, threads, objects, video, frames, to_json, write)
            return
        share_threads(opened, threads)
        footage = stack.enter_context(_open_footage(video, objects))
        settings = LoopSettings(rung, threads, budget_ms, preset, opened.backend)
        subject = Subject(opened, settings, footage, objects, load_average())
        prompts = _choose_prompts(point or [], footage, objects)
        with shown_progress("bench") as progress:
            report = measure(subject, prompts, Amount(frames, warmup, load), progress)
        if to_file is not None or not put_json(to_json, report):
            show(report, Console(markup=False, highlight=False, emoji=False))
        if write is not None:
            write(report)
    if fail_over_budget:
        _fail_over(report["budget"])


def _measure_against(
    opened: "Bundle",
    against: str,
    rung: int | None,
    threads: int | None,
    objects: int,
    video: str,
    frames: int,
    to_json: str | None,
    write: "Callable[[dict[str, Any]], None] | None",
) -> None:
    from sam2lite.cli.bundle.bench_against import measure_against, opponent, print_against

    other = opponent(opened, against)
    require_times(other)
    report = measure_against(
        opened,
        other,
        rung=rung,
        threads=threads,
        objects=objects,
        video=None if video == SYNTHETIC else video,
        frames=frames,
    )
    if write is not None or not put_json(to_json, report):
        print_against(report, Console(markup=False, highlight=False, emoji=False))
    if write is not None:
        write(report)


app = make_command(bench)


def run() -> None:
    """Entry point of `sam2lite-bench`."""
    run_app(app)


def _check_range(flag: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise ArgumentError(f"{flag} is {value}; choose {low} to {high}")


def _refuse(given: dict[str, bool], reason: str) -> None:
    for flag, is_given in given.items():
        if is_given:
            raise ArgumentError(f"{flag} {reason}")


def _open(path: Path | None, backend: str | None, rung: int | None) -> "Bundle":
    bundle = bundle_or_default(path, backend)
    require_times(bundle)
    if rung is not None:
        bundle.check_rung(rung)
    return bundle


def _open_footage(video: str, objects: int) -> "Footage":
    from sam2lite.bench.frame_feed import open_footage
    from sam2lite.bench.synthetic import SyntheticFootage

    return SyntheticFootage(objects) if video == SYNTHETIC else open_footage(video)


def _choose_prompts(points: list[str], footage: "Footage", objects: int) -> dict[int, "Prompt"]:
    from sam2lite.runtimes.commands.prompt_flags import parse_prompts
    from sam2lite.runtimes.prompts import Prompt

    given = parse_prompts(points, [], [], None).get(0, {})
    if given and max(given) > objects:
        raise ArgumentError(
            f"--point names object {max(given)}, but {objects} are followed; raise --objects"
        )
    clicks = footage.clicks(objects)
    return {key: given.get(key, Prompt([clicks[key - 1]])) for key in range(1, objects + 1)}


def _fail_over(budget: dict[str, Any]) -> None:
    if budget["last_third_p50_ms"] > budget["budget_ms"]:
        raise BudgetMissedError(
            f"the last third of the frames took {budget['last_third_p50_ms']:.2f} ms (median), but "
            f"the budget is {budget['budget_ms']:g} ms; raise it, free the cores, or take a "
            "smaller model"
        )
