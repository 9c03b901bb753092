"""What can be evaluated: PyTorch's frame loop, and the loop that users run on a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sam2lite.contracts.families.sam2lite import FAMILY, PRUNING_POLICY
from sam2lite.contracts.loop import WINDOW_MAX
from sam2lite.errors import UnknownNameError
from sam2lite.evaluation.metrics import Mask
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.geometry import network_input, source_mask
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.rules.sam2lite.mask_prompt import mask_logits
from sam2lite.runtimes.rules.sam2lite.motion import MotionSignal
from sam2lite.runtimes.segmenter import VideoSegmenter

if TYPE_CHECKING:
    from sam2lite.models.sam2lite.network import Sam2Lite
    from sam2lite.models.sam2lite.reference_loop import ObjectOutput

Frame = NDArray[np.uint8]
Masks = dict[int, Mask]


class Memory(NamedTuple):
    """How a tracker prunes its memory; see `VideoSegmenter` for the meaning and the errors."""

    policy: str = PRUNING_POLICY
    budget: int | None = None
    window: int | None = WINDOW_MAX


USUAL_MEMORY = Memory()


class Tracker(Protocol):
    """Follows prompted objects through one clip after another.

    Frames are uint8 [height, width, 3], BGR; masks are bool [height, width] by object id, all False
    where the object is not seen.
    """

    def start(self, frame_bgr: Frame, prompts: Mapping[int, Prompt]) -> Masks:
        """Forget the clip before, and return the masks of the first frame of the next one."""

    def track(self, frame_bgr: Frame) -> Masks:
        """Return the masks of the next frame."""

    def close(self) -> None:
        """Free what the tracker holds."""


class BundleTracker:
    """The frame loop that users run."""

    def __init__(
        self,
        bundle: Bundle | str,
        rung: int | None = None,
        threads: int | None = None,
        memory: Memory = USUAL_MEMORY,
    ) -> None:
        """Open a bundle; arguments and errors are those of `VideoSegmenter`."""
        self._segmenter = VideoSegmenter(
            bundle,
            rung=rung,
            threads=threads,
            policy=memory.policy,
            tokens=memory.budget,
            window=memory.window,
        )

    def start(self, frame_bgr: Frame, prompts: Mapping[int, Prompt]) -> Masks:
        """See `Tracker`."""
        self._segmenter.reset()
        for object_id, prompt in prompts.items():
            self._segmenter.give(frame_bgr, object_id, prompt)
        return self.track(frame_bgr)

    def track(self, frame_bgr: Frame) -> Masks:
        """See `Tracker`."""
        objects = self._segmenter.track(frame_bgr).objects
        return {object_id: found.mask for object_id, found in objects.items()}

    def close(self) -> None:
        """See `Tracker`."""
        self._segmenter.close()


class TorchTracker:
    """The PyTorch reference loop, on frames prepared and masks enlarged as users' are."""

    def __init__(
        self, model: Sam2Lite, rung: int | None = None, memory: Memory = USUAL_MEMORY
    ) -> None:
        """Make a copy of the network for inference; the network itself stays as it is.

        Args:
            model: not fused, on any device.
            rung: input side, px; the largest if not given.
            memory: how it is pruned.

        Raises:
            UnknownNameError: the network does not have the rung, or there is no such policy.
            ArgumentError: the budget or the window is out of its range.
        """
        from sam2lite.models.sam2lite.reference_loop import ReferenceLoop

        rungs = model.config.rungs
        self._rung = rungs[-1] if rung is None else rung
        if self._rung not in rungs:
            raise UnknownNameError("rung", rung, rungs)
        self._motion = MotionSignal()
        self._loop = ReferenceLoop(
            model.fused(),
            lambda _, logits: self._motion.inside(logits.cpu().numpy()),
            **memory._asdict(),
        )

    def start(self, frame_bgr: Frame, prompts: Mapping[int, Prompt]) -> Masks:
        """See `Tracker`."""
        height, width = frame_bgr.shape[:2]
        self._loop.reset()
        self._motion = MotionSignal()
        self._encode(frame_bgr)
        for object_id, prompt in prompts.items():
            side = self._rung // FAMILY.mask_stride
            logits = None if prompt.mask_hw is None else mask_logits(prompt.mask_hw, side)
            self._loop.prompt(object_id, prompt.slots(width, height), logits)
        return self._masks(width, height)

    def track(self, frame_bgr: Frame) -> Masks:
        """See `Tracker`."""
        self._encode(frame_bgr)
        return self._masks(frame_bgr.shape[1], frame_bgr.shape[0])

    def close(self) -> None:
        """See `Tracker`."""
        self._loop.reset()

    def _encode(self, frame_bgr: Frame) -> None:
        import torch

        image = network_input(frame_bgr, self._rung)
        self._motion.update(image)
        self._loop.start_frame(torch.from_numpy(image))

    def _masks(self, width: int, height: int) -> Masks:
        outputs = self._loop.track_all()
        return {object_id: _mask(found, width, height) for object_id, found in outputs.items()}


def _mask(output: ObjectOutput, width: int, height: int) -> Mask:
    if not output.present:
        return np.zeros((height, width), bool)
    mask: Mask = source_mask(output.logits_hw.float().cpu().numpy(), width, height)
    return mask
