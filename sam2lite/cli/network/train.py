"""`sam2lite train`: train a network from nothing, or further, on procedural clips."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sam2lite.cli.given import refuse_beside, refuse_changes, refuse_without
from sam2lite.cli.progress import progress_bar
from sam2lite.cli.prompted_video import warn
from sam2lite.errors import ArgumentError, DependencyError

if TYPE_CHECKING:
    from sam2lite.training.run.options import RunOptions
    from sam2lite.training.run.trainer import Report

Output = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="DIR", help="Folder of the run: state, logs, weights."),
]
Model = Annotated[str, typer.Option(metavar="NAME", help="tiny, small or base.")]
Start = Annotated[
    str | None,
    typer.Option("--from", metavar="NAME|DIR", help="A size, or a checkpoint, to start from."),
]
Stages = Annotated[
    str, typer.Option(metavar="N,N", help="1 plain, 2 with pruning, 3 with INT8 simulated.")
]
Data = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Train on this data set (DAVIS, YouTube-VOS, MOSE, BDD100K, SA-V, COCO, SA-1B), or on "
        "this folder of stills, mixed with generated clips.",
        show_default="generated clips",
    ),
]
Schedule = Annotated[
    str,
    typer.Option(metavar="NAME", help="curriculum, or fine-tuning from a trained start."),
]
Minutes = Annotated[float, typer.Option(help="Time to train, all stages together.")]
Steps = Annotated[
    int | None, typer.Option(help="Train so many steps instead; repeatable bit for bit.")
]
LearningRate = Annotated[float, typer.Option(help="Peak of the schedule.")]
Losses = Annotated[
    str,
    typer.Option(
        metavar="PRESET",
        help="Weights of the losses: sam2lite, paper, methodology; less terms, as in "
        "sam2lite-edge-attention.",
    ),
]
Accumulate = Annotated[
    int, typer.Option(metavar="N", help="Batches whose gradients one step averages.")
]
Lora = Annotated[
    int | None,
    typer.Option(
        metavar="RANK",
        help="Train low-rank updates of some layers and nothing else; the network is --from.",
    ),
]
Alpha = Annotated[
    float | None,
    typer.Option("--alpha", help="Of --lora.", show_default="twice the rank"),
]
Targets = Annotated[
    str,
    typer.Option(
        "--targets",
        metavar="NAME|PATTERN,..",
        help="Of --lora: qkv, attention, all, or patterns of layers' paths.",
    ),
]
Seed = Annotated[int, typer.Option(help="Of weights, clips and all random decisions.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Processes = Annotated[
    int | None,
    typer.Option(help="That train together; one per core if not given. torchrun sets its own."),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the run in --output, with its own options.")
]
Force = Annotated[bool, typer.Option("--force", help="Start anew where a run is already.")]


def train(
    context: typer.Context,
    output: Output = Path("runs/train"),
    model: Model = "tiny",
    start: Start = None,
    stages: Stages = "1,2,3",
    data: Data = None,
    schedule: Schedule = "curriculum",
    minutes: Minutes = 60.0,
    steps: Steps = None,
    learning_rate: LearningRate = 1e-3,
    losses: Losses = "sam2lite",
    accumulate: Accumulate = 1,
    lora: Lora = None,
    lora_alpha: Alpha = None,
    lora_targets: Targets = "qkv",
    seed: Seed = 0,
    device: Device = "cpu",
    processes: Processes = None,
    resume: Resume = False,
    force: Force = False,
) -> None:
    """Train a network, and write a checkpoint.

    Clips are generated meanwhile, or come from a data set.
    The run can be stopped at any time (Ctrl-C saves) and goes on with --resume. Under torchrun the
    same command trains on several GPUs.
    """
    refuse_ignored(context, steps=steps, resume=resume)
    for name in ("lora_alpha", "lora_targets"):
        refuse_without(context, name, "--lora", lora is not None or resume)
    options = make_options(
        model=model,
        start=start,
        stages=parse_stages(stages),
        data=data,
        schedule=schedule,
        minutes=minutes,
        steps=steps,
        learning_rate=learning_rate,
        losses=losses,
        accumulate=accumulate,
        lora=lora,
        lora_alpha=lora_alpha,
        lora_targets=lora_targets,
        seed=seed,
        device=device,
    )
    run(context, options, output, processes, resume=resume, force=force)


def refuse_ignored(context: typer.Context, *, steps: int | None, resume: bool) -> None:
    """Refuse what `train` and `distill` would make nothing of.

    Raises:
        ArgumentError: two options contradict each other.
    """
    if steps is not None:
        refuse_beside(context, "--steps", ["minutes"])
    if resume:
        refuse_beside(context, "--resume", ["force"])


def parse_stages(text: str) -> tuple[int, ...]:
    """Read `--stages`.

    Raises:
        ArgumentError: it is not a comma-separated list of numbers.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ArgumentError(f"--stages is {text!r}; give numbers as in 1,2,3")
    return tuple(sorted({int(part) for part in parts}))


