"""What the reference loop remembers, as tensors by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from sam2lite.models.sam2.reference.memory import (
    Decoded,
    ObjectMemory,
    ObjectOutput,
    StoredFrame,
)
from sam2lite.models.sam2.reference.motion import Motion
from sam2lite.runtimes.rules.box_motion import BoxTrack

_NOW = "now"


def written(
    now: int, memories: Mapping[int, ObjectMemory], motions: Mapping[int, Motion]
) -> dict[str, Tensor]:
    """Return the number of the last frame, and objects by their ids."""
    found = {_NOW: torch.tensor(now)}
    for object_id, memory in memories.items():
        for store, frames in memory._asdict().items():
            prefix = f"{object_id}/{store}"
            found[prefix] = torch.tensor(list(frames), dtype=torch.int64)
            for t, frame in frames.items():
                found.update(_frame_columns(f"{prefix}/{t}", frame))
    for object_id, motion in motions.items():
        if motion.expected is not None:
            *known, steady = motion.expected
            found[f"{object_id}/box"] = torch.from_numpy(np.stack(known))
            found[f"{object_id}/steady"] = torch.tensor(steady)
    return found


def _frame_columns(prefix: str, frame: StoredFrame) -> Iterator[tuple[str, Tensor]]:
    if frame.features_bnc is not None:
        yield f"{prefix}/features", frame.features_bnc
    yield f"{prefix}/pointer", frame.pointer_bc
    yield f"{prefix}/good", torch.tensor(frame.good)
    if frame.decoded is not None:
        output, initial, tracked = frame.decoded
        yield f"{prefix}/logits", output.logits_hw
        yield f"{prefix}/scores", torch.stack([output.iou, output.object_score])
        yield f"{prefix}/flags", torch.tensor([initial, tracked, output.present, output.lost])


def read(
    state: Mapping[str, Tensor],
) -> tuple[int, dict[int, ObjectMemory], dict[int, Motion]]:
    """Undo `written`; other names are ignored."""
    ids = dict.fromkeys(int(name.partition("/")[0]) for name in state if "/" in name)
    memories = {
        object_id: ObjectMemory(
            *(_frames(state, f"{object_id}/{store}") for store in ObjectMemory._fields)
        )
        for object_id in ids
    }
    motions = {
        object_id: Motion(_box(state, f"{object_id}/box", int(state[f"{object_id}/steady"])))
        for object_id in ids
        if f"{object_id}/box" in state
    }
    return int(state[_NOW]), memories, motions


def _box(state: Mapping[str, Tensor], name: str, steady: int) -> BoxTrack:
    place, speed, place_variance, covariance, speed_variance = state[name].numpy()
    return BoxTrack(place, speed, place_variance, covariance, speed_variance, steady)


def _frames(state: Mapping[str, Tensor], prefix: str) -> dict[int, StoredFrame]:
    return {t: _frame(state, f"{prefix}/{t}") for t in state[prefix].tolist()}


def _frame(state: Mapping[str, Tensor], prefix: str) -> StoredFrame:
    decoded = None
    if f"{prefix}/logits" in state:
        iou, score = state[f"{prefix}/scores"].unbind()
        initial, tracked, present, lost = (bool(flag) for flag in state[f"{prefix}/flags"])
        output = ObjectOutput(state[f"{prefix}/logits"], iou, score, present, lost)
        decoded = Decoded(output, initial, tracked)
    features_bnc = state.get(f"{prefix}/features")
    good = bool(state[f"{prefix}/good"])
    return StoredFrame(features_bnc, state[f"{prefix}/pointer"], decoded, good)
