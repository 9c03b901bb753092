"""The frames of a stream as the network sees them: new ones, the current one, and the last ones."""

from typing import Optional, Tuple

import numpy as np

from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.geometry import Scratch
from sam2lite.runtimes.measuring.stage_clock import PREPROCESS, StageClock
from sam2lite.runtimes.rules.current_frame import CurrentFrame
from sam2lite.runtimes.rules.interface import FrameRules
from sam2lite.runtimes.rung_choice import RungChoice
from sam2lite.runtimes.rungs import RungGraphs
from sam2lite.runtimes.stream.cursor import FrameCursor
from sam2lite.runtimes.stream.recent import RecentFrames


class StreamFrames:
    """Makes frames that can be encoded of pictures, at the input size that is due.

    Attributes:
        cursor: where the stream is.
        recent: what was decided on the last frames.
        scratch: memory that is used again from frame to frame.
    """

    def __init__(self, bundle: Bundle, rules: FrameRules, rungs: RungChoice, resize: str) -> None:
        """Begin a stream.

        Args:
            bundle: whose graphs see the frames.
            rules: that are shown each new frame.
            rungs: choose the input size.
            resize: of pictures, see `network_input`.
        """
        self._bundle = bundle
        self._rules = rules
        self._rungs = rungs
        self._resize = resize
        self.scratch = Scratch()
        self.begin()

    def begin(self, next_index: int = 0) -> None:
        """Begin another stream, or this one at another frame."""
        self.cursor = FrameCursor(next_index)
        self.recent = RecentFrames()
        self._rules.reset()

    def current(
        self, picture_bgr: np.ndarray, index: Optional[int], joins_tracked: bool
    ) -> Tuple[CurrentFrame, bool]:
        """Return the frame to work on, and whether it is a new one; see `VideoSegmenter.track`.

        Args:
            picture_bgr: uint8 [height, width, 3].
            index: of the frame, checked; None where the caller did not say.
            joins_tracked: see `FrameCursor.joined`.
        """
        current = self.cursor.joined(picture_bgr, index, joins_tracked)
        if current is not None:
            return current, False
        index = self.cursor.next_index if index is None else index
        frame = self._made(picture_bgr, index, self._rungs.advance())
        with frame.clock.whole(), frame.clock.stage(PREPROCESS):
            self._rules.see(frame)
        self.cursor.move_to(frame)
        return frame, True

    def past(self, picture_bgr: np.ndarray, index: int) -> Tuple[CurrentFrame, CurrentFrame]:
        """Return a frame that was tracked already, to be encoded again, and the current one.

        Args:
            picture_bgr: uint8 [height, width, 3].
            index: for which `FrameCursor.is_past`.

        Raises:
            ArgumentError: it is none of the last frames.
        """
        now = self.cursor.frame
        assert now is not None
        decisions = self.recent.on(index)
        frame = self._made(picture_bgr, index, self._rungs.graphs)
        frame.decisions.update(decisions)
        return frame, now

    def _made(self, picture_bgr: np.ndarray, index: int, graphs: RungGraphs) -> CurrentFrame:
        clock = StageClock(self._bundle.manifest.stages)
        with clock.whole():
            return CurrentFrame(
                index,
                picture_bgr,
                graphs,
                clock,
                self._rungs.loader.numpy,
                self.scratch,
                self._bundle.manifest.aspect,
                self._resize,
            )
