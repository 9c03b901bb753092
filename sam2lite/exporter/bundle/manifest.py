"""What the manifest of a new bundle says, but for what was measured."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from sam2lite import __version__
from sam2lite.contracts.backends import get_backend
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.contracts.manifest import (
    MANIFEST_FILE,
    FileEntry,
    GraphEntry,
    Manifest,
    ModelInfo,
    Postprocess,
)
from sam2lite.files.file_hash import file_sha256
from sam2lite.targets.profile import TargetProfile

if TYPE_CHECKING:
    from sam2lite.models.loaded import LoadedModel

PREPROCESS = {
    "geometry": "stretch",
    "resize": "halve an axis by averaging pairs while twice too long, then INTER_LINEAR_EXACT",
    "colour": "RGB",
    "range": [0, 255],
    "normalisation": "in the graph",
}
TOOLS = ("torch", "onnx", "onnxruntime", "onnxsim", "numpy")


def manifest_of(
    loaded: LoadedModel,
    target: TargetProfile,
    rungs: tuple[int, ...],
    entries: dict[str, GraphEntry],
    tools: Sequence[str] = TOOLS,
) -> Manifest:
    """Return the manifest of a bundle, without its files, calibration and verification.

    Args:
        loaded: the network and where it comes from.
        target: the device it is for; not noted of graphs alone, which are for none.
        rungs: input widths, ascending, px.
        entries: the graphs by key.
        tools: packages whose versions are noted.
    """
    backend = get_backend(target.backend)
    return Manifest(
        sam2lite_version=__version__,
        model=ModelInfo(
            family=loaded.family.name,
            name=loaded.name,
            checkpoint_sha256=loaded.sha256,
            licence=loaded.licence,
            trained=loaded.trained,
            parameters=loaded.parameters["total"],
            config=loaded.config.to_json(),
            weights=loaded.weights,
        ),
        backend=backend.name,
        target=target.to_json() if backend.run_by else {},
        opset=target.opset,
        rungs=rungs,
        graphs=entries,
        dims={str(rung): loaded.dims(rung) for rung in rungs},
        stages=tuple(graph.name for graph in loaded.family.graphs),
        preprocess={**PREPROCESS, **_form(loaded.aspect), "dtype": backend.image_dtype},
        postprocess=Postprocess(
            mask_stride=loaded.family.mask_stride,
            mask_threshold=0.0,
            object_score_threshold=0.0,
            upsampling="INTER_LINEAR",
        ),
        memory=loaded.memory(),
        calibration=None,
        verification={},
        tools={"python": platform.python_version(), **{t: metadata.version(t) for t in tools}},
        files={},
        status="complete",
    )


def _form(aspect: Aspect) -> dict[str, list[int]]:
    """Return what is said of inputs that are not square; of others, nothing."""
    return {} if aspect == SQUARE else {"aspect": list(aspect)}


def file_entries(folder: Path) -> dict[str, FileEntry]:
    """Return hash and size of every file of a bundle but the manifest."""
    return {
        path.relative_to(folder).as_posix(): FileEntry(file_sha256(str(path)), path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST_FILE
    }
