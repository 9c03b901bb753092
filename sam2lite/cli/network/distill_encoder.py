"""`sam2lite distill-encoder`: train another image encoder for a network's heads."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sam2lite.cli.network.train import Device, Force, Resume
from sam2lite.errors import DependencyError

if TYPE_CHECKING:
    from sam2lite.training.encoder.run import Report

_REPORT_EVERY = 20  # steps


def distill_encoder(
    teacher: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Checkpoint of SAM 2 or 2.1, whose heads are kept."),
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(metavar="NAME", help="resnet18, mobilenet_v3_large or casvit_s.")
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Pictures, in folders of any depth; SA-1B as it is."),
    ] = None,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="The run, and the checkpoint it makes."),
    ] = Path("runs/encoder"),
    size: Annotated[
        int | None,
        typer.Option(
            metavar="R", help="Input side, px.", show_default="the usual one of the encoder"
        ),
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Time to train.", show_default="60")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Train so many steps instead; repeatable bit for bit.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Views a step.", show_default="8")] = None,
    crops: Annotated[
        int | None,
        typer.Option(help="Of each picture, beside the whole of it.", show_default="3"),
    ] = None,
    loss: Annotated[
        str | None, typer.Option(metavar="NAME", help="huber, l1 or mse.", show_default="huber")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="PRESET|A,B,C",
            help="Of the maps at strides 4, 8 and 16: coarse-first, nanosam2, or three numbers.",
            show_default="coarse-first",
        ),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak of the schedule.", show_default="0.001")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of weights, crops and order.", show_default="0")
    ] = None,
    device: Device = "cpu",
    bf16: Annotated[bool, typer.Option("--bf16", help="Compute in bfloat16.")] = False,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Compute as in INT8 at the end, and keep the ranges for it."),
    ] = False,
    cache_gb: Annotated[
        float | None,
        typer.Option(help="Of the teacher's maps to keep on disk.", show_default="20"),
    ] = None,
    resume: Resume = False,
    force: Force = False,
) -> None:
    """Train an image encoder for a teacher's heads.

    It learns to give the teacher's maps, and is written with the teacher's heads.
    The output is a checkpoint that is exported as any other. Ctrl-C saves, and --resume goes on.
    """
    _need_packages()
    from sam2lite.training.encoder.run import distill_encoder as distil

    named = {
        "teacher": teacher,
        "backbone": backbone,
        "images": images,
        "size": size,
        "minutes": minutes,
        "steps": steps,
        "batch": batch,
        "crops": crops,
        "loss": loss,
        "weights": weights,
        "learning_rate": learning_rate,
        "seed": seed,
        "device": None if device == "cpu" else device,
        "bf16": bf16 or None,
        "int8": int8 or None,
        "cache_gb": cache_gb,
    }
    given: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    best = distil(output, given, resume=resume, force=force, report=_tell)
    if best == float("inf"):
        typer.echo(f"{output}: stopped before there was a checkpoint; go on with --resume")
        return
    typer.echo(f"{output}: loss {best:.4f} on pictures kept apart; export it with")
    ranges = " --int8 --observer training" if (output / "ranges.json").exists() else ""
    typer.echo(f"  sam2lite-export ort --model {output}{ranges} -o BUNDLE")


def _tell(report: "Report") -> None:
    if report.validation is None and report.step % _REPORT_EVERY:
        return
    line = f"step {report.step:6d}  loss {report.loss:.4f}  {100 * report.progress:.0f} %"
    if report.validation is not None:
        line += f"  kept apart {report.validation:.4f}{', the best' if report.best else ''}"
    typer.echo(line, err=True)


def _need_packages() -> None:
    from importlib.util import find_spec

    for package in ("torch", "safetensors"):
        if find_spec(package) is None:
            raise DependencyError(package, "train", "training")
