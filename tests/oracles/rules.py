"""The runtimes' frame loop over the graphs' modules in PyTorch, taken through a scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sam2lite.contracts.family import get_family
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.models.sam2.graphs import graph_module
from sam2lite.models.sam2.network import SlotBankNetwork
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.results import ObjectResult
from sam2lite.runtimes.rules.sam2.slot_bank import SlotBank
from sam2lite.runtimes.segmenter import VideoSegmenter
from tests.doubles.sam2_bundle import FunctionSession, Sam2Bundle
from tests.oracles.scenarios import Record, Scenario

# What networks made of images: tests follow one clip in many ways.
_encoded: dict[tuple[int, bytes], tuple[SlotBankNetwork, dict[str, np.ndarray]]] = {}


class ModuleSession(FunctionSession):
    """Runs a graph's module; what takes an image is not run on one again."""

    def __init__(self, spec: GraphSpec, network: SlotBankNetwork) -> None:
        super().__init__(spec, [])
        self._network = network
        self._module = graph_module(network, spec.name)

    def _run(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        image = self.spec.image
        if image is None:
            return self._computed(inputs)
        key = id(self._network), inputs[image].tobytes()
        if key not in _encoded:
            _encoded[key] = self._network, self._computed(inputs)
        return _encoded[key][1]

    @torch.no_grad()
    def _computed(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        tensors = [torch.from_numpy(inputs[tensor.name]) for tensor in self.spec.inputs]
        outputs = zip(self.spec.outputs, self._module(*tensors), strict=True)
        return {tensor.name: output.numpy() for tensor, output in outputs}


class ModuleBundle(Sam2Bundle):
    """Opens the modules of a network as graphs."""

    def __init__(self, network: SlotBankNetwork, *sizes: int, aspect: Aspect = SQUARE) -> None:
        config = network.config
        family = get_family(config.to_json()["model_type"])
        super().__init__(sizes, aspect, family, config.layout)
        self._network = network

    def open_session(
        self, key: str, threads: int | None = None, provider: str | None = None
    ) -> FunctionSession:
        return ModuleSession(self.manifest.graphs[key].spec, self._network)


def run_rules(
    network: SlotBankNetwork, frames: Sequence[Tensor], scenario: Scenario, **settings: Any
) -> list[Record]:
    """Return what is decided at every step with a network's modules for graphs."""
    return run_bundle(ModuleBundle(network, int(frames[0].shape[-1])), frames, scenario, **settings)


def run_bundle(
    bundle: Bundle, frames: Sequence[Tensor], scenario: Scenario, **settings: Any
) -> list[Record]:
    """Return what is decided at every step with a bundle."""
    if not scenario.streaming:
        settings["pointer_frames"] = len(frames)
    pictures = [frame[0].permute(1, 2, 0).numpy()[..., ::-1].copy() for frame in frames]
    now, last, records = -1, -1, []

    def record(frame: int, object_id: int, prompted: bool, result: ObjectResult) -> Record:
        memory = segmenter._objects[object_id].memory
        assert isinstance(memory, SlotBank)
        kept = memory.on(frame)
        assert kept is not None
        return Record(
            frame,
            object_id,
            prompted,
            result.logits,
            result.object_score,
            result.iou,
            kept.pointer_c,
        )

    with VideoSegmenter(bundle, **settings) as segmenter:
        for frame, object_id, prompt in scenario.steps:
            if frame != now and frame <= last:
                segmenter.rewind(frame)
                last = frame
            now, last = frame, max(frame, last)
            if object_id is not None and prompt is not None:
                found = segmenter.give(pictures[frame], object_id, prompt, frame)
                records.append(record(frame, object_id, True, found))
            else:
                results = segmenter.track(pictures[frame], frame_index=frame).objects
                records += [record(frame, key, False, each) for key, each in results.items()]
    return records
