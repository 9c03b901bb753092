"""Options and results that all export commands share."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sam2lite.cli.progress import progress_bar
from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import ArgumentError, DependencyError

if TYPE_CHECKING:
    from sam2lite.models.loaded import LoadedModel

Model = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME|PATH",
        help="tiny (trained), small or base (untrained), or a folder with config.json and "
        "model.safetensors.",
    ),
]
Rungs = Annotated[
    str | None,
    typer.Option(
        metavar="R,R,...",
        help="Input sides to export, px; all of the network's if not given: 240,288,...,480.",
    ),
]
NEXT = {
    "ort": "sam2lite track --bundle {} --video FILE --point X,Y -o DIR",
    "coreml": "add the packages to an Xcode project, or, by simulation unless on macOS: "
    "sam2lite track --bundle {} --video FILE --point X,Y -o DIR",
    "trt": "copy {} to the board and run there: python3 device.pyz build",
}

Precision = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="fp32, fp16 or int8.", show_default="fp16 for trt, fp32 for ort"
    ),
]
Int8 = Annotated[bool, typer.Option("--int8", help="Short for --precision int8.")]
Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write; must not exist.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace the folder if it exists.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be exported, and write nothing.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def missing_packages() -> list[str]:
    """Return the packages that export needs and that are not installed."""
    return [name for name in ("torch", "safetensors", "onnx", "onnxsim") if find_spec(name) is None]


def load_model(name: str) -> "LoadedModel":
    """Return a network by name or path; say on stderr if it is untrained.

    Raises:
        DependencyError: a package that export needs is missing.
        UnknownNameError: there is no such model.
        ModelError: the checkpoint cannot be loaded.
    """
    for package in missing_packages():
        raise DependencyError(package, "export", "export")
    from sam2lite.models import registry

    checkpoint = registry.load_model(name)
    if not checkpoint.trained:
        typer.echo(f"warning: {name} is untrained; its masks mean nothing", err=True)
    return checkpoint


def parse_rungs(text: str | None, known: tuple[int, ...]) -> tuple[int, ...]:
    """Read `--rungs`.

    Raises:
        ArgumentError: it is not a comma-separated list of numbers.
    """
    if text is None:
        return known
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ArgumentError(f"--rungs is {text!r}; give numbers as in 240,480")
    return tuple(sorted({int(part) for part in parts}))


def choose_precision(default: str, name: str | None, **short: bool) -> str:
    """Return the precision that `--precision` or one of the short forms asks for.

    Raises:
        ArgumentError: they contradict each other.
    """
    asked = [name] if name else []
    asked += [precision for precision, given in short.items() if given]
    if len(set(asked)) > 1:
        raise ArgumentError(f"{' and '.join(asked)} are asked for; choose one precision")
    return asked[0] if asked else default


@contextmanager
def reported_steps(title: str, steps: int) -> Iterator[Callable[[str], None]]:
    """Give a function to call after each step, behind a progress bar with an ETA."""
    with progress_bar() as bar:
        task = bar.add_task(title, total=steps)
        yield lambda name: bar.update(task, advance=1, description=f"{title}: {name}")


def worst_relative_error(verification: dict[str, Any]) -> float:
    """Return the largest relative error of any output of any graph."""
    return max(
        float(statistics["relative"])
        for graph in verification["graphs"].values()
        for statistics in graph["parity"].values()
    )


def print_result(
    output: Path,
    manifest: Manifest,
    started: float,
    as_json: bool,
    more: Mapping[str, Any] | None = None,
    next_step: str | None = None,
) -> None:
    """Print path, seconds, megabytes and worst parity error of an export.

    Args:
        output: the folder.
        manifest: of what was written.
        started: when the command began, by `time.perf_counter`.
        as_json: one JSON object instead of lines.
        more: goes into the JSON object.
        next_step: what to do with the folder, `{}` its path; one of `NEXT`, that of the manifest's
            backend if not given.
    """
    seconds = time.perf_counter() - started
    worst = worst_relative_error(manifest.verification)
    loop = manifest.verification.get("loop")
    if as_json:
        result = {
            "path": str(output),
            "seconds": round(seconds, 2),
            "megabytes": round(manifest.megabytes, 2),
            "worst_relative_error": worst,
            "loop": loop,
            "graphs": sorted(manifest.graphs),
            **(more or {}),
        }
        typer.echo(json.dumps(result, indent=1))
        return
    if loop is not None:
        typer.echo(
            f"loop parity over {loop['frames']} frames, {loop['objects']} objects: largest logit "
            f"difference {loop['max_logit_difference']:.1e}, lowest IoU {loop['min_iou']:.4f}, "
            f"{loop['present']} present, {loop['absent']} absent"
        )
        typer.echo(f"next: {(next_step or NEXT[manifest.backend]).format(output)}")
    where = "of a package in FP32 maths" if manifest.backend == "coreml" else "of a graph in float"
    typer.echo(
        f"{output}: {seconds:.1f} s, {manifest.megabytes:.1f} MB, worst relative error {where} "
        f"{worst:.1e}"
    )


def print_plan(plan: dict[str, Any], as_json: bool) -> None:
    """Print what `--dry-run` found out."""
    if as_json:
        typer.echo(json.dumps(plan, indent=1))
        return
    for key, value in plan.items():
        typer.echo(f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
