"""State files: the memory of a running segmenter as one `.npz`, without pickle."""

import zipfile
from typing import Any, Dict, NamedTuple, Optional

import numpy as np

from sam2lite.errors import BundleError, OutputError
from sam2lite.files.atomic import replacing
from sam2lite.runtimes.object_track import ObjectTrack
from sam2lite.runtimes.rules.current_frame import Host
from sam2lite.runtimes.rules.interface import FrameRules

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

_HINT = "hint"  # the column that an object's last mask is in


class LoadedState(NamedTuple):
    """What a state file held.

    Attributes:
        next_index: of the next frame.
        stream: what `FrameRules.restore` takes.
        tracks: by object id.
    """

    next_index: int
    stream: Dict[str, np.ndarray]
    tracks: Dict[int, ObjectTrack]


def save(
    path: str,
    bundle_sha256: str,
    next_index: int,
    rules: FrameRules,
    tracks: Dict[int, ObjectTrack],
    host: Host,
    size: Optional[int],
) -> None:
    """Write a state file, replacing an old one only when the new one is complete.

    Args:
        path: of the file.
        bundle_sha256: of the bundle that the memory belongs to.
        next_index: of the next frame.
        rules: of the stream.
        tracks: by object id.
        host: brings a backend's handle to NumPy.
        size: input side that the memory holds for, px; None where it holds for all.

    Raises:
        OutputError: the file cannot be written.
    """
    arrays: Dict[str, Any] = {
        "bundle_sha256": np.array(bundle_sha256),
        "next_index": np.array(next_index),
        "object_ids": np.array(sorted(tracks), np.int64),
    }
    if size is not None:
        arrays["size"] = np.array(size)
    arrays.update(rules.state())
    for object_id, track in tracks.items():
        columns = track.memory.state(host)
        if track.last is not None:
            columns = dict(columns, **{_HINT: track.last})
        arrays.update({"{}/{}".format(object_id, name): column for name, column in columns.items()})
    try:
        with replacing(path) as partial, open(partial, "wb") as stream:
            np.savez(stream, **arrays)
    except (OSError, OutputError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError("cannot write the state to {}: {}".format(path, reason))


def load(path: str, bundle_sha256: str, rules: FrameRules, size: Optional[int]) -> LoadedState:
    """Read a state file.

    Args:
        path: of the file.
        bundle_sha256: of the bundle that goes on with it.
        rules: make the memories; their settings are the ones to go on with.
        size: input side that memory must hold for, px; None where it holds for all.

    Raises:
        BundleError: the file is missing, is no state file, or belongs to another bundle or size.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as data:
            owner = str(data["bundle_sha256"])
            if owner != bundle_sha256:
                raise BundleError(
                    "{} was saved with another bundle ({}..., this one is {}...); memory of one "
                    "network means nothing to another".format(path, owner[:12], bundle_sha256[:12])
                )
            if size is not None and int(data["size"]) != size:
                raise BundleError(
                    "{} was saved at {} px, this is {} px; call reset() and set_rung({}) "
                    "first".format(path, data["size"], size, data["size"])
                )
            tracks = {}
            for object_id in data["object_ids"].tolist():
                memory = rules.new_memory()
                prefix = "{}/".format(object_id)
                columns = {
                    name[len(prefix) :]: data[name]
                    for name in data.files
                    if name.startswith(prefix)
                }
                last = columns.pop(_HINT, None)
                memory.restore(columns)
                tracks[object_id] = ObjectTrack(object_id, memory, last)
            of_stream = {name: data[name] for name in data.files if "/" not in name}
            return LoadedState(int(data["next_index"]), of_stream, tracks)
    except _UNREADABLE as error:
        raise BundleError(
            "{} is not a readable state file ({}); save it again with save_state".format(
                path, error
            )
        )
