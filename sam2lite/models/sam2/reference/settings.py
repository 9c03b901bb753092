"""What may be set of the reference loop; the frame rules of runtimes have the same names."""

from __future__ import annotations

from typing import NamedTuple

import torch

from sam2lite.contracts.arguments import truth, whole_number
from sam2lite.contracts.families.sam2 import POINTER_FRAMES, RECENT_FRAMES
from sam2lite.errors import UnknownNameError

META, HUGGING_FACE = "meta", "huggingface"
CONDITIONING, IN_PLACE = "conditioning", "in-place"
_DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}


class Settings(NamedTuple):
    """How objects are remembered.

    Attributes:
        reference: the published loop that is followed where they differ: in the pointer and memory
            of a user's mask, and in what a further click on a frame starts from.
        corrections: what a prompt on a tracked frame makes of it: a conditioning frame, or a recent
            frame with another memory.
        memory_dtype: what memory is rounded to.
        pointer_frames: of the video; None for a stream that may be of any length.
        fill_holes: cells of the logits that a hole may have to be filled; 0 fills none.
        non_overlap: where masks overlap, only the object with the highest logit is shown.
        motion_aware: the expected box has a say in choosing masks and memories.
        window: frames back that memory is seen; as many as there are rows for if not given.
    """

    reference: str = META
    corrections: str = CONDITIONING
    memory_dtype: str = "bfloat16"
    pointer_frames: int | None = None
    fill_holes: int = 0
    non_overlap: bool = False
    motion_aware: bool = False
    window: int | None = None

    def checked(self) -> Settings:
        """Return the settings.

        Raises:
            UnknownNameError: there is no such reference, correction or type.
            ArgumentError: a number or a flag is none, or out of its range.
        """
        for what, name, known in (
            ("reference", self.reference, (META, HUGGING_FACE)),
            ("corrections", self.corrections, (CONDITIONING, IN_PLACE)),
            ("memory_dtype", self.memory_dtype, tuple(_DTYPES)),
        ):
            if name not in known:
                raise UnknownNameError(what, name, known)
        if self.pointer_frames is not None:
            whole_number("pointer_frames", self.pointer_frames, 1)
        if self.window is not None:
            whole_number("window", self.window, 1, RECENT_FRAMES)
        whole_number("fill_holes", self.fill_holes, 0)
        truth("non_overlap", self.non_overlap)
        truth("motion_aware", self.motion_aware)
        return self

    @property
    def look_back(self) -> int:
        """Frames that pointers are taken from, the current one counted."""
        if self.pointer_frames is None:
            return POINTER_FRAMES
        return min(self.pointer_frames, POINTER_FRAMES)

    @property
    def memories(self) -> int:
        """Frames beside the conditioning ones whose memory is seen."""
        return RECENT_FRAMES if self.window is None else self.window

    def rounded(self, memory_bnc: torch.Tensor) -> torch.Tensor:
        """Return memory as it is stored, in float32 again."""
        return memory_bnc.to(_DTYPES[self.memory_dtype]).float()
