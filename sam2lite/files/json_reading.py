"""JSON from strangers: bounded in size, depth and numbers, and only what JSON itself has."""

import json
from collections import Counter
from typing import Any, Dict, List, Tuple, Type

from sam2lite.errors import Sam2LiteError
from sam2lite.files.reading import MEBIBYTE, printable, read_bytes

MAX_BYTES = 16 * MEBIBYTE
MAX_DEPTH = 64
_MAX_INT = 1 << 64
_MAX_DIGITS = 20  # of 2^64


def read_json(
    path: str,
    error: Type[Sam2LiteError],
    remedy: str,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
) -> Any:
    """Return what a JSON file holds.

    Args:
        path: of the file.
        error: what is raised.
        remedy: ends the message.
        max_bytes: of the file.
        max_depth: of lists and objects within one another.

    Raises:
        Sam2LiteError: of the type `error`; the file cannot be read (see `read_bytes`) or is not
            JSON as `parse_json` takes it.
    """
    return parse_json(read_bytes(path, max_bytes, error, remedy), path, error, remedy, max_depth)


def parse_json(
    raw: bytes,
    where: str,
    error: Type[Sam2LiteError],
    remedy: str,
    max_depth: int = MAX_DEPTH,
) -> Any:
    """Return what JSON text holds, every value one that arithmetic and files can take.

    Args:
        raw: the text in UTF-8, -16 or -32.
        where: it was read, for the message.
        error: what is raised.
        remedy: ends the message.
        max_depth: of lists and objects within one another.

    Raises:
        Sam2LiteError: of the type `error`; it is not JSON, nests too deep, has a key twice, NaN or
            Infinity, a number beyond 64 bits or the range of float64, or a lone surrogate.
    """
    try:
        data = json.loads(
            raw.decode(json.detect_encoding(raw)),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
        _check(data, max_depth)
    except RecursionError:
        fault = "it nests too deep"
    except ValueError as problem:
        fault = str(problem)
    else:
        return data
    raise error("{} is not valid JSON ({}); {}".format(printable(where), printable(fault), remedy))


def _object(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = max(counts, key=lambda key: counts[key])
        raise ValueError("the key {!r} is there twice".format(twice[:80]))
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _MAX_DIGITS or abs(int(digits)) >= _MAX_INT:
        raise ValueError("the number {} is beyond 64 bits".format(_short(digits)))
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError("the number {} is beyond float64".format(_short(digits)))
    return value


def _constant(name: str) -> Any:
    raise ValueError("{} is no JSON number".format(name))


def _short(digits: str) -> str:
    return digits if len(digits) <= 24 else digits[:21] + "..."


def _check(data: Any, max_depth: int) -> None:
    """Go through everything without recursion: what nests deep breaks later readers."""
    left = [(data, 0)]
    while left:
        value, depth = left.pop()
        if isinstance(value, str):
            value.encode("utf-8")  # a lone surrogate is a ValueError
            continue
        if not isinstance(value, (dict, list)):
            continue
        if depth >= max_depth:
            raise ValueError("it nests deeper than {}".format(max_depth))
        if isinstance(value, dict):
            left.extend((key, depth + 1) for key in value)
            left.extend((each, depth + 1) for each in value.values())
        else:
            left.extend((each, depth + 1) for each in value)
