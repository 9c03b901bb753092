"""State files: what loads must go on, and what does not must leave the old state."""

import io
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from fuzz.kind import CORRECT, Kind
from fuzz.mutations import mutated_bytes, no_file
from fuzz.small_network import small_bundle

from sam2lite.errors import Sam2LiteError
from sam2lite.runtimes.segmenter import VideoSegmenter

_SIZE = 240
_FRAMES = 6
_DTYPES = ("int8", "int64", "uint64", "float16", "float32", "float64", "bool", "U3", "complex64")
_VALUES = (0, 1, -1, 0.5, 31, 32, 255, 2**31, 2**40, 2**62, -(2**62), 1e38, np.nan, np.inf)


def frame(index: int) -> Any:
    """Return texture that moves, uint8 [60, 80, 3]."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 160, 3), np.uint8)
    return np.ascontiguousarray(noise[:, 4 * index : 4 * index + 80])


def prepare(folder: Path) -> Any:
    """Open a bundle and save a state of it."""
    segmenter = VideoSegmenter(str(small_bundle(folder)), rung=_SIZE)
    segmenter.prompt(frame(0), 1, points=[(40, 30)])
    segmenter.prompt(frame(0), 5, box=(5, 5, 30, 30))
    for index in range(_FRAMES):
        segmenter.track(frame(index), index)
    path = folder / "state.npz"
    segmenter.save_state(str(path))
    with np.load(path) as data:
        return segmenter, dict(data), path.read_bytes()


def mutate(base: Any, rng: random.Random, folder: Path) -> Path:
    """Write a state file with a change of its arrays, its archive or its bytes."""
    _, arrays, raw = base
    path = folder / "state.npz"
    chance = rng.random()
    if chance < 0.02:
        no_file(path, rng)
    elif chance < 0.25:
        path.write_bytes(mutated_bytes(raw, rng))
    elif chance < 0.4:
        _write_archive(path, arrays, rng)
    else:
        changed = dict(arrays)
        for _ in range(rng.choice((1, 1, 2, 3))):
            _change(changed, rng)
        write = rng.choice((np.savez, np.savez, np.savez_compressed))
        with path.open("wb") as stream:
            write(stream, **changed)
    return path


def attempt(base: Any, path: Path) -> str:
    """Load a state beside another one, and track with whichever there is afterwards."""
    segmenter = base[0]
    segmenter.reset()
    segmenter.prompt(frame(0), 9, points=[(20, 20)])
    try:
        segmenter.load_state(str(path))
    except Sam2LiteError:
        if segmenter.object_ids != [9]:
            return "the old state was given up"
        _go_on(segmenter)
        raise
    _go_on(segmenter)
    if segmenter.object_ids:
        segmenter.correct(segmenter.object_ids[0], points=[(30, 30)])
        segmenter.track(frame(12))
    return CORRECT


def _go_on(segmenter: VideoSegmenter) -> None:
    for index in (7, 8):
        segmenter.track(frame(index))


def _change(arrays: dict[str, Any], rng: random.Random) -> None:
    name = rng.choice(sorted(arrays) or ["none"])
    array = arrays.get(name, np.zeros(3))
    change = rng.randrange(9)
    if change == 0:
        arrays.pop(name, None)
    elif change == 1:
        arrays[rng.choice(("", "1/", "2/", "x/")) + rng.choice(("age", "more", "hint"))] = array
    elif change == 2:
        with np.errstate(all="ignore"):
            arrays[name] = array.astype(rng.choice(_DTYPES)) if array.dtype.kind != "U" else array
    elif change == 3:
        shapes = [array[None], array.ravel(), np.resize(array, (3, 3))]
        shapes += [array[..., :1]] if array.ndim else []
        arrays[name] = rng.choice(shapes)
    elif change == 4 and array.dtype.kind != "U":
        arrays[name] = np.full(array.shape, rng.choice(_VALUES))
    elif change == 5 and array.dtype.kind in "if":
        changed = array.copy().ravel()
        value = rng.choice(_VALUES)
        if array.dtype.kind == "f" or (np.isfinite(value) and float(value).is_integer()):
            changed[rng.randrange(len(changed))] = value
        arrays[name] = changed.reshape(array.shape)
    elif change == 6:
        arrays["object_ids"] = np.array(rng.choice(([1, 1], [1], [5, 1], [-1], list(range(17)))))
    elif change == 7:
        arrays["next_index"] = np.array(rng.choice(_VALUES))
    else:
        arrays[name] = np.asfortranarray(array).astype(array.dtype.newbyteorder())


def _write_archive(path: Path, arrays: dict[str, Any], rng: random.Random) -> None:
    """Write an archive that NumPy would not: bombs, names twice, odd headers, other packing."""
    victim = rng.choice(sorted(arrays))
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            data = io.BytesIO()
            np.save(data, array)
            raw = data.getvalue()
            packing = zipfile.ZIP_STORED
            copies = 1
            if name == victim:
                kind = rng.randrange(7)
                copies = 2 if kind == 0 else 1
                if kind == 1:
                    raw, packing = raw + bytes(1 << 26), zipfile.ZIP_DEFLATED
                elif kind == 2:
                    raw = raw.replace(b"'shape': (", b"'shape': (99999999, ", 1)
                elif kind == 3:
                    raw = raw.replace(b"{", b"(" * 500, 1)
                elif kind == 4:
                    packing = rng.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
                elif kind == 5:
                    raw = mutated_bytes(raw, rng)
                else:
                    raw = raw.replace(b"'<f4'", b"'|O8'").replace(b"'<i8'", b"'|V9'")
            for _ in range(copies):
                archive.writestr(zipfile.ZipInfo(name + ".npy"), raw, packing)


KIND = Kind("states", 2000, prepare, mutate, attempt)
