"""`sam2lite distill`: train a student to see, and to remember, like a teacher."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli.given import refuse_without
from sam2lite.cli.network.train import (
    Data,
    Device,
    Force,
    LearningRate,
    Losses,
    Minutes,
    Model,
    Output,
    Processes,
    Resume,
    Seed,
    Stages,
    Start,
    Steps,
    make_options,
    parse_stages,
    refuse_ignored,
    run,
)
from sam2lite.errors import ArgumentError


def distill(
    context: typer.Context,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Checkpoint to learn from, of any family; needed but for --resume.",
        ),
    ] = None,
    teacher_size: Annotated[
        int | None,
        typer.Option(
            metavar="R",
            help="Input side of a teacher of another family, px.",
            show_default="the student's largest, or the next that it takes",
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the teacher's outputs here, and train on them."),
    ] = None,
    cached_batches: Annotated[
        int, typer.Option(metavar="N", help="With --cache: train on so many batches in turn.")
    ] = 256,
    output: Output = Path("runs/distill"),
    model: Model = "tiny",
    start: Start = None,
    stages: Stages = "1,2,3",
    data: Data = None,
    minutes: Minutes = 60.0,
    steps: Steps = None,
    learning_rate: LearningRate = 1e-3,
    losses: Losses = "sam2lite",
    seed: Seed = 0,
    device: Device = "cpu",
    processes: Processes = None,
    resume: Resume = False,
    force: Force = False,
) -> None:
    """Train a network with a teacher at its side.

    It is done as `train` does, and writes a checkpoint.
    The student also learns the teacher's masks, which frames in memory it attends to, and which
    parts of a frame read the same from it; of a teacher of another family it learns the masks
    alone. With --cache the teacher runs once for each batch.
    """
    refuse_ignored(context, steps=steps, resume=resume)
    refuse_without(context, "cached_batches", "--cache", cache is not None or resume)
    if teacher is None and not resume:
        raise ArgumentError("no teacher is given; name a checkpoint with --teacher")
    options = make_options(
        model=model,
        start=start,
        stages=parse_stages(stages),
        data=data,
        minutes=minutes,
        steps=steps,
        learning_rate=learning_rate,
        losses=losses,
        seed=seed,
        device=device,
        teacher=teacher,
        teacher_size=teacher_size,
        cache=None if cache is None else str(cache),
        cached_batches=cached_batches,
    )
    if teacher is not None:
        _tell_of(teacher, model)
    run(context, options, output, processes, resume=resume, force=force)


def _tell_of(teacher: str, model: str) -> None:
    from sam2lite.models.registry import load_model

    loaded = load_model(teacher)
    if loaded.family.name != load_model(model).family.name:
        typer.echo(
            f"the teacher {teacher} is of the family {loaded.family.title}: it teaches masks "
            "alone, and losses of attention and read-out are left out",
            err=True,
        )
    if not loaded.trained:
        typer.echo(f"warning: the teacher {teacher} is untrained: it teaches noise", err=True)
