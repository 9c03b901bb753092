"""State files: the memory of a running segmenter as one `.npz`, without pickle."""

import os
import zipfile
from typing import Any, Callable, Dict, NamedTuple, Optional

import numpy as np

from sam2lite.errors import BundleError, OutputError
from sam2lite.runtimes.object_track import ObjectTrack
from sam2lite.runtimes.rules.sam2lite.memory_bank import MemoryBank

# What np.load and its archive raise for files that are missing, cut short or something else.
_UNREADABLE = (
    OSError,
    EOFError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)

Host = Callable[[Any], np.ndarray]


class LoadedState(NamedTuple):
    """What a state file held."""

    next_index: int
    grey: Optional[np.ndarray]
    tracks: Dict[int, ObjectTrack]


def save(
    path: str,
    bundle_sha256: str,
    next_index: int,
    grey: Optional[np.ndarray],
    tracks: Dict[int, ObjectTrack],
    host: Host,
) -> None:
    """Write a state file, replacing an old one only when the new one is complete.

    Args:
        path: of the file.
        bundle_sha256: of the bundle that the tokens belong to.
        next_index: of the next frame.
        grey: the motion signal's last grid.
        tracks: by object id.
        host: brings a backend's handle to NumPy.

    Raises:
        OutputError: the file cannot be written.
    """
    arrays: Dict[str, Any] = {
        "bundle_sha256": np.array(bundle_sha256),
        "next_index": np.array(next_index),
        "object_ids": np.array(sorted(tracks), np.int64),
    }
    if grey is not None:
        arrays["grey"] = grey
    for object_id, track in tracks.items():
        bank = track.bank
        columns = dict(bank.state(), key=host(bank.key), value=host(bank.value))
        if track.hint is not None:
            columns["hint"] = track.hint
        arrays.update({"{}/{}".format(object_id, name): column for name, column in columns.items()})
    temporary = "{}.{}.tmp".format(path, os.getpid())
    try:
        with open(temporary, "wb") as stream:
            np.savez(stream, **arrays)
        os.replace(temporary, path)
    except OSError as error:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise OutputError("cannot write the state to {}: {}".format(path, error.strerror))


def load(path: str, bundle_sha256: str, new_bank: Callable[[], MemoryBank]) -> LoadedState:
    """Read a state file.

    Args:
        path: of the file.
        bundle_sha256: of the bundle that goes on with it.
        new_bank: makes an empty bank; its pruning policy is the one to go on with.

    Raises:
        BundleError: the file is missing, is no state file, or belongs to another bundle.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as data:
            owner = str(data["bundle_sha256"])
            if owner != bundle_sha256:
                raise BundleError(
                    "{} was saved with another bundle ({}..., this one is {}...); memory of one "
                    "network means nothing to another".format(path, owner[:12], bundle_sha256[:12])
                )
            tracks = {}
            for object_id in data["object_ids"].tolist():
                bank = new_bank()
                prefix = "{}/".format(object_id)
                columns = {
                    name[len(prefix) :]: data[name]
                    for name in data.files
                    if name.startswith(prefix)
                }
                hint = columns.pop("hint", None)
                bank.restore(columns.pop("key"), columns.pop("value"), columns)
                tracks[object_id] = ObjectTrack(object_id, bank, hint)
            grey = data["grey"] if "grey" in data.files else None
            return LoadedState(int(data["next_index"]), grey, tracks)
    except _UNREADABLE as error:
        raise BundleError(
            "{} is not a readable state file ({}); save it again with save_state".format(
                path, error
            )
        )
