"""Which bundle a command uses: the one given, or the cached one of the default model."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from sam2lite import __version__
from sam2lite.cli.export.options import DEFAULT_MODEL, missing_packages
from sam2lite.cli.progress import ShownProgress
from sam2lite.cli.reports.exported import precision_lines
from sam2lite.errors import BundleError, install_extra
from sam2lite.exporter.recipe import Recipe
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.cache import cache_dir
from sam2lite.targets.registry import host_target
from sam2lite.weights import SHIPPED

Backend = Annotated[
    str | None,
    typer.Option(
        "--backend",
        metavar="NAME",
        help="What runs the bundle: ort; openvino; trt on the board it was made for; coreml on "
        "macOS, simulated elsewhere.",
        show_default="what it was made for",
    ),
]


def bundle_or_default(path: Path | None, backend: str | None = None) -> Bundle:
    """Open the bundle at `path`, or the default model's for this machine, made once and cached.

    Args:
        path: of the bundle; None for the default one.
        backend: to run it with; that it was made for, if not given.

    Raises:
        ArgumentError: the backend does not run the bundle.
        BundleError: the bundle cannot be used, or there is none and export is not installed.
    """
    if path is not None:
        return open_bundle(str(path), backend)
    target = host_target()
    weights = SHIPPED[DEFAULT_MODEL] / "model.safetensors"
    key = hashlib.sha256(f"{__version__}/{target.id}/int8/".encode() + weights.read_bytes())
    cached = Path(cache_dir()) / "bundles" / f"{DEFAULT_MODEL}-{target.id}-{key.hexdigest()[:12]}"
    try:
        return open_bundle(str(cached), backend)
    except BundleError:
        missing = missing_packages()
        if missing:
            raise BundleError(
                "no --bundle was given and the default one cannot be made here, because "
                f"{', '.join(missing)} is not installed; run: {install_extra('export')}; or make "
                "a bundle elsewhere with `sam2lite export ort -o DIR` and give it as --bundle"
            ) from None
    typer.echo(f"making the default bundle once, in {cached}", err=True)
    export_default(cached)
    return open_bundle(str(cached), backend)


def export_default(output: Path) -> Bundle:
    """Export the default model in INT8 for this machine, replacing what is there.

    Raises what `sam2lite.export` does.
    """
    from sam2lite.exporter.export import export

    bundle = export(
        Recipe(model=DEFAULT_MODEL, precision="int8", output=output, force=True), ShownProgress()
    )
    for line in precision_lines(bundle.manifest):
        typer.echo(line, err=True)
    return bundle
