"""Bundles for browsers: ONNX as for ONNX Runtime, and the page that runs it beside."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sam2lite.errors import ArgumentError
from sam2lite.exporter.backends import ExportRequest
from sam2lite.exporter.bundle.graph_exporter import GraphExporter
from sam2lite.exporter.ort.backend import OrtExporter
from sam2lite.exporter.ort.four_bits import FOUR_BITS
from sam2lite.exporter.web.runtime_files import add_runtime, read_runtime

if TYPE_CHECKING:
    from sam2lite.exporter.recipe import Recipe

SITE = Path(__file__).parent / "site"
_RULES = "page/loop/rules/{}/rules.js"
_RUNTIME = "page/runtime"


class WebExporter(OrtExporter):
    """Makes them: a folder that any static server serves."""

    name = "web"
    schemes = tuple(scheme for scheme in OrtExporter.schemes if scheme not in FOUR_BITS)
    default_target = "web"
    default_precision = "fp16"
    fields = GraphExporter.fields | {"runtime"}
    readme = ""

    def check(self, request: ExportRequest) -> None:
        """See `BackendExporter`.

        Raises:
            ArgumentError: also where the page does not know the network's frame rules.
            RecipeError: the runtime is not there, or not the one that was published.
        """
        super().check(request)
        family = request.loaded.family
        if not (SITE / _RULES.format(family.name)).is_file():
            known = sorted(path.name for path in (SITE / "page/loop/rules").iterdir())
            raise ArgumentError(
                f"the page knows the frame rules of {' and '.join(known)} alone, not those of "
                f"{family.title}; export it for ONNX Runtime: sam2lite-export ort"
            )
        read_runtime(_runtime(request.recipe))

    def add_beside(self, request: ExportRequest, folder: Path) -> None:
        """See `BackendExporter`: the page and its runtime."""
        shutil.copytree(SITE, folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
        (folder / _RUNTIME).mkdir()
        add_runtime(_runtime(request.recipe), folder / _RUNTIME)


def _runtime(recipe: Recipe) -> Path | None:
    return None if recipe.runtime is None else Path(recipe.runtime)


EXPORTER = WebExporter()
