"""Weights that come with the package: a checkpoint folder a model, with its model card."""

from __future__ import annotations

from pathlib import Path

SHIPPED = {"tiny": Path(__file__).parent / "tiny"}
