"""Where a stream of frames is: the current frame, and the index of the next one."""

from typing import Optional

import numpy as np

from sam2lite.contracts.arguments import whole_number
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.geometry import check_frame
from sam2lite.runtimes.rules.current_frame import CurrentFrame
from sam2lite.runtimes.rules.interface import MAX_FRAMES


class FrameCursor:
    """Tells the current frame from a new one, by its index or its pixels.

    Attributes:
        frame: the current one; None before the first, and after the stream was moved.
        next_index: of the next new frame, unless the caller says another.
    """

    def __init__(self, next_index: int = 0) -> None:
        self.frame: Optional[CurrentFrame] = None
        self.next_index = next_index

    def checked(
        self, frame: np.ndarray, index: Optional[int], may_be_past: bool = False
    ) -> Optional[int]:
        """Check a frame and its index, if any, before anything changes; return the index.

        Args:
            frame: uint8 [height, width, 3].
            index: of it, if the caller says.
            may_be_past: whether the index may be of a frame before the current one.

        Raises:
            ArgumentError: the frame is not an image of the video's size, or its index goes back or
                is that of a current frame with other pixels.
        """
        check_frame(frame)
        if self.frame is not None:
            self.frame.check_next(frame)
        if index is None:
            return None
        index = whole_number("frame_index", index, 0, MAX_FRAMES)
        if self.frame is not None and index == self.frame.index:
            self.frame.check_same(frame)
        elif index < self.next_index and not (may_be_past and self.is_past(index)):
            raise ArgumentError(
                "frame {} comes after frame {}; an index only grows, and reset() starts again at "
                "0".format(index, self.next_index - 1)
            )
        return index

    def is_past(self, index: Optional[int]) -> bool:
        """Return whether an index, checked, is of a frame before the current one."""
        return self.frame is not None and index is not None and index < self.frame.index

    def joined(
        self, frame: np.ndarray, index: Optional[int], joins_tracked: bool
    ) -> Optional[CurrentFrame]:
        """Return the current frame if it is the one that is meant, else None.

        Args:
            frame: uint8 [height, width, 3], checked.
            index: of it, checked; None where the caller did not say.
            joins_tracked: whether it may be the current one, although `track` has returned that.
        """
        if self.frame is None:
            return None
        meant = index == self.frame.index
        if index is None:
            meant = self.frame.is_meant(frame, joins_tracked)
        return self.frame if meant else None

    def move_to(self, frame: CurrentFrame) -> None:
        """Make a new frame the current one."""
        self.frame = frame
        self.next_index = frame.index + 1
