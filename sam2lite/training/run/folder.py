"""The folder of a run: started anew, or resumed with the options it was started with."""

from __future__ import annotations

import json
from pathlib import Path

from sam2lite.errors import TrainingError
from sam2lite.training.run.state import STATE_FILE, read_progress
from sam2lite.training.run.trainer import RunOptions

OPTIONS_FILE = "options.json"


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
        TrainingError: there is a run already, or none to resume, or the folder cannot be written.
    """
    if resume:
        return RunOptions.from_json(read_progress(folder).options)
    if (folder / STATE_FILE).exists() and not force:
        raise TrainingError(
            f"{folder} holds a run; go on with --resume, start anew with --force, or choose "
            "another folder"
        )
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"{folder} is a file; name a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / STATE_FILE).unlink(missing_ok=True)
        (folder / OPTIONS_FILE).write_text(json.dumps(options.to_json(), indent=2) + "\n")
    except OSError as error:
        raise TrainingError(f"cannot write to {folder}: {error.strerror}") from None
    return options
