"""`sam2lite verify`: check a bundle again, here and now."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from sam2lite.cli.bundles import Backend
from sam2lite.cli.simulated import simulated_elsewhere
from sam2lite.errors import BundleError
from sam2lite.runtimes.bundle import Bundle, open_bundle


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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check a bundle: its files, that every graph opens and runs, and parity with PyTorch.

    Files are checked against the manifest's SHA-256. Every graph of every rung runs once. Where
    the export extra is installed and the network it was made from is at hand, the frame loop is
    compared with PyTorch over a clip, as at export; otherwise that step is skipped, and said so.
    Of a bundle for TensorRT, --backend ort checks the graphs, and not the engines made of them.

    Exit code 0: all that could be checked holds. 1: damaged. 3: parity is missed.
    """
    opened = simulated_elsewhere(open_bundle(str(bundle), backend))
    results: dict[str, Any] = {
        "path": str(bundle),
        "bundle_sha256": opened.sha256,
        "files": f"{len(opened.manifest.files)} match their SHA-256",
        "graphs": f"{_run_every_graph(opened)} open and run by {_runner(opened)}",
    }
    results["loop"] = _loop(opened, model)
    if as_json:
        typer.echo(json.dumps(results, indent=1))
        return
    loop = results["loop"]
    for key in ("bundle_sha256", "files", "graphs"):
        typer.echo(f"{key}: {results[key]}")
    typer.echo(
        f"loop parity: skipped, {loop['skipped']}"
        if "skipped" in loop
        else f"loop parity: {loop['frames']} frames, largest logit difference "
        f"{loop['max_logit_difference']:.1e}, lowest IoU {loop['min_iou']:.4f}"
    )
    typer.echo(f"{bundle}: ok")


def _runner(bundle: Bundle) -> str:
    return bundle.backend if bundle.simulate is None else "a simulation of Core ML"


def _run_every_graph(bundle: Bundle) -> int:
    """Run each graph once on zeros; return how many there are."""
    import numpy as np

    for key, entry in bundle.manifest.graphs.items():
        zeros = {
            spec.name: np.zeros([int(dim) for dim in spec.shape], spec.dtype)
            for spec in entry.spec.inputs
        }
        with bundle.open_session(key) as session:
            for name, handle in session.run(zeros).items():
                if not np.isfinite(session.numpy(handle)).all():
                    raise BundleError(f"{key}: output {name} is not finite for an empty input")
    return len(bundle.manifest.graphs)


def _loop(bundle: Bundle, model: str | None) -> dict[str, Any]:
    """Compare the frame loop with PyTorch's, or say why not."""
    from importlib.util import find_spec

    missing = [name for name in ("torch", "safetensors") if find_spec(name) is None]
    if missing:
        return {"skipped": f"{', '.join(missing)} not installed (pip install 'sam2lite[export]')"}
    from sam2lite.exporter.verify.loop_parity import loop_parity
    from sam2lite.models.registry import load_model, published_names

    wanted = bundle.manifest.model
    if model is None and wanted.name not in published_names():
        return {"skipped": f"give the checkpoint of {wanted.name!r} with --model"}
    checkpoint = load_model(model or wanted.name)
    if checkpoint.sha256 != wanted.checkpoint_sha256:
        if model is None:
            return {"skipped": "the bundle has other weights; give their checkpoint with --model"}
        raise BundleError(
            f"{model} is not what {bundle.path} was made from: its weights have SHA-256 "
            f"{checkpoint.sha256[:12]}..., the manifest says {wanted.checkpoint_sha256[:12]}..."
        )
    report = loop_parity(bundle, checkpoint)
    # Other precisions have an accuracy, not parity; and the bounds are those of ONNX Runtime.
    if bundle.manifest.precision == "fp32" and bundle.backend == "ort":
        report.check()
    return report.to_json()
