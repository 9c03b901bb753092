"""From flags to a recipe, and from a recipe to an export with everything shown."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import typer

from sam2lite.cli.json_output import put_json
from sam2lite.cli.progress import ShownProgress
from sam2lite.cli.reports.memory import describe_memory
from sam2lite.errors import ArgumentError, OutputError, RecipeError
from sam2lite.exporter.recipe import FIELDS, Recipe
from sam2lite.runtimes.bundle import Bundle
from sam2lite.targets.registry import HOST

# Flags that are not spelt like their field.
_FLAGS = {"sizes": "--rungs", "skip_passes": "--skip-pass"}


class Asked(NamedTuple):
    """What a command was asked for.

    Attributes:
        recipe: of the flags, and of the file beneath them.
        names: what each field of the recipe is to be called in messages.
        save_recipe: file to write the recipe to, if any.
        dry_run: print what would be exported, and export nothing.
        as_json: where the result goes as JSON, see `json_output`.
        started: when the command began, by `time.perf_counter`.
    """

    recipe: Recipe
    names: Mapping[str, str]
    save_recipe: Path | None
    dry_run: bool
    as_json: str | None
    started: float

    @property
    def for_here(self) -> bool:
        """Whether what is made is for this machine."""
        return self.recipe.target in (None, HOST)


def ask(
    backend: str,
    *,
    recipe: str | None,
    save_recipe: Path | None,
    dry_run: bool,
    as_json: str | None,
    **flags: Any,
) -> Asked:
    """Return the recipe of a command.

    Args:
        backend: of the command.
        recipe: file, or name of a recipe that comes with the package, beneath the flags, if any.
        save_recipe: see `Asked`.
        dry_run: see `Asked`.
        as_json: see `Asked`.
        flags: values by field; None, False and an empty list were not given.

    Raises:
        ArgumentError: a value cannot be used; flags are called by their own names.
        UnknownNameError: the file has an unknown field, or no recipe has the name.
        OutputError: there is a file where the recipe is to be saved, and no `--force`.
    """
    started = time.perf_counter()
    given = {
        name: value
        for name, value in flags.items()
        if value is not None and value is not False and value != []
    }
    names = {name: _FLAGS.get(name, "--" + name.replace("_", "-")) for name in FIELDS}
    base = Recipe(backend=backend)
    if recipe is not None:
        base = Recipe.load(recipe) if _is_file(recipe) else Recipe.named(recipe)
        if base.backend != backend:
            raise ArgumentError(
                f"{recipe} is for backend {base.backend}; give it to sam2lite-export {base.backend}"
            )
        inherited = base.given().keys() - given.keys()
        names |= {name: f"{name} of {recipe}" for name in inherited}
    with _flags_named(names):
        wanted = replace(base, **given)
    if save_recipe is not None and save_recipe.exists() and not wanted.force:
        raise OutputError(f"{save_recipe} exists; name another file, or replace it with --force")
    return Asked(wanted, names, save_recipe, dry_run, as_json, started)


def run(asked: Asked) -> Bundle | None:
    """Export behind progress bars, or print what `--dry-run` found out and return None.

    Raises:
        what `sam2lite.export` does, flags called by their own names.
    """
    from sam2lite.exporter.export import export, preview

    with _flags_named(asked.names):
        if asked.dry_run:
            found = preview(asked.recipe, ShownProgress()).to_json()
        else:
            bundle = export(asked.recipe, ShownProgress())
    if asked.save_recipe is not None:
        asked.recipe.save(asked.save_recipe, force=asked.recipe.force)
    if not asked.dry_run:
        return bundle
    if put_json(asked.as_json, found):
        return None
    for key, value in found.items():
        typer.echo("\n".join(_SHOWN[key](value) if key in _SHOWN else [f"{key}: {_plain(value)}"]))
    return None


def _is_file(recipe: str) -> bool:
    """Return whether a recipe is asked for by its file; a name has neither folder nor ending."""
    return Path(recipe).exists() or Path(recipe).name != recipe or "." in recipe


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _estimate(taken: Mapping[str, float]) -> list[str]:
    return [
        "estimate: {seconds:.0f} s on two cores, within a factor of two or three; {megabytes:g} MB "
        "on disk; {memory_mb:.0f} MB of memory meanwhile".format(**taken)
    ]


def _preflight(found: Mapping[str, Any]) -> list[str]:
    taken = "preflight: the parser of TensorRT {tensorrt} takes all {graphs} graphs, at one size"
    return [taken.format(**found)]


_SHOWN: Mapping[str, Callable[[Any], list[str]]] = {
    "estimate": _estimate,
    "preflight": _preflight,
    "memory": describe_memory,
}


@contextmanager
def _flags_named(names: Mapping[str, str]) -> Iterator[None]:
    """Call fields in errors as in `names`."""
    try:
        yield
    except RecipeError as error:
        raise ArgumentError(error.spelt(names)) from error
