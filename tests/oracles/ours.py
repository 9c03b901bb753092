"""This package's reference loop, taken through a scenario."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest import mock

from torch import Tensor

from sam2lite.models.sam2.network import SlotBankNetwork
from sam2lite.models.sam2.reference.loop import SlotBankReference
from sam2lite.models.sam2.reference.memory import ObjectOutput
from sam2lite.models.sam2.reference.network_calls import Features, NetworkCalls
from tests.oracles.scenarios import Record, Scenario

# Networks and frames with what was made of them: tests follow one clip in many ways.
_encoded: dict[tuple[int, int], tuple[SlotBankNetwork, Tensor, Features]] = {}
_runs: dict[tuple[object, ...], tuple[SlotBankNetwork, Sequence[Tensor], list[Record]]] = {}


def run_ours(
    network: SlotBankNetwork, frames: Sequence[Tensor], scenario: Scenario, **settings: Any
) -> list[Record]:
    """Return what is decided at every step; the same once more is not run again.

    Args:
        network: see `telling_networks`.
        frames: uint8 `[1, 3, H, W]`.
        scenario: what is done.
        settings: of the loop.
    """
    if not scenario.streaming:
        settings["pointer_frames"] = len(frames)
    key = (id(network), id(frames), scenario.name, *sorted(settings.items()))
    if key not in _runs:
        _runs[key] = network, frames, _run(network, frames, scenario, settings)
    return _runs[key][2]


def _run(
    network: SlotBankNetwork, frames: Sequence[Tensor], scenario: Scenario, settings: dict[str, Any]
) -> list[Record]:
    loop = SlotBankReference(network, **settings)
    (height, width), now = frames[0].shape[2:], -1
    records: list[Record] = []
    known: list[int] = []
    encode = NetworkCalls.encode

    def encoded(calls: NetworkCalls, frame: Tensor) -> Features:
        key = id(network), id(frame)
        if key not in _encoded:
            _encoded[key] = network, frame, encode(calls, frame)
        return _encoded[key][2]

    with mock.patch.object(NetworkCalls, "encode", encoded):
        for frame, object_id, prompt in scenario.steps:
            if frame != now:
                if frame != now + 1:
                    loop.seek(frame)
                loop.start_frame(frames[frame])
                now = frame
            if object_id is None or prompt is None:
                found = {key: loop.track(key) for key in known}
            else:
                known += [object_id] if object_id not in known else []
                found = {object_id: loop.prompt(object_id, prompt, width, height)}
            records += [
                _record(loop, frame, key, prompt is not None, output)
                for key, output in found.items()
            ]
    return records


def _record(
    loop: SlotBankReference, frame: int, object_id: int, prompted: bool, output: ObjectOutput
) -> Record:
    kept = loop.state()
    (pointer,) = (
        tensor
        for name, tensor in kept.items()
        if name.startswith(f"{object_id}/") and name.endswith(f"/{frame}/pointer")
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
