"""What sam2_cpu.py times, whoever's it is: one object whose memory is full, and its parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from sam2lite.contracts.families.sam2 import POINTER_FRAMES, RECENT_FRAMES


class FullLoop(ABC):
    """A frame loop that sees as much as it ever will.

    Attributes:
        parts: by the names of our graphs, what runs one of them.
    """

    parts: dict[str, Callable[[], Any]]

    def fill(
        self, frames_bgr: list[np.ndarray], click: tuple[int, int], slots: tuple[int, ...]
    ) -> None:
        """Point at an object, and fill its memory.

        Args:
            frames_bgr: uint8 [height, width, 3], two at least.
            click: x and y on the object in the first frame, px.
            slots: frames of memory that memory attention is measured with.

        Raises:
            RuntimeError: the memory is not full then.
        """
        self._next = 0
        self._point(frames_bgr[0], click)
        for frame in frames_bgr[:2]:
            self.frame(frame)
        self._next = POINTER_FRAMES + 1
        frames, pointers = self._filled(self._next)
        if (frames, pointers) != (RECENT_FRAMES + 1, POINTER_FRAMES):
            raise RuntimeError(f"{frames} memories and {pointers} pointers are not all")
        self.parts = self._parts(frames_bgr[1], slots)

    def frame(self, frame_bgr: np.ndarray) -> np.ndarray:
        """Return the mask of the next frame, bool [height, width]."""
        mask = self._tracked(frame_bgr, self._next)
        self._next += 1
        return mask

    @abstractmethod
    def _point(self, frame_bgr: np.ndarray, click: tuple[int, int]) -> None:
        """Prompt the object on frame 0."""

    @abstractmethod
    def _tracked(self, frame_bgr: np.ndarray, index: int) -> np.ndarray:
        """Return the mask of a frame, bool [height, width]."""

    @abstractmethod
    def _filled(self, following: int) -> tuple[int, int]:
        """Remember frame 1 as every frame from 2 to the one before the following.

        Returns:
            the numbers of memories and pointers that the following frame sees.
        """

    @abstractmethod
    def _parts(self, frame_bgr: np.ndarray, slots: tuple[int, ...]) -> dict[str, Callable[[], Any]]:
        """Return `parts`, on features of a frame and otherwise random inputs."""
