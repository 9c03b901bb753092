"""The fields of a protobuf message, found without the package `protobuf`: boards do not have it.

What is not asked for is skipped by its length, so a graph of 40 MB costs no more than its nodes.
"""

import mmap
from typing import Iterator, Tuple, Union

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}
_MOST_VARINT_BYTES = 10
_ENDLESS = 0x80  # the first byte of a number that goes on


# Bytes that can be indexed and cut: `bytes`, or a file that is mapped.
Data = Union[bytes, mmap.mmap]


def fields(data: Data, start: int, end: int) -> Iterator[Tuple[int, int, int, int]]:
    """Give the fields of a message in order.

    Args:
        data: holds it.
        start: its first byte.
        end: the byte behind it.

    Returns:
        number, wire type, and for `VARINT` the value, twice; for all others the first byte of the
        value, and the byte behind it.

    Raises:
        ValueError: the message is damaged, or has groups, which ONNX has not.
    """
    at = start
    while at < end:
        tag = data[at]
        at += 1
        if tag > 0x7F:
            tag, at = _varint(data, at - 1, end)
        number, wire_type = tag >> 3, tag & 7
        if not number:
            raise ValueError("a field has no number")
        if wire_type == BYTES:
            size = data[at] if at < end else _ENDLESS
            at += 1
            if size > 0x7F:
                size, at = _varint(data, at - 1, end)
            if size > end - at:
                raise ValueError("a field is longer than what holds it")
            yield number, BYTES, at, at + size
            at += size
        elif wire_type == VARINT:
            value, at = _varint(data, at, end)
            yield number, VARINT, value, value
        elif wire_type in _FIXED_BYTES:
            at += _FIXED_BYTES[wire_type]
            if at > end:
                raise ValueError("a number ends early")
            yield number, wire_type, at - _FIXED_BYTES[wire_type], at
        else:
            raise ValueError("a field has the wire type {}".format(wire_type))


def _varint(data: Data, at: int, end: int) -> Tuple[int, int]:
    value = 0
    for index in range(_MOST_VARINT_BYTES):
        if at >= end:
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at
    raise ValueError("a number does not end")
