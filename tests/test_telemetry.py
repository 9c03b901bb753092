"""ONNX Runtime reports to nobody, whichever of our programs starts it."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source_tree import ROOT, SOURCES

VARIABLE = "ORT_DISABLE_TELEMETRY"
STUDIES = sorted([*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "checks").rglob("*.py")])
OPEN_A_SESSION = """
import sys, time
import sam2lite
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    import onnx
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    body = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:])
    path = tmp_path / "graph.onnx"
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(body, opset_imports=opset, ir_version=8), path)
    return path


def open_session(graph: Path, home: Path, seconds: float, **more: str) -> str:
    """Open a session in a process of its own that lives for a while; return what it complained."""
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), **more}
    done = subprocess.run(
        [sys.executable, "-c", OPEN_A_SESSION, str(graph), str(seconds)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_session_leaves_nothing_in_the_home_folder(graph: Path, tmp_path: Path) -> None:
    open_session(graph, tmp_path / "home", 0.2)
    assert list((tmp_path / "home").rglob("*")) == []


@pytest.mark.slow  # the first report is due after seven seconds
@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_a_session_asks_for_no_socket(graph: Path, tmp_path: Path) -> None:
    guard = tmp_path / "guard.so"
    source = ROOT / "tests" / "doubles" / "no_sockets.c"
    subprocess.run(["gcc", "-shared", "-fPIC", str(source), "-o", str(guard)], check=True)
    assert "ASKED FOR" not in open_session(graph, tmp_path / "home", 15, LD_PRELOAD=str(guard))


def test_a_users_own_choice_stays() -> None:
    code = f"import os, sam2lite; print(os.environ[{VARIABLE!r}])"
    for given, kept in ({}, "1"), ({VARIABLE: "0"}, "0"):
        environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**environment, **given},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == kept


def imports_of(source: str) -> list[tuple[str, bool]]:
    """Return the package of every import, in the order of the file, and whether it is at the top.

    Imports in functions run after all of those at the top.
    """
    tree = ast.parse(source)
    found: list[tuple[ast.Import | ast.ImportFrom, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append((node, node.module))
    ordered = sorted(found, key=lambda pair: (pair[0] not in tree.body, pair[0].lineno))
    return [(name.split(".")[0], node in tree.body) for node, name in ordered]


def is_late(source: str) -> bool:
    """Return whether a file imports ours, which sets the variable, before ONNX Runtime."""
    names = [name for name, _ in imports_of(source)]
    if "onnxruntime" not in names:
        return True
    return ("sam2lite", True) in imports_of(source) and names.index("sam2lite") < names.index(
        "onnxruntime"
    )


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_programs_import_ours_before_onnx_runtime(path: Path) -> None:
    assert is_late(path.read_text())


def test_an_early_import_is_found() -> None:
    assert not is_late("import onnxruntime\nimport sam2lite.errors")
    assert not is_late("def f():\n    import onnxruntime")
    assert not is_late("def f():\n    import sam2lite.errors\n    import onnxruntime")
    assert is_late("def f():\n    import onnxruntime\nimport sam2lite.errors")


def test_nothing_of_ours_turns_it_off_a_second_time() -> None:
    """One place sets the variable, so that there is one place to look at."""
    assert [path.parent.name for path in SOURCES if VARIABLE in path.read_text()] == ["sam2lite"]
