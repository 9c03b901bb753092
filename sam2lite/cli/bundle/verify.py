"""`sam2lite verify`: check a bundle again, here and now."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli.bundles import Backend
from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.cli.reports.agreement import agreement_lines
from sam2lite.cli.simulated import simulated_elsewhere
from sam2lite.exporter.verify.check import verify as check
from sam2lite.files.reading import printable_data
from sam2lite.runtimes.bundle import open_bundle


def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle's folder.")],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME|PATH",
            help="The network it was made from, to compare with PyTorch; the published size of "
            "the manifest's name if not given.",
        ),
    ] = None,
    backend: Backend = None,
    as_json: ToJson = None,
) -> None:
    """Check a bundle again: files, graphs, parity.

    Files are checked against the manifest's SHA-256. Every graph of every input size runs once.
    Where the export extra is installed and the network it was made from is at hand, the frame loop
    is compared with PyTorch over a clip, as at export; otherwise that is skipped, and said so.
    Of a bundle for TensorRT, --backend ort checks the graphs, and not the engines made of them.

    Exit code 0: all that could be checked holds. 1: damaged. 3: parity is missed.
    """
    results = check(simulated_elsewhere(open_bundle(str(bundle), backend)), model)
    if put_json(as_json, results):
        return
    loop = results["loop"]
    for key in ("bundle_sha256", "files", "graphs"):
        typer.echo(f"{key}: {results[key]}")
    typer.echo(f"machine: {'; '.join(results['machine']) or 'what it was made for'}")
    typer.echo(
        f"loop parity: skipped, {loop['skipped']}"
        if "skipped" in loop
        else f"loop parity: {loop['frames']} frames, largest logit difference "
        f"{loop['max_logit_difference']:.1e}, lowest IoU {loop['min_iou']:.4f}"
    )
    agreement = agreement_lines({"agreement": printable_data(results["agreement"])})
    if agreement:
        typer.echo(f"masks against FP32's at export: {agreement[0]}")
    for line in agreement[1:]:
        typer.echo(line)
    typer.echo(f"{bundle}: ok")
