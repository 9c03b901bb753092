"""Files of safetensors, their claims looked at before their data: what they hold is only named."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from sam2lite.errors import Sam2LiteError
from sam2lite.files.json_reading import parse_json
from sam2lite.files.reading import MEBIBYTE, printable, regular_file

_MOST_HEADER = 16 * MEBIBYTE  # a hundred times what a large network needs
_PREFIX_BYTES = 8
_NO_TENSOR = "__metadata__"
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}


def claimed_tensors(
    path: Path, error: type[Sam2LiteError], remedy: str
) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    """Return the tensors that a file says it has, on the meta device, and its own words.

    Their data is in the file, as far as its size can tell, and no two share any.

    Args:
        path: of a safetensors file.
        error: what is raised.
        remedy: ends the message.

    Raises:
        Sam2LiteError: of the type `error`; the file cannot be read, is no regular file, or is
            damaged.
    """
    with regular_file(str(path), error, remedy) as (stream, size):
        try:
            raw = _header(stream, size)
            header = parse_json(raw, str(path), error, remedy)
            return _tensors(header, size - _PREFIX_BYTES - len(raw)), _words(header)
        except (ArithmeticError, AttributeError, KeyError, TypeError, struct.error) as fault:
            reason = f"{type(fault).__name__}: {fault}"
        except (RuntimeError, ValueError, Sam2LiteError) as fault:
            reason = str(fault)
    shown = printable(path)
    raise error(f"{shown} is damaged or no safetensors file ({printable(reason)}); {remedy}")


def _header(stream: BinaryIO, size: int) -> bytes:
    (length,) = struct.unpack("<Q", stream.read(_PREFIX_BYTES))
    if not 2 <= length <= min(_MOST_HEADER, size - _PREFIX_BYTES):
        raise ValueError(f"its header has {length} bytes")
    return stream.read(length)


def _tensors(header: Mapping[str, Any], room: int) -> dict[str, Tensor]:
    found, spans = {}, []
    for name, claim in header.items():
        if name == _NO_TENSOR:
            continue
        dtype, shape, (begin, end) = _DTYPES[claim["dtype"]], claim["shape"], claim["data_offsets"]
        if not all(type(number) is int and number >= 0 for number in (*shape, begin, end)):
            raise ValueError(f"{name} has a size that is no number")
        count = 1
        for side in shape:
            count *= side
        if len(shape) > 16 or end - begin != count * dtype.itemsize or end > room:
            raise ValueError(f"{name} says that it lies where it cannot")
        spans.append((begin, end))
        found[name] = torch.empty(shape, dtype=dtype, device="meta")
    last = 0
    for begin, end in sorted(spans):
        if begin != last:
            raise ValueError("its tensors overlap or leave gaps")
        last = end
    return found


def _words(header: Mapping[str, Any]) -> Mapping[str, str]:
    words = header.get(_NO_TENSOR, {})
    if not isinstance(words, dict) or not all(isinstance(word, str) for word in words.values()):
        raise ValueError("its metadata is no text")
    return words
