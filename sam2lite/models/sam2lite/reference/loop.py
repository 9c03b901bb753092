"""The frame loop in PyTorch: what every export and every runtime is compared with.

The rules are those of docs/architecture.md, "The frame loop". It works on preprocessed images and
keeps all candidates of a frame for diagnosis; `runtimes/segmenter.py` is the loop for users.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sam2lite.contracts.families.sam2lite import MASK_DECODER, PRUNING_POLICY
from sam2lite.contracts.loop import LABEL_PAD, MASKED_BIAS, PROMPT_SLOTS, WINDOW_MAX
from sam2lite.errors import ArgumentError, PromptError, UnknownNameError
from sam2lite.models.contest import by_iou, by_the_rules
from sam2lite.models.networks import Choice
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.models.sam2lite.reference.bank import Bank
from sam2lite.models.sam2lite.reference.pruning import Pruning

Array = Tensor | np.ndarray
Features = tuple[Tensor, Tensor, Tensor]
Motion = Callable[[int, Tensor], float]

_SLOTS = ("prompt_xy_norm_bpc", "prompt_label_bp", "prompt_bias_b11p")


class ObjectOutput(NamedTuple):
    """One object on one frame. Scores are 0-d tensors; the last three hold every candidate."""

    logits_hw: Tensor  # [H4, H4]; a mask to be shown only if `present`
    iou: Tensor  # predicted, of the chosen candidate
    object_score: Tensor  # logit
    present: bool  # prompted or scored above 0, and not lost
    lost: bool  # something was not finite, so nothing was stored
    chosen: int
    candidate_logits_mhw: Tensor  # [M, H4, H4]
    candidate_iou_m: Tensor  # [M]
    candidate_pointer_mc: Tensor  # [M, 256]


@dataclass
class TrackedObject:
    """What the loop keeps of one object.

    Attributes:
        bank: its memory.
        stored: frames stored so far.
        output: of the current frame, None until the object was processed on it.
        stored_now: the current frame is in the bank.
        hint_hw: logits on the last frame the object was processed on, None if not present there.
    """

    bank: Bank
    stored: int = 0
    output: ObjectOutput | None = None
    stored_now: bool = False
    hint_hw: Tensor | None = None


class ReferenceLoop:
    """Track objects from frame to frame with a network in evaluation mode, batch 1.

    Attributes:
        window: stored frames that the decoder sees beside the anchors, None for no limit; it may be
            lowered at any time, and raised again to what it was at first.
        pruning: what the banks keep.
        objects: state by object id.
    """

    def __init__(
        self,
        model: Sam2Lite,
        motion: Motion | None = None,
        *,
        window: int | None = WINDOW_MAX,
        policy: str = PRUNING_POLICY,
        budget: int | None = None,
        differentiable: bool = False,
        choose: Choice | None = None,
    ) -> None:
        """Start without objects.

        Args:
            model: the network, fused or not; it is put into evaluation mode.
            motion: gives the motion of an object, 0..1, from its id and its logits `[H4, H4]` on
                the current frame; 0 without it.
            window: see the attribute.
            policy: which tokens leave a full bank; one of `pruning.POLICIES`.
            budget: tokens of an object's bank, at most the network's; all if not given.
            differentiable: record gradients; banks then hold on to the graphs of all their frames
                until the caller detaches them.
            choose: see `Choice`; the winner by the rules without it.

        Raises:
            UnknownNameError: there is no such policy.
            ArgumentError: the budget is less than a frame's tokens or more than the network's.
        """
        self.model = model.eval()
        self.window = window
        self.pruning = Pruning.checked(policy, budget, window, model.config.budget)
        self.objects: dict[int, TrackedObject] = {}
        self._motion: Motion = motion or (lambda object_id, logits_hw: 0.0)
        self._differentiable = differentiable
        self._choose: Choice = choose or by_the_rules
        self._device = next(model.parameters()).device
        self._frame: tuple[Features, int] | None = None  # features and rung

    def start_frame(self, image_bchw: Tensor) -> None:
        """Encode the next frame; no object is processed on it yet.

        Args:
            image_bchw: RGB, uint8 `[1, 3, R, R]`, R one of the network's rungs.

        Raises:
            ArgumentError: the image has another type or form, or the size of no rung.
        """
        shape, rungs = tuple(image_bchw.shape), self.model.config.rungs
        rung = shape[-1] if shape else 0
        if image_bchw.dtype != torch.uint8 or shape != (1, 3, rung, rung):
            raise ArgumentError(
                f"the image is {image_bchw.dtype} {list(shape)}; give torch.uint8 [1, 3, R, R]"
            )
        if rung not in rungs:
            raise UnknownNameError("rung", rung, rungs)
        with torch.set_grad_enabled(self._differentiable):
            self._frame = self.model.image_encoder(image_bchw.to(self._device)), rung
        for state in self.objects.values():
            state.bank, state.output, state.stored_now = state.bank.aged(), None, False

    def prompt(
        self, object_id: int, slots: Sequence[Array], mask_logits_b1hw: Array | None = None
    ) -> ObjectOutput:
        """Decode an object with a prompt on the current frame; an unknown id makes a new object.

        An object that was processed on this frame already is corrected: the frame's memory is
        replaced, and the frame's logits serve as mask prompt unless another is given.

        Args:
            object_id: any number.
            slots: `prompt_xy_norm_bpc`, `prompt_label_bp` and `prompt_bias_b11p` of `MASK_DECODER`.
            mask_logits_b1hw: the user's mask as logits of -10 to 10, `[1, 1, R/4, R/4]`; it
                becomes the object's mask.

        Raises:
            ArgumentError: there is no current frame.
            PromptError: a tensor has another shape.
        """
        inputs = [self._input(name, value) for name, value in zip(_SLOTS, slots, strict=True)]
        mask_hw = None
        if mask_logits_b1hw is not None:
            mask_hw = self._input("mask_prompt_b1hw", mask_logits_b1hw)[0, 0]
        if object_id not in self.objects:
            bank = Bank.empty(self.model.config.budget, self._device)
            self.objects[object_id] = TrackedObject(bank)
        state = self.objects[object_id]
        if state.stored_now:
            state.stored -= 1
            state.bank = state.bank.without(state.bank.ordinal_n == state.stored)
            state.stored_now = False
        hint_hw = mask_hw
        if hint_hw is None and state.output is not None and not state.output.lost:
            hint_hw = state.output.logits_hw
        return self._decode(object_id, inputs, hint_hw, mask_hw, prompted=True)

    def correct(
        self, object_id: int, slots: Sequence[Array], mask_logits_b1hw: Array | None = None
    ) -> ObjectOutput:
        """Prompt an object that must exist; the rest is as for `prompt`.

        Raises:
            UnknownNameError: there is no such object.
        """
        self._known(object_id)
        return self.prompt(object_id, slots, mask_logits_b1hw)

    def track(self, object_id: int) -> ObjectOutput:
        """Decode an object without a prompt; one processed on this frame keeps its output.

        Raises:
            ArgumentError: there is no such object, or no current frame.
        """
        output = self._known(object_id).output
        if output is not None:
            return output
        zero_bp = self._zeros(1, PROMPT_SLOTS)
        hidden = [
            zero_bp[..., None].expand(-1, -1, 2) + 0.5,
            zero_bp.int() + LABEL_PAD,
            zero_bp[:, None, None] + MASKED_BIAS,
        ]
        hint_hw = self._known(object_id).hint_hw
        if hint_hw is not None:
            side = self._current_frame()[1] // 4
            hint_hw = F.interpolate(hint_hw[None, None], (side, side), mode="bilinear")[0, 0]
        return self._decode(object_id, hidden, hint_hw, None, prompted=False)

    def track_all(self) -> dict[int, ObjectOutput]:
        """Track every object; return the outputs by id."""
        return {object_id: self.track(object_id) for object_id in self.objects}

    def remove(self, object_id: int) -> None:
        """Forget an object.

        Raises:
            UnknownNameError: there is no such object.
        """
        self._known(object_id)
        del self.objects[object_id]

    def reset(self) -> None:
        """Forget all objects and the current frame."""
        self.objects.clear()
        self._frame = None

    def _decode(
        self,
        object_id: int,
        slots: Sequence[Tensor],
        hint_hw: Tensor | None,
        mask_hw: Tensor | None,
        prompted: bool,
    ) -> ObjectOutput:
        """Follow `decode`; the network may alter `hint_hw`, but `mask_hw` is the user's word."""
        state = self.objects[object_id]
        bank = state.bank
        features, rung = self._current_frame()
        no_hint_hw = self._zeros(rung // 4, rung // 4)
        seen_n = bank.seen(state.stored, self.window)
        with torch.set_grad_enabled(self._differentiable):
            logits_bmhw, iou_bm, score_b1, pointer_bmc = self.model.mask_decoder(
                *features,
                bank.key_nc[None],
                bank.value_nc[None],
                bank.normalised_age()[None],
                torch.where(seen_n, 0.0, MASKED_BIAS)[None, None, None],
                *slots,
                (no_hint_hw if hint_hw is None else hint_hw)[None, None],
                self._zeros(1, 1, 1, 1) + float(hint_hw is not None),
            )
            chosen = self._choose(by_iou(object_id, iou_bm[0], logits_bmhw[0]))
            logits_hw = logits_bmhw[0, chosen] if mask_hw is None else mask_hw
            pointer_bc = pointer_bmc[:, chosen]
            present = prompted or bool(score_b1 > 0)
            lost = not _finite(logits_hw, iou_bm, score_b1, pointer_bc)
            if present and not lost:
                state.stored_now = self._store(object_id, logits_hw, pointer_bc, prompted)
                lost = not state.stored_now
        state.output = ObjectOutput(
            logits_hw,
            iou_bm[0, chosen],
            score_b1[0, 0],
            present and not lost,
            lost,
            chosen,
            logits_bmhw[0],
            iou_bm[0],
            pointer_bmc[0],
        )
        state.hint_hw = logits_hw.detach() if state.output.present else None
        return state.output

    def _store(self, object_id: int, logits_hw: Tensor, pointer_bc: Tensor, anchor: bool) -> bool:
        """Follow `store`; return False, and store nothing, if the tokens are not finite."""
        state = self.objects[object_id]
        (features_s16_bchw, _, _), _ = self._current_frame()
        tokens = self.model.memory_encoder(features_s16_bchw, logits_hw[None, None], pointer_bc)
        if not _finite(*tokens):
            return False
        motion = self._motion(object_id, logits_hw)
        new = Bank.of_frame(*tokens, ordinal=state.stored, motion=motion, anchor=anchor)
        state.bank = state.bank.stored_with(
            new, state.stored, self.model.memory_select, self.pruning
        )
        state.stored += 1
        return True

    def _known(self, object_id: int) -> TrackedObject:
        if object_id not in self.objects:
            raise UnknownNameError("object", object_id, self.objects)
        return self.objects[object_id]

    def _current_frame(self) -> tuple[Features, int]:
        if self._frame is None:
            raise ArgumentError("there is no current frame; call start_frame first")
        return self._frame

    def _input(self, name: str, value: Array) -> Tensor:
        """Return a prompt tensor on the network's device, checked against the contract."""
        dims = self.model.config.dims(self._current_frame()[1])
        spec = next(spec for spec in MASK_DECODER.bind(dims).inputs if spec.name == name)
        if tuple(value.shape) != spec.shape:
            raise PromptError(f"{name} is {list(value.shape)}; expected {list(spec.shape)}")
        return torch.as_tensor(value).to(self._device, getattr(torch, spec.dtype))

    def _zeros(self, *shape: int) -> Tensor:
        return torch.zeros(shape, device=self._device)


def _finite(*tensors: Tensor) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)
