"""Records of frames as plain arrays of a state file, and back."""

from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from sam2lite.contracts.families.sam2 import EMBED_CHANNELS, MEMORY_CHANNELS
from sam2lite.contracts.input_sizes import Aspect
from sam2lite.files.array_reading import Column
from sam2lite.runtimes.rules import box_motion
from sam2lite.runtimes.rules.box_motion import BoxTrack
from sam2lite.runtimes.rules.interface import LARGEST, MAX_FRAMES
from sam2lite.runtimes.rules.sam2.frame_record import FrameRecord

_FLAGS = ("conditioning", "initial", "settled", "good")


def columns(
    most: int, tokens: Iterable[int], masks: Iterable[Tuple[int, int]]
) -> Dict[str, Column]:
    """Return what the arrays must be; see `FrameRules.memory_columns`.

    Args:
        most: records of an object.
        tokens: of a frame's memory, of all input sizes.
        masks: heights and widths of masks, cells, of all input sizes.
    """
    count = tuple(range(most + 1))
    counts = tuple(sorted(set(tokens)))
    sides = tuple(zip(*masks))
    found = {name: Column("bool", (count,)) for name in _FLAGS}
    found["frame"] = Column("int64", (count,), -MAX_FRAMES, MAX_FRAMES)
    found["iou"] = Column("float64", (count,), -LARGEST, LARGEST)
    found["score"] = Column("float64", (count,), -LARGEST, LARGEST)
    found["pointer"] = Column("float32", (count, EMBED_CHANNELS), -LARGEST, LARGEST)
    for record in range(most):
        found[_memory(record)] = Column(
            "float32", (counts, MEMORY_CHANNELS), -LARGEST, LARGEST, needed=False
        )
        found[_mask(record)] = Column("float32", sides, -LARGEST, LARGEST, needed=False)
    found.update(box_motion.state_columns())
    return found


def arrays(records: Sequence[FrameRecord], motion: Optional[BoxTrack]) -> Dict[str, np.ndarray]:
    """Return records and what is known of the box as arrays, by the names of `columns`."""
    found: Dict[str, np.ndarray] = {
        name: np.array([getattr(record, name) for record in records], np.bool_) for name in _FLAGS
    }
    found["frame"] = np.array([record.frame for record in records], np.int64)
    found["iou"] = np.array([record.iou for record in records], np.float64)
    found["score"] = np.array([record.score for record in records], np.float64)
    pointers = np.zeros((len(records), EMBED_CHANNELS), np.float32)
    for place, record in enumerate(records):
        pointers[place] = record.pointer_c
        if record.memory_nc is not None:
            found[_memory(place)] = record.memory_nc
        if record.logits_hw is not None:
            found[_mask(place)] = record.logits_hw
    found["pointer"] = pointers
    found.update(box_motion.state_arrays(motion))
    return found


def records(
    found: Mapping[str, Any], aspect: Aspect
) -> Tuple[List[FrameRecord], Optional[BoxTrack]]:
    """Undo `arrays`.

    Args:
        found: the arrays.
        aspect: of masks.

    Raises:
        ValueError: the arrays contradict one another.
    """
    frames = found["frame"].tolist()
    if len(set(frames)) < len(frames):
        raise ValueError("a frame is there twice")
    for name in (*_FLAGS, "iou", "score", "pointer"):
        if len(found[name]) != len(frames):
            raise ValueError("{} has {} frames, not {}".format(name, len(found[name]), len(frames)))
    for name in found:
        kind, _, number = name.partition("_")
        if kind in ("memory", "logits") and int(number) >= len(frames):
            raise ValueError("{} belongs to no frame".format(name))
    made = []
    for place, index in enumerate(frames):
        memory, logits = found.get(_memory(place)), found.get(_mask(place))
        if found["conditioning"][place] and (memory is None or logits is None):
            raise ValueError("the prompted frame {} lacks its memory or its mask".format(index))
        if logits is not None and logits.shape[0] * aspect.width != logits.shape[1] * aspect.height:
            raise ValueError("{} is {}".format(_mask(place), list(logits.shape)))
        flags = {name: bool(found[name][place]) for name in _FLAGS}
        made.append(
            FrameRecord(
                serial=place + 1,
                frame=index,
                memory_nc=memory,
                pointer_c=found["pointer"][place],
                logits_hw=logits,
                iou=float(found["iou"][place]),
                score=float(found["score"][place]),
                **flags,
            )
        )
    return made, box_motion.restored(found)


def _memory(record: int) -> str:
    return "memory_{}".format(record)


def _mask(record: int) -> str:
    return "logits_{}".format(record)
