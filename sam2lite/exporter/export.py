"""An export as a call: from a recipe to a bundle, or to what the bundle would be."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.contracts.backends import get_backend
from sam2lite.errors import DependencyError, RecipeError, TargetWarning
from sam2lite.exporter.backends import BackendExporter, ExportRequest, exporter_of
from sam2lite.exporter.bundle.kind import BUNDLE
from sam2lite.exporter.estimate import Estimate, estimate
from sam2lite.exporter.progress import SILENT, Progress
from sam2lite.exporter.recipe import ALWAYS, Recipe
from sam2lite.files.staging import check_replaceable
from sam2lite.runtimes.bundle import Bundle, open_bundle, read_manifest

if TYPE_CHECKING:
    from sam2lite.exporter.precision.schemes import Scheme
    from sam2lite.targets.profile import TargetProfile


@dataclass(frozen=True)
class Preview:
    """What an export would write.

    Attributes:
        model: as in the recipe.
        target: id of the device; None for graphs alone.
        runtime: of the device, with its versions; None for graphs alone.
        opset: of the graphs.
        precision: that is chosen.
        output: the folder.
        graphs: their keys, in the order they are made.
        check_for: as in the recipe.
        estimate: what the export will take.
        preflight: what the target's parser says of the graphs at the smallest size; None where
            nobody can be asked.
        memory: what running and building them takes there; likewise.
    """

    model: str
    target: str | None
    runtime: str | None
    opset: int
    precision: str
    output: str
    graphs: list[str]
    check_for: str | None
    estimate: Estimate
    preflight: dict[str, Any] | None = None
    memory: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what there is as plain data."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        return {**given, "estimate": self.estimate._asdict()}


def export(recipe: Recipe, progress: Progress | None = None) -> Bundle:
    """Export a network, check what was written, and open it.

    Args:
        recipe: what to export, and how.
        progress: told how far it is; says nothing if not given.

    Returns:
        the bundle; of plain graphs, one whose graphs nothing here runs.

    Raises:
        RecipeError: a field cannot be used, or nothing would use it.
        ArgumentError: the model, target, precision or another name does not exist, or the target
            does not serve what is asked for.
        DependencyError: a package that the backend needs is not installed.
        ModelError: the checkpoint cannot be loaded.
        CalibrationError, VideoError: the footage does not do.
        ExportError: a graph cannot be traced or written in its precision.
        OutputError: the folder exists or cannot be written.
        VerificationError: a bound is missed.
    """
    exporter, request = _requested(recipe, progress or SILENT)
    check_replaceable(request.output.resolve(), recipe.force, BUNDLE)
    manifest = exporter.write(request)
    exporter.after(request, manifest)
    path = str(request.output)
    if get_backend(exporter.name).run_by:
        with warnings.catch_warnings():  # that it is for another machine is what was asked for
            warnings.simplefilter("ignore", TargetWarning)
            return open_bundle(path)
    manifest, sha256 = read_manifest(path)
    return Bundle(path, manifest, sha256, manifest.backend)


def preview(recipe: Recipe, progress: Progress | None = None) -> Preview:
    """Return what `export` would write, and about what that takes.

    Where the target's parser is known, graphs of the smallest size are made for it, so that it can
    be asked; of large networks, that takes a minute.

    Raises:
        what `export` raises before its work begins.
        VerificationError: the target would not take the graphs.
    """
    exporter, request = _requested(recipe, progress or SILENT)
    plain = not get_backend(exporter.name).run_by
    keys = exporter.keys(request)
    scheme = exporter.precisions(request.target)[request.precision]
    asked = _asked_parser(exporter, request) if exporter.knows_parser else {}
    return Preview(
        model=recipe.model,
        target=None if plain else request.target.id,
        runtime=None if plain else request.target.runtime,
        opset=request.target.opset,
        precision=request.precision,
        output=str(request.output),
        graphs=keys,
        check_for=recipe.check_for,
        estimate=estimate(request, len(keys), observes=scheme.max_drop is not None),
        preflight=asked.get("preflight"),
        memory=asked.get("memory"),
    )


def _asked_parser(exporter: BackendExporter, request: ExportRequest) -> dict[str, Any]:
    """Return what the manifest's verification would say of the target, at the smallest size.

    Raises:
        VerificationError: the target would not take the graphs.
    """
    from sam2lite.exporter.bundle.writer import write_trial_bundle
    from sam2lite.exporter.precision.scheme import Float32

    with tempfile.TemporaryDirectory() as scratch, request.progress.phase("preflight", 1) as step:
        folder = Path(scratch) / "trial"
        size = min(request.sizes)
        write_trial_bundle(request.loaded, request.target, size, Float32(), folder)
        manifest, _ = read_manifest(str(folder))
        found = dict(exporter.finish(folder, request.target, manifest).verification)
        step(str(size))
    return found


def _requested(recipe: Recipe, progress: Progress) -> tuple[BackendExporter, ExportRequest]:
    """Return what is asked for, once nothing speaks against it; see `export` for what does."""
    exporter = exporter_of(recipe.backend)
    for package in exporter.needs():
        raise DependencyError(package, exporter.extra, "export")
    target = exporter.target(recipe)
    scheme = exporter.choose(recipe, target)
    _refuse_unused(recipe, exporter, target, scheme)
    if recipe.output is None:
        raise RecipeError("`output` is not given; name the folder to write", "output")
    from sam2lite.models.registry import load_model

    loaded, widths = load_model(recipe.model, variant=recipe.variant), None
    if recipe.input_sizes is not None:
        widths, aspect = recipe.input_sizes
        loaded = loaded.with_aspect(aspect)
        for width in widths:
            loaded.check_size(width)
    if not loaded.trained:
        progress.tell(f"warning: {recipe.model} is untrained; its masks mean nothing")
    if recipe.precision not in (None, scheme.name):
        progress.tell(_fell_back(recipe, target, scheme))
    request = ExportRequest(
        loaded=loaded,
        target=target,
        precision=scheme.name,
        sizes=widths or loaded.sizes,
        output=Path(recipe.output),
        recipe=recipe,
        progress=progress,
    )
    exporter.check(request)
    return exporter, request


def _refuse_unused(
    recipe: Recipe, exporter: BackendExporter, target: TargetProfile, scheme: Scheme
) -> None:
    """Refuse the first field that is given and that this export does not use.

    Raises:
        RecipeError: there is one; the message names the precisions that would use it.
    """
    used = exporter.uses(recipe, target, scheme) | ALWAYS
    for name in recipe.given():
        if name in used:
            continue
        what = f"{exporter.name} in {scheme.name}"
        if recipe.precision not in (None, scheme.name):
            what += f", which {recipe.precision} falls back to on {target.id}"
        using = [
            other.name
            for other in exporter.precisions(target).values()
            if name in exporter.uses(recipe, target, other)
        ]
        remedy = f", or choose `precision` {' or '.join(using)}" if using else ""
        raise RecipeError(f"`{name}` is not used by {what}; leave it out{remedy}", name)


def _fell_back(recipe: Recipe, target: TargetProfile, scheme: Scheme) -> str:
    note = next(entry.note for entry in target.precisions if entry.name == recipe.precision)
    return f"{recipe.precision} falls back to {scheme.name} on {target.id}: {note}"
