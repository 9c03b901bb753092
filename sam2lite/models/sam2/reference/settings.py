"""What may be set of the reference loop; the frame rules of runtimes have the same names."""

from __future__ import annotations

from typing import NamedTuple

import torch

from sam2lite.contracts.arguments import whole_number
from sam2lite.contracts.families.sam2 import POINTER_FRAMES
from sam2lite.errors import UnknownNameError

META, HUGGING_FACE = "meta", "huggingface"
CONDITIONING, IN_PLACE = "conditioning", "in-place"
_DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
_SHORTEST = 2  # frames: times of pointers are shares of the frames before the current one


class Settings(NamedTuple):
    """How objects are remembered.

    Attributes:
        reference: the published loop that is followed where they differ: in the pointer and memory
            of a user's mask, and in what a further click on a frame starts from.
        corrections: what a prompt on a tracked frame makes of it: a conditioning frame, or a recent
            frame with another memory.
        memory_dtype: what memory is rounded to.
        pointer_frames: of the video; None for a stream that may be of any length.
    """

    reference: str = META
    corrections: str = CONDITIONING
    memory_dtype: str = "bfloat16"
    pointer_frames: int | None = None

    def checked(self) -> Settings:
        """Return the settings.

        Raises:
            UnknownNameError: there is no such reference, correction or type.
            ArgumentError: the number of frames is no whole number, or less than 2.
        """
        for what, name, known in (
            ("reference", self.reference, (META, HUGGING_FACE)),
            ("corrections", self.corrections, (CONDITIONING, IN_PLACE)),
            ("memory_dtype", self.memory_dtype, tuple(_DTYPES)),
        ):
            if name not in known:
                raise UnknownNameError(what, name, known)
        if self.pointer_frames is not None:
            whole_number("pointer_frames", self.pointer_frames, _SHORTEST)
        return self

    @property
    def look_back(self) -> int:
        """Frames that pointers are taken from, the current one counted."""
        if self.pointer_frames is None:
            return POINTER_FRAMES
        return min(self.pointer_frames, POINTER_FRAMES)

    def rounded(self, memory_bnc: torch.Tensor) -> torch.Tensor:
        """Return memory as it is stored, in float32 again."""
        return memory_bnc.to(_DTYPES[self.memory_dtype]).float()
