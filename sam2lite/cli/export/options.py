"""Options of the export commands."""

from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sam2lite.cli.progress import ShownProgress
from sam2lite.contracts.input_sizes import read_sizes
from sam2lite.errors import ArgumentError, DependencyError
from sam2lite.exporter.progress import Report

if TYPE_CHECKING:
    from sam2lite.models.loaded import LoadedModel

DEFAULT_MODEL = "tiny"

_MODEL = typer.Option(
    "--model",
    metavar="NAME|PATH|ID",
    help="tiny (trained), small or base (untrained); a folder or file of a checkpoint, SAM 2's own "
    "included; or an id of Hugging Face that is on this machine.",
    show_default=DEFAULT_MODEL,
)
Model = Annotated[str, _MODEL]
MaybeModel = Annotated[str | None, _MODEL]
Variant = Annotated[
    str | None,
    typer.Option(
        "--variant",
        metavar="NAME",
        help="Of a checkpoint whose weights do not show it; if one is needed, the choices are "
        "listed.",
    ),
]
Rungs = Annotated[
    str | None,
    typer.Option(
        metavar="R,R",
        help="Input sizes to export, px; all of the network's if not given: 240,288 to 480. "
        "672x384, width and height, where the network takes inputs that are not square.",
    ),
]
ImageSizes = Annotated[
    str | None, typer.Option("--image-sizes", metavar="R,R", help="The same as --rungs.")
]
# FP32 computes what PyTorch does, so that what loses more is asked for. The chips of TensorRT and
# Core ML are made for FP16. See docs/adr/0014.
Precision = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="fp32, fp16, int8, w4 or w4a8; see `sam2lite targets ID`.",
        show_default="fp32",
    ),
]
GpuPrecision = Annotated[
    str | None, typer.Option(metavar="NAME", help="fp32, fp16 or int8.", show_default="fp16")
]
JetPack = Annotated[
    str | None,
    typer.Option(
        metavar="RELEASE",
        help="Of the board's system, as in 6.2.",
        show_default="see `sam2lite targets ID`",
    ),
]
Fp16 = Annotated[bool, typer.Option("--fp16", help="Short for --precision fp16.")]
Int8 = Annotated[bool, typer.Option("--int8", help="Short for --precision int8.")]
Fallback = Annotated[
    bool,
    typer.Option(
        "--fallback", help="Where the target lacks the precision, take the nearest it has."
    ),
]
SkipPass = Annotated[
    list[str] | None,
    typer.Option(
        "--skip-pass",
        metavar="NAME",
        help="A graph pass to leave out, to find out which one is at fault; may be repeated.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Folder to write; must not exist.",
        show_default="the recipe's",
    ),
]
RecipeFile = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        metavar="NAME|FILE",
        help="A recipe in YAML, or one that comes with the package: w4a8, w4only, w4a8_svdquant or "
        "w8a8; options given beside it override it.",
    ),
]
SaveRecipe = Annotated[
    Path | None,
    typer.Option("--save-recipe", metavar="FILE", help="Write what was asked for as a recipe."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the folder if it exists.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Print what would be exported, and what it takes; do nothing."),
]


def missing_packages() -> list[str]:
    """Return the packages that export needs and that are not installed."""
    return [name for name in ("torch", "safetensors", "onnx", "onnxsim") if find_spec(name) is None]


def load_model(name: str, variant: str | None = None) -> "LoadedModel":
    """Return a network by name or path; say on stderr if it is untrained.

    Args:
        name: or path of it.
        variant: of `--variant`.

    Raises:
        DependencyError: a package that export needs is missing.
        UnknownNameError: there is no such model.
        ArgumentError: the variant is missing, or is named of what has none.
        ModelError: the checkpoint cannot be loaded.
    """
    for package in missing_packages():
        raise DependencyError(package, "export", "export")
    from sam2lite.models import registry

    checkpoint = registry.load_model(name, variant=variant)
    if not checkpoint.trained:
        typer.echo(f"warning: {name} is untrained; its masks mean nothing", err=True)
    return checkpoint


def reported_steps(title: str, steps: int) -> AbstractContextManager[Report]:
    """Give a function to call after each step, behind a progress bar with an ETA."""
    return ShownProgress().phase(title, steps)


def parse_sizes(rungs: str | None, image_sizes: str | None = None) -> tuple[int | str, ...] | None:
    """Read `--rungs` and `--image-sizes`, which mean the same; None if neither is given.

    Returns:
        sizes as in `Recipe.sizes`.

    Raises:
        ArgumentError: one is not a comma-separated list of sizes of one form, or they differ.
    """
    given = {"--rungs": rungs, "--image-sizes": image_sizes}
    read = {flag: _sizes(flag, text) for flag, text in given.items() if text is not None}
    if len(set(read.values())) > 1:
        raise ArgumentError(
            f"--rungs {rungs} and --image-sizes {image_sizes} mean the same and differ; give one"
        )
    return next(iter(read.values()), None)


def _sizes(flag: str, text: str) -> tuple[int | str, ...]:
    try:
        return read_sizes(part.strip() for part in text.split(",")).texts
    except ValueError as error:
        raise ArgumentError(
            f"{flag} is {text!r}: {error}; give numbers as in 240,480, or 672x384"
        ) from None


def choose_precision(name: str | None, **short: bool) -> str | None:
    """Return the precision that `--precision` or one of the short forms asks for, if any.

    Raises:
        ArgumentError: they contradict each other.
    """
    asked = [name] if name else []
    asked += [precision for precision, given in short.items() if given]
    if len(set(asked)) > 1:
        raise ArgumentError(f"{' and '.join(asked)} are asked for; choose one precision")
    return asked[0] if asked else None
