"""JSON annotations, checked for what they must hold."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sam2lite.data.datasets.layout import layout_error


def read_json(path: Path, keys: Sequence[str], tree: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: of the file.
        keys: that it must have.
        tree: of the data set, for messages.

    Raises:
        VideoError: the file cannot be read, is not JSON, or lacks a key.
    """
    try:
        record = json.loads(path.read_bytes())
    except OSError as error:
        raise layout_error(path, f"{error.strerror}", tree) from error
    except ValueError as error:
        raise layout_error(path, f"it is damaged or not JSON ({error})", tree) from error
    missing = [key for key in keys if not isinstance(record, dict) or key not in record]
    if missing:
        raise layout_error(path, f"it has no {', '.join(map(repr, missing))}", tree)
    return dict(record)
