"""`sam2lite ablate`: what each part of the training recipe is worth, by runs of equal time."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sam2lite.bench.ablations.ablation import STAGES, VARIANTS
from sam2lite.bench.ablations.ablation import ablate as run_study
from sam2lite.bench.ablations.table import HEADINGS, caption, cells
from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.cli.network.train import Device, LearningRate, Start, Steps, make_options, tell
from sam2lite.cli.prompted_video import warn
from sam2lite.errors import ArgumentError

if TYPE_CHECKING:
    from sam2lite.training.run.options import RunOptions


def ablate(
    teacher: Annotated[str, typer.Option(metavar="DIR", help="Checkpoint to learn from.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the study: results, runs."),
    ] = Path("runs/ablate"),
    start: Start = None,
    minutes: Annotated[float, typer.Option(help="Time of every training.")] = 3.0,
    steps: Steps = None,
    runs: Annotated[
        int, typer.Option(min=1, help="Of every variant; their seeds are 0, 1 and so on.")
    ] = 2,
    clips: Annotated[int, typer.Option(min=1, help="Held-out clips to score with.")] = 24,
    variants: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            help=f"{', '.join(VARIANTS)}. The first is always among them.",
            show_default="all",
        ),
    ] = None,
    learning_rate: LearningRate = 1e-3,
    device: Device = "cpu",
    processes: Annotated[
        int | None,
        typer.Option(help="That train, and score, together; one per core if not given."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the runs in --output, and do the missing ones.")
    ] = False,
    as_json: ToJson = None,
) -> None:
    """Train and score variants of the training recipe.

    Each has one part left out or replaced.
    All trainings are of stage 1, take the same time, and start from the same weights; every variant
    has the same seeds and the same held-out clips. Pruning policies and memory budgets are scored
    with the full recipe's weights. A study that is stopped goes on with --resume.
    """
    options = make_options(
        teacher=teacher,
        start=start,
        stages=STAGES,
        minutes=minutes,
        steps=steps,
        learning_rate=learning_rate,
        device=device,
    )
    _warn_of_noise(options)
    results = run_study(
        options,
        output,
        variants=list(VARIANTS) if variants is None else variants.split(","),
        runs=runs,
        clips=clips,
        processes=_count(processes, device),
        resume=resume,
        begin=lambda line: typer.echo(line, err=True),
        report=tell,
    )
    if not put_json(as_json, results):
        _print(results)


def _count(processes: int | None, device: str) -> int:
    from sam2lite.training.run.launch import default_processes

    count = default_processes(device) if processes is None else processes
    if count < 1:
        raise ArgumentError(f"--processes is {count}; choose 1 or more")
    return count


def _warn_of_noise(options: "RunOptions") -> None:
    from sam2lite.models.registry import load_model

    if options.teacher is not None and not load_model(options.teacher).trained:
        warn(f"the teacher {options.teacher} is untrained: it teaches noise")


def _print(results: dict[str, Any]) -> None:
    table = Table(HEADINGS[0])
    for heading in HEADINGS[1:]:
        table.add_column(heading, justify="right")
    for row in cells(results):
        table.add_row(*row)
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print(caption(results))
