"""`ranges.json` of checkpoints that were trained with INT8 simulated.

It has a schema version, and the least and greatest input of every quantized layer by its path in
the network. `sam2lite.training.quantization` says what a range means.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from sam2lite.errors import ModelError
from sam2lite.files.reading import printable
from sam2lite.models.checkpoint import CONFIG_FILE, read_object

RANGES_FILE = "ranges.json"
LARGEST = float(np.finfo(np.float32).max)  # of a range
_SCHEMA_VERSION = 1


def ranges_text(ranges: Mapping[str, tuple[float, float]]) -> bytes:
    """Return what the file holds of ranges, by path."""
    return json.dumps({"schema_version": _SCHEMA_VERSION, **ranges}, indent=1).encode()


def read_ranges(folder: Path, modules: Collection[str]) -> dict[str, tuple[float, float]] | None:
    """Return the ranges of a checkpoint; None where it has none.

    Args:
        folder: of the checkpoint.
        modules: paths of the network's modules.

    Raises:
        ModelError: the file is damaged, or of another network.
    """
    path = folder / RANGES_FILE
    if not path.exists():
        return None
    values = read_object(path)
    version = values.pop("schema_version", None)
    if version != _SCHEMA_VERSION:
        raise ModelError(
            f"{printable(path)} has schema version {version!r:.40}, this release reads "
            f"{_SCHEMA_VERSION}; train again, or delete the file to do without ranges"
        )
    for name, value in values.items():
        if name not in modules:
            raise ModelError(
                f"{printable(path)} names {name!r:.200}, which is no module of the {CONFIG_FILE}"
            )
        if not _is_range(value):
            raise ModelError(
                f"{printable(path)} has {value!r:.80} for {name!r:.200}; it must be [min, max], "
                "finite and in order"
            )
    return {name: (float(least), float(greatest)) for name, (least, greatest) in values.items()}


def _is_range(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(end) in (int, float) and abs(end) <= LARGEST for end in value)
        and value[0] <= value[1]
    )
