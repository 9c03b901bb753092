"""The frame loop of SAM 2 on prepared frames.

It is written apart from the frame rules of runtimes on purpose: exports compare the two. Frames
have numbers, from 0; `seek` gives the next one another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sam2lite.contracts.families.sam2 import FAMILY
from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.models.contest import by_the_rules
from sam2lite.models.networks import Choice
from sam2lite.models.sam2.network import SlotBankNetwork
from sam2lite.models.sam2.reference import state as state_dict
from sam2lite.models.sam2.reference.choosing import SINGLE, Choosing, chosen
from sam2lite.models.sam2.reference.memory import (
    Decoded,
    ObjectMemory,
    ObjectOutput,
    StoredFrame,
)
from sam2lite.models.sam2.reference.motion import Motion
from sam2lite.models.sam2.reference.network_calls import (
    Features,
    NetworkCalls,
    all_finite,
    enlarged,
)
from sam2lite.models.sam2.reference.prompting import (
    MASK_OFFSET,
    MASK_SCALE,
    low_logits,
    mask_at,
    no_tokens,
    tokens_of,
)
from sam2lite.models.sam2.reference.settings import CONDITIONING, META, Settings
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.rules.sam2.holes import without_holes

_HINT_LIMIT = 32.0  # of the logits that a further click starts from
_CERTAIN_IOU = 1.0  # of a mask that the user drew


@dataclass
class TrackedObject:
    """What the loop keeps of one object.

    Attributes:
        memory: frames that are stored.
        decoded: of the current frame; None until the object was processed on it.
        pending: what a prompt will store, once no further one can take its place, and whether as a
            conditioning frame.
        motion: of the object's box, if it is asked for.
    """

    memory: ObjectMemory
    decoded: Decoded | None = None
    pending: tuple[StoredFrame, bool] | None = None
    motion: Motion | None = None

    def settled(self, now: int) -> ObjectMemory:
        """Return the memory with what is pending."""
        if self.pending is None:
            return self.memory
        frame, conditioning = self.pending
        return self.memory.stored(now, frame._replace(decoded=self.decoded), conditioning)


class SlotBankReference:
    """See `models.networks.Reference`.

    Attributes:
        settings: how objects are remembered.
    """

    def __init__(
        self, network: SlotBankNetwork, choose: Choice | None = None, **settings: Any
    ) -> None:
        """Start without objects.

        Args:
            network: fused or not; it is put into evaluation mode.
            choose: see `Choice`; the winner by the rules without it.
            settings: those of `Settings`.

        Raises:
            UnknownNameError: there is no such setting, or no such value of it.
            ArgumentError: a value is out of its range.
        """
        for name in settings:
            if name not in Settings._fields:
                raise UnknownNameError(f"{FAMILY.title} setting", name, Settings._fields)
        self.settings = Settings(**settings).checked()
        self._calls = NetworkCalls(network)
        self._step = network.config.size_step
        self._choose = choose or by_the_rules
        self.reset()

    @property
    def non_overlap(self) -> bool:
        """Whether masks that are shown share no pixel."""
        return self.settings.non_overlap

    def reset(self) -> None:
        """See `Reference`."""
        self._objects: dict[int, TrackedObject] = {}
        self._now = -1
        self._features: Features | None = None

    def seek(self, frame_index: int) -> None:
        """Give the next frame a number, so that what is prompted may lie in its future.

        What was tracked from that frame on is forgotten, what was prompted is not.
        """
        self._settle()
        for kept in self._objects.values():
            kept.memory = kept.memory.before(frame_index)
            if kept.motion is not None and frame_index <= self._now + 1:
                kept.motion = Motion()
        self._now, self._features = frame_index - 1, None

    def start_frame(self, image_bchw: Tensor) -> None:
        """See `Reference`.

        An object that was prompted on this frame before has its output of then.

        Raises:
            ArgumentError: the image has another type or form.
        """
        sides = [int(side) for side in image_bchw.shape[2:]]
        if (
            image_bchw.dtype != torch.uint8
            or image_bchw.shape != (1, 3, *sides)
            or len(sides) != len("HW")
            or any(side % self._step for side in sides)
        ):
            raise ArgumentError(
                f"the image is {image_bchw.dtype} {list(image_bchw.shape)}; give torch.uint8 "
                f"[1, 3, H, W], both multiples of {self._step}"
            )
        self._settle()
        self._features = self._calls.encode(image_bchw)
        self._now += 1
        for kept in self._objects.values():
            kept.motion = None if kept.motion is None else kept.motion.ahead()
            before = kept.memory.conditioning.get(self._now)
            kept.decoded = None if before is None else before.decoded

    def prompt(self, object_id: int, prompt: Prompt, width: int, height: int) -> ObjectOutput:
        """See `Reference`.

        An object that has not been processed on the frame is decoded without its memory, and the
        frame becomes a conditioning one. So is one that was prompted so already: by Meta's rules
        until `track` has passed the frame, by Hugging Face's always. Otherwise memory is seen.
        By Meta's rules what was decided on the frame is the mask that clicks start from.
        """
        input_size = self._input_size()
        kept = self._objects.get(object_id) or self._new()
        now, earlier = self._now, kept.decoded
        meta = self.settings.reference == META
        initial = earlier is None or (earlier.initial and not (meta and earlier.tracked))
        conditioning = (
            initial or self.settings.corrections == CONDITIONING or now in kept.memory.conditioning
        )
        if prompt.mask_hw is not None:
            mask_b1hw = mask_at(prompt, width, height, input_size)
            found, score_b1, high_b1hw = self._drawn(object_id, mask_b1hw)
        else:
            tokens = tokens_of(prompt, width, height, input_size)
            hint_b1hw = None
            if meta and earlier is not None and not earlier.output.lost:
                limited_hw = earlier.output.logits_hw.clamp(-_HINT_LIMIT, _HINT_LIMIT)
                hint_b1hw = limited_hw[None, None]
            embed = self._frame().image_embed if initial else self._attended(kept.memory)
            candidates = self._calls.decode(self._frame(), embed, tokens, hint_b1hw)
            found = self._filled(chosen(candidates, tokens.prompted, object_id, self._choose))
            score_b1, high_b1hw = candidates.score_b1, enlarged(found.logits_hw)
        self._objects[object_id] = kept
        output, stored = self._remembered(kept, found, score_b1, high_b1hw, prompted=True)
        kept.pending = None if stored is None else (stored, conditioning)
        kept.decoded = Decoded(output, initial, earlier is not None and earlier.tracked)
        return output

    def track(self, object_id: int) -> ObjectOutput:
        """See `Reference`.

        Raises:
            UnknownNameError: there is no such object.
            ArgumentError: there is no current frame.
        """
        kept = self._known(object_id)
        if kept.decoded is not None:
            kept.decoded = kept.decoded._replace(tracked=True)
            kept.memory, kept.pending = kept.settled(self._now), None
            before = kept.memory.conditioning.get(self._now)
            if before is not None:
                marked = before._replace(decoded=kept.decoded)
                kept.memory = kept.memory.stored(self._now, marked, conditioning=True)
            return kept.decoded.output
        tokens, embed = no_tokens(), self._attended(kept.memory)
        candidates = self._calls.decode(self._frame(), embed, tokens, None)
        found = chosen(candidates, tokens.prompted, object_id, self._choose, kept.motion)
        high_b1hw = enlarged(found.logits_hw)  # holes of tracked frames are remembered
        output, stored = self._remembered(
            kept, self._filled(found), candidates.score_b1, high_b1hw, prompted=False
        )
        if stored is not None:
            kept.memory = kept.memory.stored(self._now, stored, conditioning=False)
        kept.decoded = Decoded(output, initial=False, tracked=True)
        return output

    def remove(self, object_id: int) -> None:
        """See `Reference`.

        Raises:
            UnknownNameError: there is no such object.
        """
        self._known(object_id)
        del self._objects[object_id]

    def state(self) -> dict[str, Tensor]:
        """See `Reference`."""
        memories = {key: kept.settled(self._now) for key, kept in self._objects.items()}
        motions = {key: kept.motion.left() for key, kept in self._objects.items() if kept.motion}
        return state_dict.written(self._now, memories, motions)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See `Reference`."""
        self.reset()
        self._now, memories, motions = state_dict.read(state)
        for key, memory in memories.items():
            self._objects[key] = self._new()
            self._objects[key].memory = memory
            if self.settings.motion_aware and key in motions:
                self._objects[key].motion = motions[key]

    def _new(self) -> TrackedObject:
        motion = Motion() if self.settings.motion_aware else None
        return TrackedObject(ObjectMemory(), motion=motion)

    def _drawn(self, object_id: int, mask_b1hw: Tensor) -> tuple[Choosing, Tensor, Tensor]:
        """Return what a user's mask becomes, its score, and its logits at the input's size."""
        frame = self._frame()
        start_b1hw = self._calls.start_of(mask_b1hw)
        candidates = self._calls.decode(frame, frame.pix_feat, no_tokens(), start_b1hw)
        low_hw = self._without_holes(low_logits(mask_b1hw)[0, 0])
        high_b1hw = mask_b1hw * MASK_SCALE + MASK_OFFSET
        pointer_bc = candidates.pointer_bmc[:, SINGLE]
        if self.settings.reference == META:
            high_b1hw = enlarged(low_hw)
        else:
            pointer_bc = chosen(candidates, 0, object_id, by_the_rules).pointer_bc
        there = torch.full((1, 1), MASK_SCALE + MASK_OFFSET)
        return Choosing(low_hw, torch.tensor(_CERTAIN_IOU), pointer_bc), there, high_b1hw

    def _filled(self, found: Choosing) -> Choosing:
        return found._replace(logits_hw=self._without_holes(found.logits_hw))

    def _without_holes(self, logits_hw: Tensor) -> Tensor:
        most_cells = self.settings.fill_holes
        if most_cells == 0:
            return logits_hw
        return torch.from_numpy(without_holes(logits_hw.numpy(), most_cells))

    def _attended(self, memory: ObjectMemory) -> Tensor:
        """Return the current frame's features with memory, if there is any."""
        look_back = self.settings.look_back
        seen = memory.seen_from(
            self._now, look_back, self.settings.memories, self.settings.motion_aware
        )
        if not seen.frames:  # whatever was prompted was lost
            return self._frame().image_embed
        return self._calls.attend(self._frame().pix_feat, seen, look_back)

    def _remembered(
        self,
        kept: TrackedObject,
        found: Choosing,
        score_b1: Tensor,
        high_b1hw: Tensor,
        prompted: bool,
    ) -> tuple[ObjectOutput, StoredFrame | None]:
        """Return the output, and what is stored of it unless a number is not finite.

        What is known of the object's box changes with it.
        """
        stored = None
        if all_finite([found.logits_hw, found.iou, found.pointer_bc, score_b1]):
            pix_feat = self._frame().pix_feat
            memory_bnc = self._calls.remember(pix_feat, high_b1hw, score_b1, prompted)
            if all_finite([memory_bnc]):
                stored = StoredFrame(self.settings.rounded(memory_bnc), found.pointer_bc)
        lost = stored is None
        score = score_b1[0, 0]
        present = (prompted or bool(score > 0)) and not lost
        output = ObjectOutput(found.logits_hw, found.iou, score, present, lost)
        if kept.motion is not None:
            kept.motion, good = kept.motion.seen(output, prompted)
            stored = None if stored is None else stored._replace(good=good)
        return output, stored

    def _settle(self) -> None:
        """Store what is pending: the frame is left."""
        for kept in self._objects.values():
            kept.memory, kept.pending, kept.decoded = kept.settled(self._now), None, None
            kept.motion = None if kept.motion is None else kept.motion.left()

    def _known(self, object_id: int) -> TrackedObject:
        if object_id not in self._objects:
            raise UnknownNameError("object", object_id, self._objects)
        return self._objects[object_id]

    def _frame(self) -> Features:
        if self._features is None:
            raise ArgumentError("there is no current frame; call start_frame first")
        return self._features

    def _input_size(self) -> tuple[int, int]:
        """Return height and width of the network's input, px."""
        height, width = self._frame().mask_sides
        return height * FAMILY.mask_stride, width * FAMILY.mask_stride
