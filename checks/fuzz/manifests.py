"""Bundles with broken manifests: values, types, names, nesting, raw bytes, and the files behind.

Each is inspected as a table and as JSON, opened, and tracks two frames if it opens.
"""

import contextlib
import hashlib
import io
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fuzz.kind import CORRECT, Kind

MANIFEST = "manifest.json"
FRAMES = np.random.default_rng(5).integers(0, 256, (2, 60, 80, 3), dtype=np.uint8)
_NAMES = (
    "../../x",
    "/etc/passwd",
    "a/../../x",
    "graphs/./weights.bin",
    "graphs//weights.bin",
    "C:\\x",
    "a\0b",
    "\ud800",
    "\x1b[31mred",
    "\u202e",
    "x" * 5000,
    "",
    ".",
    "graphs",
    "[red]x[/red]",
    ":boom:",
    "memory_select",
    "memory_select@240",
    "weights\n.bin",
)
_VALUES: tuple[Any, ...] = (
    *_NAMES,
    None,
    True,
    False,
    -1,
    0,
    1,
    0.5,
    1e308,
    -1e308,
    4097,
    1 << 31,
    1 << 53,
    1 << 63,
    10**400,
    [],
    {},
    [[]],
    [None],
    {"": None},
    list(range(2000)),
    float("nan"),
    float("inf"),
)


def prepare(folder: Path) -> Path:
    """Export a hundredth of Tiny, at one rung."""
    from sam2lite.exporter.bundle.writer import write_bundle
    from sam2lite.models.sam2lite.family import HOST
    from sam2lite.models.sam2lite.network import build
    from sam2lite.targets.registry import host_target
    from tests.conftest import MINI

    path = folder / "bundle"
    write_bundle(HOST.untrained(build(MINI, seed=3), MINI), host_target(), path, rungs=(240,))
    use(path)  # what is set up once is no growth of the first input
    return path


def linked(base: Path, folder: Path) -> Path:
    """Return a copy of a bundle for one input; files are links, so that a copy costs nothing."""
    path = folder / "bundle"
    shutil.copytree(base, path, copy_function=os.link)
    return path


