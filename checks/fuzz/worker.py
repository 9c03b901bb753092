"""The process that makes and tries inputs; it may crash or hang, and the driver goes on."""

import importlib
import os
import random
import shutil
import tempfile
import traceback
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fuzz.kind import CORRECT, Kind
from fuzz.watch import Watch, forget_peak, peak

from sam2lite.errors import Sam2LiteError

READY = "ready"
WRITTEN = "written"
REFUSED = "refused"
FINDING = "finding"
MOST_BYTES = 500 << 20
MOST_ATTEMPTS = 5  # at writing an input


def kind_of(module: str) -> Kind:
    """Return the kind that a module of this folder gives."""
    kind: Kind = importlib.import_module(f"fuzz.{module}").KIND
    return kind


def work(module: str, seed: int, room: Path, connection: Connection) -> None:
    """Try every input whose number comes in; say when it is written, and then the verdict.

    Args:
        module: of this folder; gives the kind.
        seed: of the run.
        room: an empty folder for this process alone.
        connection: to the driver; it starts with `READY` and ends with None.
    """
    _be_quiet(room)
    kind = kind_of(module)
    base_folder = room / "base"
    base_folder.mkdir()
    base = kind.prepare(base_folder)
    watch = Watch(room / "watched", base_folder)
    os.chdir(watch.input.parent)
    connection.send((READY, ""))
    for number in iter(connection.recv, None):
        path = _written(kind, base, watch.input, f"{seed} {kind.name} {number}")
        connection.send((WRITTEN, ""))
        verdict, detail = _tried(kind, base, watch, path)
        connection.send((verdict, detail))


def _tried(kind: Kind, base: Any, watch: Watch, path: Path) -> tuple[str, str]:
    held = forget_peak()
    try:
        answer = kind.attempt(base, path)
        verdict, detail = (CORRECT, "") if answer == CORRECT else (FINDING, f"gave {answer!r}")
    except Sam2LiteError as error:
        verdict, detail = REFUSED, f"{type(error).__name__}: {error}"
    except BaseException:
        verdict, detail = FINDING, traceback.format_exc()
    grown = peak() - held
    touched = watch.changed()
    if touched:
        return FINDING, f"touched {', '.join(touched)}\n{detail}"
    if held and grown > MOST_BYTES:
        return FINDING, f"took {grown >> 20} MiB\n{detail}"
    return verdict, detail


def _written(kind: Kind, base: Any, folder: Path, seed: str) -> Path:
    """Write an input; what a mutator makes and no library can write is no input, so try another."""
    for attempt in range(MOST_ATTEMPTS):
        _empty(folder)
        try:
            return kind.mutate(base, random.Random(f"{seed} {attempt}"), folder)
        except Exception:
            if attempt + 1 == MOST_ATTEMPTS:
                raise
    raise AssertionError("there is an attempt at least")


def _be_quiet(room: Path) -> None:
    """Send what libraries print to a file, and temporary files to the room."""
    log = os.open(str(room / "log.txt"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    temporary = room / "temporary"
    temporary.mkdir()
    os.environ["TMPDIR"] = str(temporary)
    tempfile.tempdir = None
    warnings.simplefilter("ignore")


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
