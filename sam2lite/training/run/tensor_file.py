"""Files of tensors that other processes read, or that must survive a failure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
from torch import Tensor

from sam2lite.files.atomic import replacing


def replace_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write beside, then rename: nobody reads half a file, and an older one survives any failure.

    Args:
        path: of the file.
        tensors: by name, contiguous, on the CPU.
        metadata: kept in the file's header.

    Raises:
        OutputError: there is something that is no regular file.
        OSError: the file cannot be written.
        safetensors.SafetensorError: likewise; the library has its own.
    """
    with replacing(str(path)) as partial:
        safetensors.torch.save_file(dict(tensors), Path(partial), metadata)
