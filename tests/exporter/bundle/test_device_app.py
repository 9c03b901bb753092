import ast
import sys
import zipfile
from pathlib import Path

import pytest

from sam2lite.exporter.bundle.device_app import DEVICE_CODE, write_device_app

LARGEST_BYTES = 450_000
PAGE = (".html", ".css", ".js")  # of serve
# What a board may have beside Python's standard library; everything but NumPy is imported late.
BOARD_PACKAGES = {"numpy", "cv2", "onnxruntime", "tensorrt", "cuda", "pycuda", "av", "sam2lite"}
OTHERS = {"coremltools", "PIL", "openvino"}  # of adapters that no board asks for


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "device.pyz"
    write_device_app(path)
    return path


def test_it_is_small_executable_and_starts_with_a_shebang(app: Path) -> None:
    assert app.stat().st_size < LARGEST_BYTES
    assert app.stat().st_mode & 0o111
    assert app.read_bytes().startswith(b"#!/usr/bin/env python3\n")


def test_the_same_sources_give_the_same_bytes(app: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.pyz"
    write_device_app(again)
    assert again.read_bytes() == app.read_bytes()


def test_it_holds_device_code_only(app: Path) -> None:
    names = zipfile.ZipFile(app).namelist()
    assert names[0] == "__main__.py"
    assert {name.split("/")[1] for name in names[1:]} == set(DEVICE_CODE)
    assert all(name.startswith("sam2lite/") and name.endswith((".py", *PAGE)) for name in names[1:])


def test_it_imports_nothing_but_itself_and_what_boards_have(app: Path) -> None:
    archive = zipfile.ZipFile(app)
    names = set(archive.namelist())
    allowed = BOARD_PACKAGES | OTHERS | set(sys.stdlib_module_names)
    for name in names - {name for name in names if name.endswith(PAGE)}:
        for node in ast.walk(ast.parse(archive.read(name))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [str(node.module)]
            else:
                continue
            for module in modules:
                assert module.split(".")[0] in allowed, f"{name} imports {module}"
                if module.startswith("sam2lite."):
                    file = module.replace(".", "/")
                    assert {f"{file}.py", f"{file}/__init__.py"} & names, f"{name}: {module}"
