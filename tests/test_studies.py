"""The studies in `benchmarks/` and the programs in `checks/` still fit the package they are about.

None is run for its result: each is imported, and those that take options show their help.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROGRAMS = sorted(path for name in ("benchmarks", "checks") for path in (ROOT / name).glob("*.py"))

# All in one process, since most of the time goes to importing PyTorch and its like.
IMPORT_ALL = """
import contextlib, io, json, runpy, sys, traceback
failed = {}
for path in sys.argv[1:]:
    takes_options = any(word in open(path).read() for word in ("ArgumentParser(", "typer.Typer("))
    sys.argv = [path, "--help"]
    sys.path.insert(0, path.rpartition("/")[0])  # as when it is started by its path
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        try:
            runpy.run_path(path, run_name="__main__" if takes_options else "imported")
        except SystemExit as end:
            if end.code or "usage" not in shown.getvalue().lower():
                failed[path] = f"exit code {end.code}: {shown.getvalue()}"
        except Exception:
            failed[path] = traceback.format_exc()
    del sys.path[0]
print(json.dumps(failed))
"""


def test_every_study_and_check_imports_and_shows_its_help(tmp_path: Path) -> None:
    assert len(PROGRAMS) > 20
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *PROGRAMS],
        env={"PATH": "", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    failed = json.loads(done.stdout)
    assert failed == {}, "\n".join(failed.values())


def test_every_study_answers_for_users_mistakes() -> None:
    studies = [path for path in PROGRAMS if path.parent.name == "benchmarks"]
    started = [path for path in studies if '__name__ == "__main__"' in path.read_text()]
    assert len(started) > 20
    for path in started:
        if not path.name.endswith("_worker.py"):  # their parents'
            assert "    run_app(" in path.read_text(), path.name


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("raise UnknownNameError('size', 'huge', ['tiny'])", 2, "error: unknown size 'huge'"),
        ("open('missing.json')", 1, "error: No such file or directory: missing.json"),
        ("return 3", 3, ""),
        ("return None", 0, ""),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, body: str, code: int, said: str) -> None:
    program = tmp_path / "study.py"
    program.write_text(
        "from sam2lite.cli.app import run_app\nfrom sam2lite.errors import UnknownNameError\n"
        f"def main():\n    {body}\nrun_app(main)\n"
    )
    done = subprocess.run(
        [sys.executable, program],
        env={"PATH": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == code
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == bool(said)
