"""Recipes that come with the package, by name."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "presets"
# DeepCompressor's names of its recipes for SAM 2. The network is still what `model` says.
_ALIASES = {
    "hiera_tiny_w4a8": "w4a8",
    "hiera_base_w4a8": "w4a8",
    "hiera_large_w4a8_svdquant": "w4a8_svdquant",
    "hiera_tiny_w4only": "w4only",
    "hiera_base_w8a8": "w8a8",
}


def preset_names() -> list[str]:
    """Return the names of all presets, aliases among them."""
    return sorted([*(path.stem for path in _FOLDER.glob("*.yaml")), *_ALIASES])


def preset_path(name: str) -> Path | None:
    """Return the file of a preset; None if there is none of that name."""
    path = _FOLDER / f"{_ALIASES.get(name, name)}.yaml"
    return path if name in preset_names() else None
