"""What studies of whole frames time, whoever's it is: one object whose memory is full."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from sam2lite.contracts.families.sam2 import POINTER_FRAMES, RECENT_FRAMES


class OneObject(ABC):
    """A frame loop and the object that it follows."""

    def follow(self, frames_bgr: list[np.ndarray], click: tuple[int, int], count: int) -> None:
        """Point at the object, and follow it.

        Args:
            frames_bgr: uint8 [height, width, 3], which are shown in turn.
            click: x and y on the object in the first frame, px.
            count: of frames that are shown.
        """
        self._next = 0
        self._point(frames_bgr[0], click)
        for index in range(count):
            self.frame(frames_bgr[index % len(frames_bgr)])

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


class FullLoop(OneObject):
    """A loop with a bank of frames, which can be filled with copies."""

    def fill(self, frames_bgr: list[np.ndarray], click: tuple[int, int]) -> None:
        """Point at the object, and fill its memory: it sees as much as it ever will.

        Args:
            frames_bgr: uint8 [height, width, 3], two at least.
            click: x and y on the object in the first frame, px.

        Raises:
            RuntimeError: the memory is not full then.
        """
        self.follow(frames_bgr[:2], click, 2)
        self._next = POINTER_FRAMES + 1
        frames, pointers = self._filled(self._next)
        if (frames, pointers) != (RECENT_FRAMES + 1, POINTER_FRAMES):
            raise RuntimeError(f"{frames} memories and {pointers} pointers are not all")

    @abstractmethod
    def _filled(self, following: int) -> tuple[int, int]:
        """Remember frame 1 as every frame from 2 to the one before the following.

        Returns:
            the numbers of memories and pointers that the following frame sees.
        """

    @abstractmethod
    def parts(self, frame_bgr: np.ndarray, slots: tuple[int, ...]) -> dict[str, Callable[[], Any]]:
        """Return what runs each part, by the names of our graphs.

        Args:
            frame_bgr: whose features they are given, and otherwise random inputs.
            slots: frames of memory that memory attention is measured with.
        """
