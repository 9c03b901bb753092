"""Processes that we start run nothing that lies in the current folder."""

import ast
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from sam2lite.bench.load import CpuLoad
from sam2lite.data.spawning import spawn_context
from sam2lite.exporter.bundle.device_app import write_device_app
from sam2lite.runtimes.commands import children
from sam2lite.runtimes.commands.child_import import fatal_signal
from sam2lite.runtimes.commands.children import (
    environment,
    running_code,
    running_file,
    running_module,
    running_ours,
)
from tests.source_tree import ROOT, SOURCES, place

PROGRAMS = Path(sys.executable).parent
# What the processes import sooner or later, Python's own modules among them.
LURES: tuple[str, ...] = (
    "numpy",
    "cv2",
    "onnxruntime",
    "tensorrt",
    "torch",
    "sam2lite",
    "typer",
    "multiprocessing",
)
LURES += ("multiprocessing", "runpy", "signal", "pickle", "tempfile", "argparse", "platform")
STARTERS = ("sam2lite/runtimes/commands/children.py", "sam2lite/data/spawning.py")


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, full of modules that leave a file when they run."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    for name in LURES:
        (folder / f"{name}.py").write_text("open(__file__ + '.ran', 'w').close()\n")
    monkeypatch.chdir(folder)
    return folder


def sprung(trap: Path) -> list[str]:
    return sorted(path.name for path in trap.glob("*.ran"))


def succeed(command: list[str], **more: str) -> str:
    done = subprocess.run(
        command, env=environment(**more), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def where() -> tuple[list[str], str]:
    import numpy

    return sys.path, str(numpy.__file__)


def test_the_trap_works(trap: Path) -> None:
    subprocess.run([sys.executable, "-c", "import numpy"], check=True)
    assert sprung(trap) == ["numpy.py.ran"]


@pytest.mark.parametrize("path", ["", ":/nowhere", "/nowhere:", "/nowhere::/else"])
def test_code_modules_and_files_run_without_the_current_folder(
    trap: Path, tmp_path: Path, path: str
) -> None:
    (tmp_path / "file.py").write_text("import sys, json; print(json.dumps(sys.path))\n")
    look = "import sys, json, numpy; print(json.dumps(sys.path))"
    shown = [
        succeed(running_code(look), PYTHONPATH=path),
        succeed(running_file(str(tmp_path / "file.py")), PYTHONPATH=path),
    ]
    succeed([*running_module("json.tool"), "--help"], PYTHONPATH=path)
    assert all(str(trap) not in text and '""' not in text for text in shown)
    assert sprung(trap) == []


def test_a_path_that_somebody_gave_is_kept(trap: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("print('mine')\n")
    assert succeed(running_code("import mine"), PYTHONPATH=f":{tmp_path}") == "mine\n"


def test_our_own_programs_run_without_the_current_folder(trap: Path) -> None:
    assert "device.pyz" in succeed([*running_ours("sam2lite.device.app", "run"), "--help"])
    assert sprung(trap) == []


def test_ours_is_found_where_it_is_not_installed(trap: Path, tmp_path: Path) -> None:
    """As on a board, from a checkout or from `device.pyz`."""
    write_device_app(tmp_path / "device.pyz")
    for root in (ROOT, tmp_path / "device.pyz"):
        code = (
            f"import sys; sys.path.insert(0, {str(root)!r})\n"
            "from sam2lite.runtimes.commands.children import environment, running_ours\n"
            "import subprocess\n"
            "command = running_ours('sam2lite.device.app', 'run')\n"
            "command.insert(1, '-S')\n"  # no installed packages
            "sys.exit(subprocess.call(command + ['--version'], env=environment()))\n"
        )
        assert succeed([sys.executable, "-S", "-P", "-c", code])
    assert sprung(trap) == []


@pytest.mark.parametrize("name", ["numpy", "cv2", "onnxruntime", "tensorrt"])
def test_trying_an_import_runs_nothing_here(trap: Path, name: str) -> None:
    assert fatal_signal(name) is None
    assert sprung(trap) == []


def test_spawned_processes_run_nothing_here(trap: Path) -> None:
    before = dict(os.environ)
    with ProcessPoolExecutor(1, spawn_context()) as pool:
        path, numpy = pool.submit(where).result()
    assert str(trap) not in path and "" not in path
    assert not numpy.startswith(str(trap))
    assert sprung(trap) == []
    assert dict(os.environ) == before


def test_a_competing_load_runs_nothing_here(trap: Path) -> None:
    with CpuLoad(1):
        pass
    assert sprung(trap) == []


def test_doctor_runs_nothing_here(trap: Path, tmp_path: Path) -> None:
    succeed([str(PROGRAMS / "sam2lite"), "doctor"])
    write_device_app(tmp_path / "device.pyz")
    subprocess.run(
        [sys.executable, str(tmp_path / "device.pyz"), "doctor"], capture_output=True, check=False
    )
    assert sprung(trap) == []


def careless(source: str) -> list[str]:
    """Return what a source starts Python processes with, other than through `children`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.List | ast.Tuple) and node.elts:
            texts = [ast.unparse(each) for each in node.elts]
            if texts[0] == "sys.executable" or {"'-c'", "'-m'"} & set(texts):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            shell = any(key.arg == "shell" for key in node.keywords)
            by_library = name.rpartition(".")[2] in {"get_context", "Pool", "Process", "Manager"}
            by_library &= not name.startswith("spawn_context().")
            pools = name.rpartition(".")[2] == "ProcessPoolExecutor"
            unsafe = pools and "spawn_context()" not in ast.unparse(node)
            if (
                shell
                or by_library
                or unsafe
                or name.startswith(("os.system", "os.exec", "os.spawn"))
            ):
                found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    "path",
    [
        *(path for path in SOURCES if f"sam2lite/{place(path)}" not in STARTERS),
        *sorted((ROOT / "benchmarks").rglob("*.py")),
        *sorted((ROOT / "checks").rglob("*.py")),
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_python_is_started_in_one_place(path: Path) -> None:
    assert careless(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "subprocess.run([sys.executable, path])",
        "command = [python, '-c', 'import numpy']",
        "command = ['-m', 'pip']",
        "subprocess.run('python x', shell=True)",
        "multiprocessing.get_context('spawn')",
        "ProcessPoolExecutor(2)",
        "os.execv(sys.executable, [])",
    ],
)
def test_other_ways_are_found(source: str) -> None:
    assert careless(source)


def test_the_root_is_that_of_this_package() -> None:
    assert Path(children._ROOT) == ROOT
