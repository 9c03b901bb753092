"""This package's reference loop, taken through a scenario."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from sam2lite.models.sam2.network import Sam2
from sam2lite.models.sam2.reference.loop import SlotBankReference
from sam2lite.models.sam2.reference.memory import ObjectOutput
from tests.oracles.scenarios import Record, Scenario


def run_ours(
    network: Sam2, frames: Sequence[Tensor], scenario: Scenario, **settings: Any
) -> list[Record]:
    """Return what is decided at every step."""
    if not scenario.streaming:
        settings["pointer_frames"] = len(frames)
    loop = SlotBankReference(network, **settings)
    side, now, records, known = int(frames[0].shape[-1]), -1, [], {}

    def record(frame: int, object_id: int, prompted: bool, output: ObjectOutput) -> Record:
        kept = loop.state()
        (pointer,) = (
            kept[name]
            for name in (
                f"{object_id}/{store}/{frame}/pointer" for store in ("conditioning", "recent")
            )
            if name in kept
        )
        return Record(
            frame,
            object_id,
            prompted,
            output.logits_hw.numpy(),
            float(output.object_score),
            float(output.iou),
            pointer.flatten().numpy(),
        )

    for frame, object_id, prompt in scenario.steps:
        if frame != now:
            if frame != now + 1:
                loop.seek(frame)
            loop.start_frame(frames[frame])
            now = frame
        if object_id is not None and prompt is not None:
            known[object_id] = True
            records.append(
                record(frame, object_id, True, loop.prompt(object_id, prompt, side, side))
            )
        else:
            records += [record(frame, key, False, loop.track(key)) for key in known]
    return records