def rewritten(path: Path, content: bytes) -> None:
    """Replace a file, and not what it is a link of."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def _mutate(base: Path, rng: random.Random, folder: Path) -> Path:
    path = linked(base, folder)
    data = json.loads((path / MANIFEST).read_text())
    if rng.random() < 0.12:
        rng.choice(_FILE_CHANGES)(path, data, rng)
    else:
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            change_json(data, rng)
    rewritten(path / MANIFEST, as_bytes(data, rng))
    return path


def change_json(data: Any, rng: random.Random) -> None:
    """Change one value, name or branch of JSON data, in place."""
    holder, key = rng.choice(_places(data))
    change = rng.randrange(8)
    if change == 0:
        del holder[key]
    elif change == 1 and isinstance(holder, dict):
        holder[rng.choice(_NAMES)] = holder.pop(key)
    elif change == 2 and isinstance(holder, dict):
        holder[rng.choice(_NAMES)] = holder[key]
    elif change == 3:
        other, there = rng.choice(_places(data))
        holder[key] = json.loads(json.dumps(other[there]))
    elif change == 4:
        nested: Any = holder[key]
        for _ in range(rng.choice((2, 50, 500))):
            nested = [nested]
        holder[key] = nested
    elif change == 5 and isinstance(holder[key], int | float):
        with contextlib.suppress(OverflowError):
            holder[key] = holder[key] * rng.choice((-1, 2, 1000, 0.5, 1 << 40))
    elif change == 6 and isinstance(holder[key], list | dict) and 0 < len(holder[key]) < 5000:
        inner = holder[key]
        if isinstance(inner, list):
            inner.extend(inner * rng.choice((1, 1000)))
        else:
            inner.update({f"{name}{n}": v for name, v in list(inner.items()) for n in range(1000)})
    else:
        holder[key] = rng.choice(_VALUES)


def _places(data: Any) -> list[tuple[Any, Any]]:
    """Return every place in JSON data: what holds it and the key. Levels count the same."""
    levels: list[list[tuple[Any, Any]]] = []
    now = [data]
    while now:
        found = [
            (holder, key)
            for holder in now
            for key in (holder if isinstance(holder, dict) else range(len(holder)))
        ]
        if found:
            levels.append(found)
        now = [holder[key] for holder, key in found if isinstance(holder[key], dict | list)][:5000]
    return [place for level in levels for place in level[: 1 + 4000 // len(levels)]] or [
        ({"": data}, "")
    ]


def as_bytes(data: Any, rng: random.Random) -> bytes:
    """Return JSON as bytes, a few of them damaged where no parsed form could say so."""
    text = json.dumps(data, ensure_ascii=rng.random() < 0.5)
    raw = text.encode("utf-8", "surrogatepass")
    change = rng.randrange(40)
    at = rng.randrange(len(raw) + 1)
    inserted = {
        0: b"[" * 100_000,
        1: b"1" * 5000,
        2: b"\x00",
        3: b"\xff\xfe",
        4: b'"files":{},',
        5: b"1e999",
        6: b"\x1b[2J",
    }
    if change in inserted:
        return raw[:at] + inserted[change] + raw[at:]
    if change == 7:
        return raw[:at]
    if change == 8:
        return text.encode("utf-16", "surrogatepass")
    if change == 9:
        return b"\xef\xbb\xbf" + raw
    return raw


def _link(path: Path, data: Any, rng: random.Random) -> None:
    name = rng.choice(sorted(data["files"]))
    (path / name).unlink()
    target = rng.choice(("/dev/zero", "/etc/hostname", "../../../canary.onnx", "/", name))
    (path / name).symlink_to(target)


def _folder_link(path: Path, data: Any, rng: random.Random) -> None:
    shutil.move(path / "graphs", path.parent / "graphs")
    (path / "graphs").symlink_to(path.parent / "graphs")


def _pipe(path: Path, data: Any, rng: random.Random) -> None:
    name = rng.choice(sorted(data["files"]))
    (path / name).unlink()
    os.mkfifo(path / name)


def _sparse(path: Path, data: Any, rng: random.Random) -> None:
    name, size = rng.choice(sorted(data["files"])), rng.choice((1 << 28, 64 << 30))
    rewritten(path / name, b"")
    os.truncate(path / name, size)
    data["files"][name]["bytes"] = size


def _many_names(path: Path, data: Any, rng: random.Random) -> None:
    for number in range(rng.choice((500, 3000))):
        os.link(path / "graphs" / "weights.bin", path / f"w{number}")
        data["files"][f"w{number}"] = data["files"]["graphs/weights.bin"]


def _other_graph(path: Path, data: Any, rng: random.Random) -> None:
    key = rng.choice(sorted(data["graphs"]))
    file = rng.choice(sorted({entry["file"] for entry in data["graphs"].values()}))
    data["graphs"][key] = {**data["graphs"][key], "file": file}


def _listed_elsewhere(path: Path, data: Any, rng: random.Random) -> None:
    content = b"elsewhere"
    (path.parent / "elsewhere").write_bytes(content)
    name = rng.choice(("../elsewhere", "graphs/../../elsewhere", "../bundle/../elsewhere"))
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    data["files"][name] = entry
    data["graphs"]["another"] = {**data["graphs"]["memory_select"], "file": name}


_FILE_CHANGES: tuple[Callable[[Path, Any, random.Random], None], ...] = (
    _link,
    _folder_link,
    _pipe,
    _sparse,
    _many_names,
    _other_graph,
    _listed_elsewhere,
)


def _attempt(base: Path, path: Path) -> str:
    from sam2lite.cli.bundle.inspect import inspect
    from sam2lite.cli.json_output import STDOUT

    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        inspect(path)
        inspect(path, as_json=STDOUT)
    raw = {letter for letter in shown.getvalue() if not (letter.isprintable() or letter == "\n")}
    if raw:
        return f"showed {sorted(raw)}"
    use(path)
    return CORRECT


def use(path: Path) -> None:
    """Open a bundle, prompt on a frame and track the next."""
    from sam2lite.runtimes.bundle import open_bundle
    from sam2lite.runtimes.presence import always_present
    from sam2lite.runtimes.segmenter import VideoSegmenter

    with VideoSegmenter(always_present(open_bundle(str(path))), threads=1) as segmenter:
        segmenter.prompt(FRAMES[0], points=[(40, 30)])
        for frame in FRAMES:
            result = segmenter.track(frame).objects[1]
            if result.mask.shape != frame.shape[:2]:
                raise AssertionError("a mask is not of its frame's size")


KIND = Kind("manifests", 10_000, prepare, _mutate, _attempt)
