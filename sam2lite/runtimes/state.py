"""State files: the memory of a running segmenter as one `.npz`, without pickle."""

from typing import Any, Dict, NamedTuple, Optional

import numpy as np

from sam2lite.contracts.loop import MAX_OBJECTS
from sam2lite.errors import BundleError, OutputError
from sam2lite.files.array_reading import ArrayFile, Column, most_bytes
from sam2lite.files.atomic import replacing
from sam2lite.files.reading import printable
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.object_track import ObjectTrack
from sam2lite.runtimes.rules.current_frame import Host
from sam2lite.runtimes.rules.interface import LARGEST, MAX_FRAMES, FrameRules

_HINT = "hint"  # the column that an object's last mask is in
_HEAD = {
    "bundle_sha256": Column("U64"),
    "object_ids": Column("int64", (tuple(range(MAX_OBJECTS + 1)),)),
    "next_index": Column("int64", (), 0, MAX_FRAMES),
}


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


def load(path: str, bundle: Bundle, rules: FrameRules, size: Optional[int]) -> LoadedState:
    """Read a state file; what it gives can be tracked with, or it is refused.

    Args:
        path: of the file.
        bundle: that goes on with it.
        rules: make the memories; their settings are the ones to go on with.
        size: input side that memory must hold for, px; None where it holds for all.

    Raises:
        BundleError: the file is missing, is no state file, or belongs to another bundle or size; or
            something in it is not what `save` writes.
    """
    of_file = dict(_HEAD, size=Column("int64", (), 1, needed=size is not None))
    of_stream = rules.stream_columns()
    sizes = bundle.manifest.rungs if size is None else (size,)
    aspect, stride = bundle.manifest.aspect, bundle.manifest.postprocess.mask_stride
    shapes = [(aspect.height_at(each) // stride, each // stride) for each in sizes]
    hint = Column("float32", tuple(zip(*shapes)), -LARGEST, LARGEST, needed=False)
    of_object = dict(rules.memory_columns(), **{_HINT: hint})
    most = most_bytes(of_file) + most_bytes(of_stream)
    most += MAX_OBJECTS * most_bytes(of_object)
    data = ArrayFile(path, "state file", most, BundleError, "save it again with save_state")
    head = data.read(of_file, others=True)
    owner, ids = str(head["bundle_sha256"]), head["object_ids"].tolist()
    if owner != bundle.sha256:
        raise BundleError(
            "{} was saved with another bundle ({}..., this one is {}...); memory of one "
            "network means nothing to another".format(
                printable(path), printable(owner[:12]), bundle.sha256[:12]
            )
        )
    if size is not None and int(head["size"]) != size:
        raise BundleError(
            "{} was saved at {} px, this is {} px; call reset() and set_rung({}) first".format(
                printable(path), head["size"], size, head["size"]
            )
        )
    if len(set(ids)) < len(ids):
        raise data.fault("an object's id is there twice")
    columns = dict(of_file, **of_stream)
    for object_id in ids:
        columns.update({_name(object_id, name): each for name, each in of_object.items()})
    arrays = data.read(columns)
    tracks = {}
    for object_id in ids:
        found = {
            name: arrays[_name(object_id, name)]
            for name in of_object
            if _name(object_id, name) in arrays
        }
        last = found.pop(_HINT, None)
        if last is not None and last.shape not in shapes:
            raise data.fault("{} is {}".format(_name(object_id, _HINT), list(last.shape)))
        memory = rules.new_memory()
        try:
            memory.restore(found)
        except ValueError as fault:
            raise data.fault("object {}: {}".format(object_id, fault))
        tracks[object_id] = ObjectTrack(object_id, memory, last)
    stream = {name: arrays[name] for name in of_stream if name in arrays}
    return LoadedState(int(head["next_index"]), stream, tracks)


def _name(object_id: int, column: str) -> str:
    return "{}/{}".format(object_id, column)