def make_options(**values: object) -> "RunOptions":
    """Return the options of a run, checked.

    Raises:
        DependencyError: PyTorch or safetensors is missing.
        ArgumentError: a value is out of its range, or a name is unknown.
    """
    for package in ("torch", "safetensors"):
        _need(package)
    from sam2lite.training.run.launch import check_device
    from sam2lite.training.run.options import RunOptions, check_options

    options = RunOptions(**values)  # type: ignore[arg-type]
    check_options(options)
    check_device(options.device)
    return options


def run(
    context: typer.Context,
    options: "RunOptions",
    output: Path,
    processes: int | None,
    *,
    resume: bool,
    force: bool,
) -> None:
    """Start or resume a run, and say where the weights are.

    Raises:
        ArgumentError: a run that is resumed was started with another value of an option.
        TrainingError: there is a run already, or none to resume; or as for `launch`.
    """
    from sam2lite.training.run.folder import open_run
    from sam2lite.training.run.launch import default_processes, launch
    from sam2lite.training.run.trainer import CHECKPOINT_FOLDER

    asked, options = options, open_run(output, options, resume=resume, force=force)
    if resume:
        refuse_changes(context, asked, options, f"the run in {output}")
    if options.lora is not None:
        _tell_of_updates(options)
    if options.data is not None:
        _tell_what_is_skipped(options.data)
    count = default_processes(options.device) if processes is None else processes
    if count < 1:
        raise ArgumentError(f"--processes is {count}; choose 1 or more")
    started = time.perf_counter()
    launch(options, output, resume=resume, processes=count, report=tell)
    minutes = (time.perf_counter() - started) / 60.0
    typer.echo(f"{output / CHECKPOINT_FOLDER}: {minutes:.1f} min; sam2lite eval --model it")


def tell(report: "Report") -> None:
    """Print one line on stderr, from whatever process trains."""
    progress = min(1.0, report.moment.overall)
    left_min = report.elapsed_s / 60.0 * (1.0 - progress) / max(progress, 1e-9)
    line = (
        f"step {report.step:6d}  {report.moment.phase.name:14s} loss {report.loss:.3f}  "
        f"{report.frames_per_s:.0f} frames/s  {100 * progress:.0f} %, {left_min:.0f} min left"
    )
    if report.score is not None:
        first, tracked, last = report.score
        line += f"  val J {first:.3f} click, {tracked:.3f} tracked, {last:.3f} last frames"
    print(line, file=sys.stderr, flush=True)


def _tell_of_updates(options: "RunOptions") -> None:
    """Say how many parameters are trained, and where a full layer would have fewer.

    Raises:
        ArgumentError: the rank or the targets do not fit the network.
    """
    from sam2lite.training.low_rank.update import attach
    from sam2lite.training.run.options import first_model

    assert options.lora is not None
    found = attach(first_model(options).model, options.lora_targets, options.lora, options.alpha)
    typer.echo(
        f"lora: rank {options.lora} in {len(found.layers)} layers, {found.trainable:,} trainable "
        f"parameters beside {found.total:,} that stand still",
        err=True,
    )
    if found.too_large:
        warn(
            f"at rank {options.lora} the updates of {len(found.too_large)} layers have as many "
            f"parameters as the layers themselves, {found.too_large[0]} first; take a lower rank"
        )


def _tell_what_is_skipped(path: str) -> None:
    """Open every still of a folder, if it is one, and say which cannot be used.

    Raises:
        VideoError: more than one in a hundred cannot be used.
    """
    from sam2lite.data.stills import check_stills, is_stills, open_stills

    if not is_stills(path):
        return
    stills = open_stills(path).stills
    with progress_bar() as bar:
        skipped = check_stills(bar.track(stills, len(stills), description="stills")).summary()
    if skipped:
        warn(skipped)


def _need(package: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise DependencyError(package, "train", "training")
