"""The wheel, installed where nothing but the base dependencies is."""

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import typer

from sam2lite.cli import main
from sam2lite.cli.bundle import bench
from sam2lite.cli.export import main as export_main

ROOT = Path(__file__).parent.parent

# What each program is. The commands are asked of it, so that a new one cannot be forgotten.
APPS: dict[str, typer.Typer] = {
    "sam2lite": main.app,
    "sam2lite-export": export_main.app,
    "sam2lite-bench": bench.app,
}

# In one process, since starting Python takes far longer than writing a page of help.
SHOW_ALL = """
import contextlib, importlib.metadata, io, json, sys
(program,) = importlib.metadata.entry_points(group="console_scripts", name=sys.argv[1])
run, shown = program.load(), {}
for command in json.loads(sys.argv[2]):
    sys.argv = [program.name, *command, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as page:
        try:
            run()
        except SystemExit as end:
            shown[" ".join(command)] = [end.code, page.getvalue()]
print(json.dumps(shown))
"""

IMPORT_ALL = """
import importlib, json, pkgutil, sam2lite
failed = {}
for module in pkgutil.walk_packages(sam2lite.__path__, "sam2lite.", onerror=lambda name: None):
    try:
        importlib.import_module(module.name)
    except Exception as error:
        failed[module.name] = f"{type(error).__name__}: {error}"
print(json.dumps(failed))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def base_venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    venv = tmp_path_factory.mktemp("base") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    command = [
        str(venv / "bin" / "pip"),
        "install",
        "--quiet",
        "--no-compile",
        "-c",
        str(ROOT / "constraints.txt"),
    ]
    subprocess.run([*command, str(wheel)], check=True)
    return venv / "bin"


def test_wheel_holds_the_package_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    folders = {name.split("/")[0] for name in names}
    assert {name for name in folders if not name.endswith(".dist-info")} == {"sam2lite"}
    assert "sam2lite/py.typed" in names
    assert "sam2lite/weights/tiny/model.safetensors" in names


def test_every_module_imports_without_extras(base_venv: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [base_venv / "python", "-c", IMPORT_ALL],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    failed = json.loads(done.stdout)
    # Networks are classes of torch; without it their packages say how to get it.
    assert "pip install '.[export]' in a checkout" in failed.pop("sam2lite.models")
    assert "pip install '.[export]' in a checkout" in failed.pop("sam2lite.calibration")
    assert "pip install '.[train]' in a checkout" in failed.pop("sam2lite.training")
    assert "pip install '.[coreml]' in a checkout" in failed.pop("sam2lite.mil")
    assert "pip install '.[coreml]' in a checkout" in failed.pop("sam2lite.exporter.coreml")
    assert failed == {}


def commands_of(app: typer.Typer) -> list[list[str]]:
    """Return the arguments that name the program itself, and each command of it that it has."""
    names = getattr(typer.main.get_command(app), "commands", ())
    return [[], *([name] for name in names)]


def test_programs_are_those_of_the_metadata() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert APPS.keys() == scripts.keys()


@pytest.mark.parametrize("program", APPS)
def test_every_help_works_without_extras(base_venv: Path, program: str, tmp_path: Path) -> None:
    commands = commands_of(APPS[program])
    done = subprocess.run(
        [base_venv / "python", "-c", SHOW_ALL, program, json.dumps(commands)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert list(shown) == [" ".join(command) for command in commands]
    for code, page in shown.values():
        assert (code, f"Usage: {program}" in page) == (0, True), page


def test_export_without_extras_says_what_to_install(base_venv: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [base_venv / "sam2lite-export", "ort", "-o", str(tmp_path / "b")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install '.[export]' in a checkout" in done.stderr
    assert "Traceback" not in done.stderr
