"""Ways to break what a file holds, the same for several kinds."""

import copy
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

SPECIAL: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    255,
    2**31,
    2**63,
    -(2**63),
    2**64,
    10**400,
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
    "",
    "text",
    "1",
    ".",
    "..",
    "../../canary.json",
    "/etc/passwd",
    "a\0b",
    "\ud800",
    "\x1b[31m",
    "x" * 5000,
    [],
    {},
    [[]],
    [1, "a", None],
    [0] * 300,
    {"a": {"b": {"c": 1}}},
)


def mutated_json(data: Any, rng: random.Random) -> bytes:
    """Return JSON text of data with a few nodes changed, and now and then with broken text."""
    data = copy.deepcopy(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = _with_change(data, rng)
    raw = json.dumps(data).encode("utf-8", "surrogatepass")
    return mutated_text(raw, rng) if rng.random() < 0.3 else raw


def mutated_text(raw: bytes, rng: random.Random) -> bytes:
    """Return text that is cut, spoilt, nested or repeated."""
    return rng.choice(_TEXTS)(raw, rng)


def mutated_bytes(raw: bytes, rng: random.Random) -> bytes:
    """Return bytes with some of them changed, cut off, put in or moved."""
    data = bytearray(raw)
    for _ in range(rng.choice((1, 2, 8, 64))):
        if not data:
            break
        # Headers decide more than data do.
        limit = len(data) if rng.random() < 0.5 else min(len(data), 512)
        place = rng.randrange(limit)
        if rng.random() < 0.3:
            place = len(data) - 1 - place
        change = rng.random()
        if change < 0.5:
            data[place] = rng.randrange(256)
        elif change < 0.65:
            data[place] ^= 1 << rng.randrange(8)
        elif change < 0.75:
            del data[place : place + rng.randrange(1, 9)]
        elif change < 0.85:
            data[place:place] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9)))
        else:
            data[place : place + 4] = rng.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"))
    if rng.random() < 0.1:
        data = data[: rng.randrange(len(data) + 1)]
    return bytes(data)


def no_file(path: Path, rng: random.Random) -> None:
    """Put something in a file's place that is none: a pipe, a folder, a link, a giant of zeros."""
    kind = rng.randrange(6)
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        path.mkdir()
    elif kind == 2:
        path.symlink_to("/dev/zero")
    elif kind == 3:
        path.symlink_to(path.name)
    elif kind == 4:
        with path.open("wb") as stream:
            stream.truncate(1 << 36)
    else:
        path.write_bytes(b"")


def _nodes(data: Any) -> list[tuple[Any, Any]]:
    """Return (holder, key) of every value in nested lists and objects."""
    found, left = [], [data]
    while left:
        holder = left.pop()
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                left.append(holder[key])
    return found


def _with_change(data: Any, rng: random.Random) -> Any:
    nodes = _nodes(data) if isinstance(data, dict | list) else []
    if not nodes or rng.random() < 0.03:
        return copy.deepcopy(rng.choice(SPECIAL))
    # Near the top as often as far down, where most nodes are.
    holder, key = rng.choice(nodes[: rng.choice((8, len(nodes)))])
    change = rng.random()
    if change < 0.6:
        holder[key] = copy.deepcopy(rng.choice(SPECIAL))
    elif change < 0.75:
        del holder[key]
    elif change < 0.85 and isinstance(holder, dict):
        holder[str(rng.choice(SPECIAL))[:80]] = copy.deepcopy(rng.choice(SPECIAL))
    elif change < 0.95:
        other, there = rng.choice(nodes)
        if isinstance(other, dict) and there not in other:
            return data
        if isinstance(other, list) and there >= len(other):
            return data
        holder[key] = copy.deepcopy(other[there])
    else:
        holder[key] = [holder[key]] * rng.choice((2, 300))
    return data


def _cut(raw: bytes, rng: random.Random) -> bytes:
    return raw[: rng.randrange(len(raw) + 1)]


def _spoilt(raw: bytes, rng: random.Random) -> bytes:
    return mutated_bytes(raw, rng)


def _nested(raw: bytes, rng: random.Random) -> bytes:
    depth = rng.choice((65, 1000, 200_000))
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return opening * depth + raw + closing * depth


def _nested_inside(raw: bytes, rng: random.Random) -> bytes:
    depth = rng.choice((65, 1000, 100_000))
    return raw.replace(b"1", b"[" * depth + b"]" * depth, 1)


def _long_number(raw: bytes, rng: random.Random) -> bytes:
    return raw.replace(b"1", b"1" * rng.choice((25, 500, 100_000)), 1)


def _twice(raw: bytes, rng: random.Random) -> bytes:
    return raw.replace(b"{", b'{"a": 1, "a": 2, ', 1)


def _other_encoding(raw: bytes, rng: random.Random) -> bytes:
    text = raw.decode("utf-8", "replace")
    return text.encode(rng.choice(("utf-16", "utf-32", "latin1")), "replace")


def _escaped(raw: bytes, rng: random.Random) -> bytes:
    return raw.replace(b'"', b'"\\ud800', rng.choice((1, 3)))


_TEXTS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _cut,
    _spoilt,
    _nested,
    _nested_inside,
    _long_number,
    _twice,
    _other_encoding,
    _escaped,
)
