"""Weights that come with the package: a checkpoint folder a model, with its model card."""

from __future__ import annotations

from pathlib import Path

_FOLDERS = {"tiny": Path(__file__).parent / "tiny"}

SHIPPED = {name: folder for name, folder in _FOLDERS.items() if folder.is_dir()}
