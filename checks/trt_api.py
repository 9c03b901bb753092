"""Check that the TensorRT releases of every dialect have what our code uses, without a GPU.

    python checks/trt_api.py            compare
    python checks/trt_api.py --record   write checks/tensorrt_members.json anew

The real bindings of 8.6, 10.3 and 11.4 are downloaded (1 MB each) and imported with stub libraries;
nothing of TensorRT runs. 8.2 is 8.6 less what `trt_8_2.py` lists, and was not imported.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from trt_8_2 import members_of_8_2  # noqa: E402
from trt_stubs import write_stubs  # noqa: E402
from trt_wheels import RELEASES, Release, WheelError, download, find_python  # noqa: E402

MEMBERS_FILE = HERE / "tensorrt_members.json"
CLASSES = (
    *("Builder", "BuilderFlag", "DataType", "IBuilderConfig", "ICudaEngine", "IExecutionContext"),
    *("IHostMemory", "IInt8EntropyCalibrator2", "ILayer", "ILogger", "ILogger.Severity"),
    *("INetworkDefinition", "ITensor", "ITimingCache", "MemoryPoolType"),
    *("NetworkDefinitionCreationFlag", "OnnxParser", "ParserError", "Runtime", "TensorIOMode"),
)

Members = dict[str, list[str]]


def main() -> int:
    """Print a table; return 0 if nothing is missing and the record is true, or else 1."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--cache", type=Path, default=Path(".cache/trt-api"), help="for the wheels")
    parser.add_argument("--python", action="append", default=[], help="an interpreter; repeatable")
    parser.add_argument("--record", action="store_true", help="write the record anew")
    arguments = parser.parse_args()
    try:
        real = {release.name: _look(release, arguments) for release in RELEASES}
    except WheelError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    members = {name: found for name, (_, found) in real.items()}
    pythons = {name: python for name, (python, _) in real.items()}
    members = {"8.2": members_of_8_2(members["8.6"]), **members}
    if arguments.record:
        MEMBERS_FILE.write_text(_dumps(members))
    elif MEMBERS_FILE.read_text() != _dumps(members):
        sys.stderr.write(f"error: {MEMBERS_FILE} is not what the bindings have; see --record\n")
        return 1
    return 1 if _table(members, pythons) else 0


def _table(members: dict[str, Members], pythons: dict[str, str]) -> int:
    """Print what our code uses of every release; return how much of it is missing."""
    from trt_used import builder_names, runtime_names  # reads the record

    row = "{:<12}{:<34}{:>9}{:>9}  {}"
    print(row.format("TensorRT", "bindings", "builder", "runtime", "missing"))
    total = 0
    for name, found in members.items():
        builder, runtime = builder_names(name), runtime_names(name)
        missing = sorted(dotted for dotted in builder | runtime if not _has(found, dotted))
        total += len(missing)
        looked = pythons.get(name, "8.6 less trt_8_2.py; not imported")
        print(row.format(name, looked, len(builder), len(runtime), ", ".join(missing) or "none"))
    return total


def _look(release: Release, arguments: argparse.Namespace) -> tuple[str, Members]:
    """Return the Python that imported a release, and what its classes have."""
    python, version = find_python(release, arguments.python)
    folder = download(release, version, arguments.cache.resolve())
    stubs = folder / "stubs"
    write_stubs(folder / "tensorrt_bindings" / "tensorrt.so", stubs)
    found = json.loads(_run(python, stubs, "trt_members.py", str(folder), *CLASSES))
    made = _run(python, stubs, "trt_subclasses.py", str(folder)).strip()
    sys.stderr.write(f"{release.requirement} on Python {version}: made {made}\n")
    return f"{found['version']} on Python {version}", found["members"]


def _run(python: str, stubs: Path, script: str, *arguments: str) -> str:
    environment = {**os.environ, "LD_LIBRARY_PATH": str(stubs)}
    environment.pop("PYTHONPATH", None)
    command = [python, str(HERE / script), *arguments]
    return subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def _has(members: Members, dotted: str) -> bool:
    owner, _, name = dotted.rpartition(".")
    return name in members.get(owner or "tensorrt", ())


def _dumps(members: dict[str, Members]) -> str:
    """Return a text of one line for each class."""
    return (
        json.dumps(
            {
                release: {name: " ".join(sorted(names)) for name, names in sorted(found.items())}
                for release, found in members.items()
            },
            indent=1,
        )
        + "\n"
    )


if __name__ == "__main__":
    sys.exit(main())
