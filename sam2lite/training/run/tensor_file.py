"""Files of tensors that other processes read, or that must survive a failure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
from torch import Tensor


def replace_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write beside, then rename: nobody reads half a file, and an older one survives any failure.

    Args:
        path: of the file.
        tensors: by name, contiguous, on the CPU.
        metadata: kept in the file's header.

    Raises:
        OSError: the file cannot be written.
        safetensors.SafetensorError: likewise; the library has its own.
    """
    staged = path.with_suffix(f".partial{os.getpid()}")
    try:
        safetensors.torch.save_file(dict(tensors), staged, metadata)
        staged.replace(path)
    except (OSError, safetensors.SafetensorError):
        staged.unlink(missing_ok=True)
        raise
