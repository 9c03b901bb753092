"""The studies in `benchmarks/` and the programs in `checks/` still fit the package they are about.

None is run for its result: each is imported, and those that take options show their help.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROGRAMS = sorted(path for name in ("benchmarks", "checks") for path in (ROOT / name).glob("*.py"))

# All in one process, since most of the time goes to importing PyTorch and its like.
IMPORT_ALL = """
import contextlib, io, json, runpy, sys, traceback
failed = {}
for path in sys.argv[1:]:
    takes_options = any(word in open(path).read() for word in ("ArgumentParser(", "run_app("))
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
