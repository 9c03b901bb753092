"""The rules of docs/architecture.md that can be checked by reading the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from sam2lite.exporter.bundle.device_app import DEVICE_CODE

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sam2lite"
MODULES = sorted(PACKAGE.rglob("*.py"))

# A folder may import from itself and from the folders before its own group.
LAYERS = (
    {"errors", "__init__"},
    {"contracts", "staging", "weights"},
    {"targets"},
    {"models", "runtimes"},
    {"device"},
    {"data"},
    {"evaluation"},
    {"calibration"},
    {"training"},
    {"mil"},
    {"exporter"},
    {"bench"},
    {"cli"},
)
# NumPy names that JetPack 4's NumPy 1.13 does not have.
TOO_NEW_NUMPY = {"default_rng", "take_along_axis", "put_along_axis", "bool", "quantile", "concat"}
TOO_NEW_NUMPY |= {"astype", "permute_dims", "sliding_window_view"}
BASE_PACKAGES = {"numpy", "cv2", "onnxruntime", "typer", "rich"}


def identity(path: Path) -> str:
    return str(path.relative_to(ROOT))


def folder(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer(name: str) -> int:
    return next(index for index, names in enumerate(LAYERS) if name in names)


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module}
    return names


@pytest.mark.parametrize("path", MODULES, ids=identity)
def test_imports_point_one_way(path: Path) -> None:
    own = folder(path)
    for name in imported(ast.parse(path.read_text())):
        if not name.startswith("sam2lite."):
            continue
        other = name.split(".")[1]
        assert other == own or layer(other) < layer(own), f"{own} must not import {name}"


def module_level_imports(tree: ast.Module) -> set[str]:
    """What importing the module runs; `if TYPE_CHECKING:` does not."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= imported(node)
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("path", MODULES, ids=identity)
def test_optional_packages_are_imported_late(path: Path) -> None:
    allowed = BASE_PACKAGES | set(sys.stdlib_module_names) | {"sam2lite"}
    told = {"models", "calibration", "training", "mil"}
    if folder(path) in told or "exporter/coreml" in path.as_posix():
        allowed |= {"torch", "safetensors"}  # these packages say how to install them
    assert module_level_imports(ast.parse(path.read_text())) <= allowed


def device_modules() -> list[Path]:
    return [path for path in MODULES if path.relative_to(PACKAGE).parts[0] in DEVICE_CODE]


@pytest.mark.parametrize("path", device_modules(), ids=identity)
def test_device_code_is_python_3_6(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 6))
    assert "dataclasses" not in imported(tree)
    assert "from __future__ import annotations" not in path.read_text()
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "np"
    }
    assert not used & TOO_NEW_NUMPY


def test_device_code_passes_vermin() -> None:
    vermin = str(Path(sys.executable).parent / "vermin")
    command = [vermin, "--target=3.6-", "--no-tips", "--violations"]
    # doctor.py imports importlib.metadata inside a try.
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
    assert not [p for p in MODULES if p.stem in {"utils", "util", "helpers", "common", "misc"}]
    assert not [p for p in MODULES if len(p.read_text().splitlines()) > 400]
