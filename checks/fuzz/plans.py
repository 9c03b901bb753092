"""Bundles for TensorRT with a broken plan, engine list, timing cache or engines folder.

Each is built with a double of TensorRT, looked at with `inspect`, and its engines are looked for.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from fuzz.kind import CORRECT, Kind
from fuzz.manifests import MANIFEST, as_bytes, change_json, linked, rewritten

_ENGINES = "engines/engines.json"
_CHECKS = "engines/verification.json"
_CACHE = "engines/timing.cache"
_PLAN = "plan.json"


def _prepare(folder: Path) -> Path:
    """Write a bundle of graphs of a node or two, and build its engines."""
    from sam2lite.runtimes.backends.tensorrt import cuda
    from tests.doubles.tensorrt_builder import Scenario, make_module
    from tests.doubles.trt_bundle import write_trt_bundle

    os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
    cuda.probe = lambda: cuda.CudaDevice("NVIDIA Tegra X1", "5.3", 4 << 30)
    sys.modules["tensorrt"] = make_module(Scenario())
    path = write_trt_bundle(folder / "bundle")
    _build(path)
    engines = json.loads((path / _ENGINES).read_text())["engines"]
    checks = {
        key: {
            "engine_key": entry["key"],
            "sqnr_db": {"a": 52.25, "b": "equal"},
            "reference": "onnxruntime",
        }
        for key, entry in engines.items()
    }
    (path / _CHECKS).write_text(json.dumps({"engines": checks}))
    return path


def _mutate(base: Path, rng: random.Random, folder: Path) -> Path:
    path = linked(base, folder)
    file = rng.choice((_PLAN, _PLAN, _ENGINES, _ENGINES, _CHECKS, _CACHE, ""))
    if not file:
        rng.choice(_FOLDER_CHANGES)(path, rng)
    elif file == _CACHE:
        raw = bytearray((path / file).read_bytes())
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        rewritten(path / file, bytes(raw[: rng.randrange(1, len(raw) + 1)]))
    else:
        data = json.loads((path / file).read_text())
        for _ in range(rng.choice((1, 1, 2))):
            change_json(data, rng)
        raw_json = as_bytes(data, rng)
        rewritten(path / file, raw_json)
        if file == _PLAN:
            manifest = json.loads((path / MANIFEST).read_text())
            digest = hashlib.sha256(raw_json).hexdigest()
            manifest["files"][_PLAN] = {"sha256": digest, "bytes": len(raw_json)}
            rewritten(path / MANIFEST, json.dumps(manifest).encode())
    return path


def _linked_folder(path: Path, rng: random.Random) -> None:
    shutil.rmtree(path / "engines")
    (path / "engines").symlink_to(rng.choice(("../../beside", "..", "/etc", "graphs")))


def _linked_file(path: Path, rng: random.Random) -> None:
    file = path / rng.choice((_ENGINES, _CHECKS, _CACHE, "engines/memory_select.engine", _PLAN))
    file.unlink()
    file.symlink_to(rng.choice(("../../../canary.json", "/dev/zero", "/etc/hostname", "gone")))


def _pipe(path: Path, rng: random.Random) -> None:
    file = path / rng.choice((_ENGINES, _CHECKS, _CACHE, "engines/memory_select.engine"))
    file.unlink()
    os.mkfifo(file)


def _leftover(path: Path, rng: random.Random) -> None:
    name = rng.choice(("x.engine.partial-1", f"memory_select.engine.partial-{os.getpid()}"))
    (path / "engines" / name).symlink_to("../../../canary.onnx")


_FOLDER_CHANGES: tuple[Callable[[Path, random.Random], None], ...] = (
    _linked_folder,
    _linked_file,
    _pipe,
    _leftover,
)


def _attempt(base: Path, path: Path) -> str:
    from sam2lite.cli.bundle.inspect import inspect
    from sam2lite.cli.json_output import STDOUT
    from sam2lite.device.tensorrt.board import open_board
    from sam2lite.device.tensorrt.checks import check_engines
    from sam2lite.runtimes.backends.tensorrt.engines import read_plan
    from sam2lite.runtimes.bundle import read_manifest

    shown = io.StringIO()
    try:
        _build(path)
    finally:
        with contextlib.redirect_stdout(shown):
            inspect(path)
            inspect(path, as_json=STDOUT)
    manifest, _ = read_manifest(str(path))
    check_engines(str(path), manifest, read_plan(str(path)), open_board())
    raw = {letter for letter in shown.getvalue() if not (letter.isprintable() or letter == "\n")}
    return f"showed {sorted(raw)}" if raw else CORRECT


def _build(path: Path) -> None:
    from sam2lite.device import build

    parser = argparse.ArgumentParser()
    build.add_arguments(parser)
    flags = parser.parse_args(["--in-process"])
    build.run(argparse.Namespace(bundle=str(path), **vars(flags)))


KIND = Kind("plans", 1000, _prepare, _mutate, _attempt)
