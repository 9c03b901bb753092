"""Exporters: what makes the bundles of a backend, found by the backend's name.

`contracts.backends` says where each one is; nothing of a backend is imported before it is asked
for. What all backends share asks an exporter, and never which one it is: docs/extending.md says
how another is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sam2lite.contracts.backends import get_backend
from sam2lite.contracts.family import load
from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import RecipeError, UnknownNameError
from sam2lite.exporter.precision.schemes import (
    FOOTAGE_FIELDS,
    NOTHING,
    Scheme,
    registered_schemes,
)
from sam2lite.targets.precision import check_backend, check_precision, nearest_precision
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.registry import get_target

if TYPE_CHECKING:
    from sam2lite.exporter.onnx.passes.graph_pass import GraphPass
    from sam2lite.exporter.progress import Progress
    from sam2lite.exporter.recipe import Recipe
    from sam2lite.models.loaded import LoadedModel


@dataclass(frozen=True)
class ExportRequest:
    """An export that was found possible, and what it needs.

    Attributes:
        loaded: the network.
        target: the device, from `BackendExporter.target`.
        precision: name of a scheme of `BackendExporter.precisions(target)`.
        sizes: of the input, ascending, px; each one that the network is made for.
        output: folder that appears whole or not at all.
        recipe: all else that was asked for.
        progress: told how far it is.
    """

    loaded: LoadedModel
    target: TargetProfile
    precision: str
    sizes: tuple[int, ...]
    output: Path
    recipe: Recipe
    progress: Progress


class BackendExporter:
    """Makes the bundles of one backend. Subclasses set `name` and `schemes`, and write `write`.

    A backend whose graphs are ONNX is an `exporter.bundle.graph_exporter.GraphExporter`.

    Attributes:
        name: of the backend, as in the manifest.
        schemes: its own precisions, by any order; those that are registered beside come after.
        default_target: where a recipe names none; None if it must name one.
        default_precision: where a recipe names none.
        fields: recipe fields that it uses whatever the precision, beside those that every backend
            uses (`recipe.ALWAYS`).
        packages: that it imports.
        extra: of sam2lite that installs them.
        readme: of a bundle that has device.pyz; empty where the device code does not run it.
        knows_parser: whether `refused` has an answer.
    """

    name: ClassVar[str]
    schemes: ClassVar[tuple[Scheme, ...]]
    default_target: ClassVar[str | None] = None
    default_precision: ClassVar[str] = "fp32"
    fields: ClassVar[frozenset[str]] = frozenset()
    packages: ClassVar[tuple[str, ...]] = ("torch", "safetensors", "onnx", "onnxsim")
    extra: ClassVar[str] = "export"
    readme: ClassVar[str] = ""
    knows_parser: ClassVar[bool] = False

    def target(self, recipe: Recipe) -> TargetProfile:
        """Return the device that a recipe is for, with the versions and the opset that it names.

        Raises:
            UnknownNameError: there is no such target.
            ArgumentError: it is for another backend, or none is named where one must be.
        """
        name = recipe.target or self.default_target
        if name is None:
            raise RecipeError(
                f"`target` must be given for {self.name}; `sam2lite targets` lists them", "target"
            )
        target = get_target(name, lambda profile: profile.backend == self.name)
        check_backend(target, self.name)
        return target

    def precisions(self, target: TargetProfile) -> Mapping[str, Scheme]:
        """Return the precisions that bundles can be made in, by name.

        One that the target lists and does not serve is among them: `choose` refuses it.
        """
        return {scheme.name: scheme for scheme in (*self.schemes, *registered_schemes(self.name))}

    def choose(self, recipe: Recipe, target: TargetProfile) -> Scheme:
        """Return the scheme of the precision that a recipe asks for.

        With `fallback`, it is the nearest that the target serves.

        Raises:
            UnknownNameError: there is no such precision.
            ArgumentError: the target does not serve it; the message names the nearest it does.
        """
        asked = recipe.precision or self.default_precision
        known = self.precisions(target)
        if asked not in known:
            raise UnknownNameError("precision", asked, known)
        if any(entry.name == asked for entry in target.precisions):
            served = nearest_precision if recipe.fallback else check_precision
            asked = served(target, asked).name
        return known[asked]

    def uses(self, recipe: Recipe, target: TargetProfile, scheme: Scheme) -> frozenset[str]:
        """Return the recipe fields that an export uses, beside those that every backend uses."""
        used = self.fields | scheme.fields
        if recipe.calib is None and scheme.observes == NOTHING:  # there is no footage to be drawn
            used -= FOOTAGE_FIELDS - {"calib"}
        return used - {"observer"} if recipe.ranges is not None else used

    def needs(self) -> list[str]:
        """Return the packages that it imports and that are not installed."""
        return [package for package in self.packages if find_spec(package) is None]

    def keys(self, request: ExportRequest) -> list[str]:
        """Return the keys of the graphs that will be written, in the order they are made."""
        return list(request.loaded.family.keyed(request.sizes))

    def check(self, request: ExportRequest) -> None:
        """Raise, before minutes of work, what would end them; does nothing by default."""

    def passes_for(self, target: TargetProfile) -> tuple[GraphPass, ...]:
        """Return what is done to graphs for the target alone, inside the ordinary passes.

        They run after `simplify`; see `exporter.onnx.passes.pipeline`.
        """
        return ()

    def closing_passes(self) -> tuple[GraphPass, ...]:
        """Return what is done to graphs last, in their precision, for the runtime alone.

        Operators that only the runtime has are brought in here; see `exporter.onnx.passes.closing`.
        """
        return ()

    def refused(
        self, folder: Path, manifest: Manifest, target: TargetProfile
    ) -> Mapping[str, Sequence[Any]]:
        """Return what the target's parser would not take of the graphs in a folder, by their keys.

        Asked only where `knows_parser`.

        Args:
            folder: of the graphs.
            manifest: of the folder.
            target: a device of this backend.
        """
        raise NotImplementedError

    def write(self, request: ExportRequest) -> Manifest:
        """Write the bundle; it appears whole or not at all.

        Raises:
            CalibrationError, VideoError: nothing can be learned of the footage.
            ExportError: a graph cannot be traced or rendered.
            OutputError: the folder exists or cannot be written.
            VerificationError: a bound is missed.
        """
        raise NotImplementedError

    def finish(self, folder: Path, target: TargetProfile, manifest: Manifest) -> Manifest:
        """Add what a bundle has beside its graphs, before its files are listed and hashed.

        Args:
            folder: of the bundle; its graphs are there.
            target: the device.
            manifest: of the bundle so far.

        Returns:
            the manifest, with more verification or another status where there is something to say.

        Raises:
            VerificationError: the target would not take the bundle.
        """
        return manifest

    def add_beside(self, request: ExportRequest, folder: Path) -> None:
        """Add what a request asks for beside graphs; nothing by default. After `finish`."""

    def after(self, request: ExportRequest, manifest: Manifest) -> None:
        """Do what needs the folder in its place, such as building engines; nothing by default.

        Raises:
            VerificationError: the bundle is there, and misses what was asked for.
        """


def exporter_of(name: str) -> BackendExporter:
    """Return the exporter of a backend.

    Args:
        name: of the backend, as in `--backend` and in the manifest.

    Raises:
        UnknownNameError: there is no such backend.
    """
    exporter: BackendExporter = load(get_backend(name).exporter)
    return exporter
