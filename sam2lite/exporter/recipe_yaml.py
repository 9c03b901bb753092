"""Recipes as YAML files, which may come from a stranger: small, plain, and nothing twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sam2lite.contracts.arguments import shown
from sam2lite.errors import (
    ArgumentError,
    DependencyError,
    OutputError,
    RecipeError,
    UnknownNameError,
)
from sam2lite.files.atomic import check_file, replacing
from sam2lite.files.reading import read_text

MOST_BYTES = 1 << 16


def read_fields(path: Path, known: Sequence[str]) -> dict[str, Any]:
    """Return the fields that a file gives, by name; raises as `Recipe.load`.

    Args:
        path: of the file.
        known: names of the fields that a file may have.
    """
    data = _parse(_read(path), path)
    if not isinstance(data, dict):
        raise RecipeError(
            f"{path} holds no fields; write one a line, as in 'backend: ort'", "recipe"
        )
    for name in data:
        if not isinstance(name, str):
            raise RecipeError(f"{path}: {shown(name)} is no name of a field", "recipe")
        if name == "force":
            raise RecipeError(
                f"{path}: `force` is no field of a file; say it where the recipe is used", "force"
            )
        if name not in known:
            raise UnknownNameError(f"field in {path}:", name, known)
    return {name: value for name, value in data.items() if value is not None}


def write_fields(fields: Mapping[str, Any], path: Path, force: bool) -> None:
    """Write fields in their order; raises as `Recipe.save`."""
    yaml = _yaml()
    check_file(str(path), force)
    plain = {name: _plain(value) for name, value in fields.items()}
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=1 << 12)
    try:
        with replacing(str(path), force) as partial:
            Path(partial).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def _read(path: Path) -> str:
    try:
        return read_text(str(path), MOST_BYTES, ArgumentError, "a recipe is a small file of text")
    except ArgumentError as error:
        raise RecipeError(str(error), "recipe") from None


def _parse(text: str, path: Path) -> object:
    """Return what a YAML text holds.

    Raises:
        RecipeError: it is no YAML, is nested beyond reason, or has a key twice or an alias.
    """
    yaml = _yaml()

    class Loader(yaml.SafeLoader):  # type: ignore[name-defined, misc]
        """Plain values alone; no key twice."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("it has an alias ('*'), which recipes do without")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[str] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in seen:
                    raise yaml.YAMLError(f"{key.value!r} is there twice")
                seen.add(str(key.value))
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)
    # ValueError: a date such as 2026-99-99.
    # The others: values that its own constructors stumble over.
    except (
        yaml.YAMLError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        said = "it is nested too deep" if isinstance(error, RecursionError) else _sentence(error)
        raise RecipeError(f"{path} is no YAML that can be used: {said}", "recipe") from None


def _sentence(error: Exception) -> str:
    """Return what PyYAML says in several lines as one."""
    problem = getattr(error, "problem", None) or str(error)
    mark = getattr(error, "problem_mark", None)
    return " ".join(problem.split()) + (f" in line {mark.line + 1}" if mark else "")


def _yaml() -> Any:
    try:
        import yaml
    except ImportError:
        raise DependencyError("PyYAML", "export", "a recipe in YAML") from None
    return yaml
