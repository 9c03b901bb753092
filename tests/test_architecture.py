"""The rules of docs/architecture.md that can be checked by reading the source."""

import ast
import re
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from sam2lite.exporter.bundle.device_app import DEVICE_CODE
from tests.source_tree import (
    BUILT_ON,
    PACKAGE,
    ROOT,
    SOURCES,
    circle,
    import_graph,
    imported,
    numpy_names,
    place,
)

# A folder may import from itself and from the folders before its own group.
LAYERS = (
    {"errors", "__init__"},
    {"files", "weights"},
    {"contracts"},
    {"targets"},
    {"runtimes"},
    {"models", "device"},
    {"data"},
    {"evaluation"},
    {"diagnostics"},
    {"calibration"},
    {"training"},
    {"mil"},
    {"exporter"},
    {"bench"},
    {"cli"},
)
# Folders whose rooms are strangers to one another, and what all rooms of a folder may use.
APART: tuple[tuple[str, frozenset[str]], ...] = (
    ("runtimes/backends", frozenset()),
    ("runtimes/rules", frozenset()),
    ("models", frozenset({"layers"})),
    ("exporter", frozenset({"onnx", "precision", "quantization", "verify", "bundle"})),
)
# What starts on a board imports none of these, not even late.
NOT_ON_A_BOARD = {"torch", "onnx", "onnxscript", "safetensors", "typer", "rich", "PIL"}
# Names of NumPy that JetPack 4's 1.13 does not have.
TOO_NEW_NUMPY = {"take_along_axis", "put_along_axis", "bool", "quantile", "concat", "astype"}
TOO_NEW_NUMPY |= {"permute_dims", "random.default_rng", "random.Generator"}
TOO_NEW_NUMPY |= {"lib.stride_tricks.sliding_window_view"}
BASE_PACKAGES = {"numpy", "cv2", "onnxruntime", "typer", "rich"}

MOST_LINES = 400
MEDIAN_LINES = 100
MOST_FILES = 17


def identity(path: Path) -> str:
    return str(path.relative_to(ROOT))


def folder(path: Path) -> str:
    return place(path).split("/")[0].removesuffix(".py")


def layer(name: str) -> int:
    return next(index for index, names in enumerate(LAYERS) if name in names)


@pytest.mark.parametrize("path", SOURCES, ids=identity)
def test_imports_point_one_way(path: Path) -> None:
    own = folder(path)
    for name in imported(ast.parse(path.read_text()), for_types=True):
        if not name.startswith("sam2lite."):
            continue
        other = name.split(".")[1]
        assert other == own or layer(other) < layer(own), f"{own} must not import {name}"


def ties(path: Path) -> set[str]:
    """Return the strange rooms that a source uses."""
    found = set()
    for inside, shared in APART:
        own = place(path).removeprefix(inside + "/").split("/")
        if not place(path).startswith(inside + "/") or len(own) < 2:
            continue
        start = f"sam2lite.{inside.replace('/', '.')}."
        for name in imported(ast.parse(path.read_text()), for_types=True):
            other = name.removeprefix(start).split(".")[0] if name.startswith(start) else own[0]
            known = {own[0], BUILT_ON.get(own[0]), *shared}
            if (PACKAGE / inside / other).is_dir() and other not in known:
                found.add(name)
    return found


def test_rooms_of_a_kind_are_strangers() -> None:
    assert not [place(path) for path in SOURCES if ties(path)]


def test_no_import_circle() -> None:
    found = circle(import_graph())
    assert not found, "imports go round: " + " > ".join(found)


def test_a_circle_is_named() -> None:
    graph = {"a": ["b", "d"], "b": ["c"], "c": ["d", "b"], "d": []}
    assert circle(graph) == ["b", "c", "b"]
    assert not circle({"a": ["b", "c"], "b": ["c"], "c": []})


def test_imports_in_functions_are_seen_and_those_for_types_are_not() -> None:
    source = """
from typing import TYPE_CHECKING
import sam2lite.one
if TYPE_CHECKING:
    from sam2lite.two import Two
def run():
    from sam2lite import three
    from sam2lite.four import Four
"""
    known = {"sam2lite.one", "sam2lite.two", "sam2lite.three", "sam2lite.four"}
    assert imported(ast.parse(source), known) & known == known - {"sam2lite.two"}
    assert "sam2lite.two" in imported(ast.parse(source), for_types=True)


