"""The reference loop on prepared frames and users' prompts, with the motion signal of users."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sam2lite.contracts.families.sam2lite import FAMILY, PRUNING_POLICY
from sam2lite.contracts.loop import WINDOW_MAX, WINDOW_MIN
from sam2lite.errors import ArgumentError
from sam2lite.models.networks import Choice
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.models.sam2lite.reference.bank import Bank
from sam2lite.models.sam2lite.reference.loop import ObjectOutput, ReferenceLoop, TrackedObject
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.rules.sam2lite.mask_prompt import mask_logits
from sam2lite.runtimes.rules.sam2lite.motion import MotionSignal

_GREY, _STORED, _HINT = "grey", "stored", "hint"
SETTINGS = ("policy", "tokens", "window")


class TokenBankReference:
    """See `models.networks.Reference`."""

    def __init__(
        self,
        network: Sam2Lite,
        choose: Choice | None = None,
        policy: str = PRUNING_POLICY,
        tokens: int | None = None,
        window: int | None = WINDOW_MAX,
    ) -> None:
        """Start without objects.

        Args:
            network: fused or not; it is put into evaluation mode.
            choose: see `Choice`; the winner by the rules without it.
            policy: which tokens leave a full bank.
            tokens: of an object's bank, at most the network's; all if not given.
            window: stored frames that are kept beside the prompted ones; None for no limit.

        Raises:
            UnknownNameError: there is no such policy.
            ArgumentError: the tokens or the window are out of their range.
        """
        if window is not None and not WINDOW_MIN <= window <= WINDOW_MAX:
            raise ArgumentError(
                f"the window is {window} frames; choose {WINDOW_MIN} to {WINDOW_MAX}, or none"
            )
        self._motion = MotionSignal()
        self._side = 0  # of the current frame, px
        self._loop = ReferenceLoop(
            network,
            lambda _, logits_hw: self._motion.inside(logits_hw.cpu().numpy()),
            window=window,
            policy=policy,
            budget=tokens,
            choose=choose,
        )

    def start_frame(self, image_bchw: Tensor) -> None:
        """See `Reference`."""
        self._motion.update(image_bchw.numpy())
        self._side = int(image_bchw.shape[-1])
        self._loop.start_frame(image_bchw)

    def prompt(self, object_id: int, prompt: Prompt, width: int, height: int) -> ObjectOutput:
        """See `Reference`."""
        side = self._side // FAMILY.mask_stride
        mask_b1hw = None if prompt.mask_hw is None else mask_logits(prompt.mask_hw, side)
        return self._loop.prompt(object_id, prompt.slots(width, height), mask_b1hw)

    def track(self, object_id: int) -> ObjectOutput:
        """See `Reference`."""
        return self._loop.track(object_id)

    def remove(self, object_id: int) -> None:
        """See `Reference`."""
        self._loop.remove(object_id)

    def reset(self) -> None:
        """See `Reference`."""
        self._loop.reset()
        self._motion = MotionSignal()

    def state(self) -> dict[str, Tensor]:
        """See `Reference`."""
        found = {}
        if self._motion.grey is not None:
            found[_GREY] = torch.from_numpy(self._motion.grey)
        for object_id, kept in self._loop.objects.items():
            columns = {**kept.bank._asdict(), _STORED: torch.tensor(kept.stored)}
            if kept.hint_hw is not None:
                columns[_HINT] = kept.hint_hw
            found.update({f"{object_id}/{name}": column for name, column in columns.items()})
        return found

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See `Reference`."""
        self.reset()
        if _GREY in state:
            self._motion.grey = state[_GREY].numpy()
        objects: dict[int, dict[str, Tensor]] = {}
        for name, column in state.items():
            owner, _, own = name.partition("/")
            if own:
                objects.setdefault(int(owner), {})[own] = column
        for object_id, columns in objects.items():
            stored, hint_hw = int(columns.pop(_STORED)), columns.pop(_HINT, None)
            kept = TrackedObject(Bank(**columns), stored, hint_hw=hint_hw)
            self._loop.objects[object_id] = kept
