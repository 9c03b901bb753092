"""The folder of a run: started anew, or resumed with the options it was started with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sam2lite.errors import TrainingError
from sam2lite.files.atomic import write_atomically
from sam2lite.files.json_reading import read_json
from sam2lite.files.unfinished import HeldError, hold, release
from sam2lite.training.low_rank.file import LORA_FILE
from sam2lite.training.run.options import RunOptions
from sam2lite.training.run.state import STATE_FILE, read_progress
from sam2lite.training.run.trainer import CHECKPOINT_FOLDER, LOG_FILE, SCORES_FILE

OPTIONS_FILE = "options.json"
_MADE = (STATE_FILE, OPTIONS_FILE, LOG_FILE, SCORES_FILE, CHECKPOINT_FOLDER, LORA_FILE)


def open_run(folder: Path, options: RunOptions, *, resume: bool, force: bool) -> RunOptions:
    """Prepare a folder for a run.

    Args:
        folder: of the run.
        options: of a new run; a resumed one keeps its own.
        resume: go on with the run that is there.
        force: forget the run that is there.

    Returns:
        The options of the run.

    Raises:
        TrainingError: there is a run already, or none to resume; files that a run would replace are
            there and are of no run; another process trains in it; or it cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"{folder} is a file; name a folder")
    if resume:
        return RunOptions.from_json(read_progress(folder).options)
    _check_replaceable(folder, force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with held_run(folder):
            (folder / STATE_FILE).unlink(missing_ok=True)
            text = json.dumps(options.to_json(), indent=2) + "\n"
            write_atomically(str(folder / OPTIONS_FILE), text.encode())
    except OSError as error:
        raise TrainingError(f"cannot write to {folder}: {error.strerror}") from None
    return options


@contextmanager
def held_run(folder: Path) -> Iterator[None]:
    """Keep other processes from training in a folder while the block lasts.

    Raises:
        TrainingError: one does.
    """
    try:
        held = hold(str(folder.resolve()))
    except HeldError:
        raise TrainingError(
            f"another process trains in {folder}; wait for it to end, or choose another folder"
        ) from None
    try:
        yield
    finally:
        release(held)


def _check_replaceable(folder: Path, force: bool) -> None:
    there = [name for name in _MADE if os.path.lexists(folder / name)]
    if not there:
        return
    of_a_run = (folder / STATE_FILE).is_file() or _is_options(folder / OPTIONS_FILE)
    if not of_a_run:
        raise TrainingError(
            f"{folder} holds {there[0]}, which a run would replace, and no run; choose another "
            "folder"
        )
    if not force and there != [OPTIONS_FILE]:  # a start that failed leaves no more
        raise TrainingError(
            f"{folder} holds a run; go on with --resume, start anew with --force, or choose "
            "another folder"
        )


def _is_options(path: Path) -> bool:
    try:
        options = read_json(str(path), TrainingError, "give another folder")
    except TrainingError:
        return False
    return isinstance(options, dict) and {"schedule", "stages"} <= set(options)