def module_level_imports(tree: ast.Module) -> set[str]:
    """What importing the module runs; `if TYPE_CHECKING:` does not."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= imported(node)
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("path", SOURCES, ids=identity)
def test_optional_packages_are_imported_late(path: Path) -> None:
    allowed = BASE_PACKAGES | set(sys.stdlib_module_names) | {"sam2lite"}
    told = {"models", "calibration", "training", "mil"}
    if folder(path) in told or "exporter/coreml" in path.as_posix():
        allowed |= {"torch", "safetensors"}  # these packages say how to install them
    assert module_level_imports(ast.parse(path.read_text())) <= allowed


def device_modules() -> list[Path]:
    return [path for path in SOURCES if path.relative_to(PACKAGE).parts[0] in DEVICE_CODE]


@pytest.mark.parametrize("path", device_modules(), ids=identity)
def test_device_code_is_python_3_6(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 6))
    assert "dataclasses" not in imported(tree)
    assert "from __future__ import annotations" not in path.read_text()
    assert not numpy_names(tree) & TOO_NEW_NUMPY


@pytest.mark.parametrize("path", device_modules(), ids=identity)
def test_device_code_does_without_the_packages_of_a_pc(path: Path) -> None:
    packages = {name.split(".")[0] for name in imported(ast.parse(path.read_text()))}
    if "backends/coreml" not in place(path):  # runs on macOS alone
        assert not packages & NOT_ON_A_BOARD


@pytest.mark.parametrize(
    ("source", "used"),
    [
        ("import numpy as np\nnp.random.default_rng(3)", "random.default_rng"),
        ("import numpy\nnumpy.quantile(x, 0.5)", "quantile"),
        (
            "import numpy as np\nnp.lib.stride_tricks.sliding_window_view(x, 3)",
            "lib.stride_tricks.sliding_window_view",
        ),
        ("from numpy.random import default_rng", "random.default_rng"),
        ("from numpy import random as r\nr.default_rng()", "random.default_rng"),
        ("def f():\n    import numpy as np\n    return np.take_along_axis", "take_along_axis"),
    ],
)
def test_names_within_numpy_are_found(source: str, used: str) -> None:
    assert numpy_names(ast.parse(source)) & TOO_NEW_NUMPY == {used}


def test_methods_of_arrays_are_no_names_of_numpy() -> None:
    source = "import numpy as np\nnp.zeros(3).astype('int8')\nx.quantile(1)\nnp.random.rand()"
    assert not numpy_names(ast.parse(source)) & TOO_NEW_NUMPY


def test_device_code_passes_vermin() -> None:
    vermin = str(Path(sys.executable).parent / "vermin")
    command = [vermin, "--target=3.6-", "--no-tips", "--violations"]
    # machine_checks.py imports importlib.metadata inside a try.
    command += ["--eval-annotations", "--no-parse-comments", "--exclude", "importlib.metadata"]
    command += [str(PACKAGE / name) for name in DEVICE_CODE]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_runtimes_start_without_heavy_packages() -> None:
    code = (
        "import sys, sam2lite.runtimes.segmenter, sam2lite.runtimes.backends.ort.session\n"
        "heavy = {'torch', 'onnx', 'typer', 'rich', 'safetensors'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_file_is_a_drawer() -> None:
    assert not [p for p in SOURCES if p.stem in {"utils", "util", "helpers", "common", "misc"}]


def test_files_are_short() -> None:
    lines = {place(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
    assert statistics.median(count for count in lines.values() if count) <= MEDIAN_LINES


def test_folders_are_small() -> None:
    files = Counter(identity(path.parent) for path in SOURCES)
    assert {name: count for name, count in files.items() if count > MOST_FILES} == {}


def test_the_picture_of_the_folders_is_true() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    picture = text[text.index("## Folders") : text.index("Imports point one way")]
    shown = set(re.findall(r"\b([a-z0-9_]+)/", picture))
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders - {"weights"} <= shown
    there = {path.name for path in ROOT.rglob("*") if path.is_dir() and ".venv" not in path.parts}
    assert shown <= there
