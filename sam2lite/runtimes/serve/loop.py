"""The frame loop behind the page: one thread owns the segmenter, and does what viewers ask."""

import threading
import time
from collections import deque
from typing import Any, Deque, Dict, Iterator, Mapping, Optional, Tuple

import numpy as np

from sam2lite.errors import PromptError
from sam2lite.runtimes.commands.frame_record import frame_record
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.results import FrameResult, ObjectResult
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.serve.board import Board
from sam2lite.runtimes.serve.orders import OrderBook
from sam2lite.runtimes.serve.picture import Picture
from sam2lite.runtimes.serve.result_lines import ResultLines, line_of
from sam2lite.runtimes.serve.shown_frames import ShownFrames
from sam2lite.runtimes.video.captured import CapturedFrame, now_ms
from sam2lite.runtimes.video.colours import Colour, ObjectColours
from sam2lite.runtimes.video.frame_source import FrameSource

_LOOK_S = 0.5  # how often a loop that waits for orders sees whether it is to stop
_RATE_FRAMES = 30


class ServedLoop:
    """Tracks the frames of a source, publishes them, and carries out orders between two of them.

    Attributes:
        orders: what viewers ask for.
        board: where viewers find the newest picture.
        shown: the frames that they have seen.
    """

    def __init__(
        self,
        segmenter: VideoSegmenter,
        source: FrameSource,
        lines: ResultLines,
        waits: bool = False,
        is_simulated: bool = False,
    ) -> None:
        """Take what `run` needs.

        Args:
            segmenter: warmed up; nobody else uses it.
            source: of the frames.
            lines: where the results go.
            waits: whether its first frame is shown until a viewer has it played.
            is_simulated: whether times of the loop mean nothing.
        """
        self.orders = OrderBook()
        self.board = Board()
        self.shown = ShownFrames()
        self._stop = threading.Event()
        self._segmenter = segmenter
        self._source = source
        self._lines = lines
        self._is_paused = waits
        self._has_ended = False
        self._serial = 0
        self._colours = ObjectColours()
        self._frames = 0
        self._dropped_before = 0
        self._is_simulated = is_simulated
        self._seen_last: Dict[int, int] = {}  # by object: the index where it was visible last
        self._ends_s: Deque[float] = deque(maxlen=_RATE_FRAMES)
        self._current: Optional[CapturedFrame] = None
        self._index = 0

    def run(self) -> None:
        """Track until `end`. At the source's end, the last frame stays.

        Raises:
            VideoError: the source failed.
            OutputError: results cannot be written.
            SessionError: the backend failed.
        """
        if self._is_paused:
            self._current = CapturedFrame(self._source.first_bgr, 0, now_ms(), None)
            self._publish_again()
            self._carry_out()
        for index, captured in enumerate(self._frames_until_stop()):
            self._current, self._index = captured, index
            self._frames += 1
            self._ends_s.append(time.monotonic())
            self._publish(self._segmenter.track(captured.image_bgr, index), is_new=True)
            self._carry_out()
        self._has_ended = True
        self._publish_again()
        while not self._stop.is_set():
            self._carry_out(waits=True)

    def end(self) -> None:
        """Have `run` return after the current frame; a signal's handler may call it."""
        self._stop.set()
        self._source.end()

    def state(self) -> Dict[str, Any]:
        """Return how the run stands; any thread may ask."""
        return {
            "paused": self._is_paused,
            "ended": self._has_ended,
            "frames": self._frames,
            "dropped": self._source.dropped_frames,
            "fps": self._rate(),
            "viewers": self.board.viewers,
            "result_bytes": self._lines.size_bytes,
        }

    def prompt(
        self, object_id: int, prompt: Prompt, frame_index: Optional[int]
    ) -> Tuple[int, ObjectResult]:
        """Point an object out on a frame that was shown; by orders alone.

        Args:
            object_id: of a new object, or of one that is followed.
            prompt: in the pixels of the frame.
            frame_index: of the frame; None for the newest.

        Returns:
            The index of the frame, and the object on it.

        Raises:
            PromptError: the frame is not there any more, or the prompt does not fit it.
            ArgumentError: there are too many objects.
        """
        if self._current is None:
            raise PromptError("there is no frame yet; wait for the first one")
        frame_bgr: Optional[np.ndarray] = self._current.image_bgr
        index = self._index if frame_index is None else frame_index
        if index != self._index:
            frame_bgr = self.shown.find(index) if index < self._index else None
        if frame_bgr is None:
            raise PromptError(
                "frame {} was not shown, or too long ago; click on the picture again".format(index)
            )
        result = self._segmenter.give(frame_bgr, object_id, prompt, index)
        self._seen_last[object_id] = index
        event: Dict[str, Any] = {"event": "prompt", "frame": index, "object": object_id}
        event.update(points=prompt.points_xy.tolist(), labels=prompt.labels.tolist())
        if prompt.box_xyxy is not None:
            event["box"] = prompt.box_xyxy.tolist()
        self._lines.write(line_of(event))
        self._publish_again()
        return index, result

    def remove(self, object_id: int) -> None:
        """Stop following an object; by orders alone.

        Raises:
            ArgumentError: there is no such object.
        """
        self._segmenter.remove(object_id)
        self._seen_last.pop(object_id, None)
        self._colours.forget(object_id)
        self._lines.write(line_of({"event": "remove", "frame": self._index, "object": object_id}))
        self._publish_again()

    def pause(self, wanted: bool) -> None:
        """Stop taking frames, or go on; by orders alone. A live source goes on meanwhile."""
        self._is_paused = wanted
        self._ends_s.clear()
        self._publish_again()

    def _frames_until_stop(self) -> Iterator[CapturedFrame]:
        for captured in self._source.captured():
            yield captured
            if self._stop.is_set():
                return

    def _carry_out(self, waits: bool = False) -> None:
        """Do what was asked; while the stream is paused, wait for more."""
        while not self._stop.is_set():
            order = self.orders.next(_LOOK_S if waits or self._is_paused else 0.0)
            if order is not None:
                order.carry_out(self)
            elif not self._is_paused:
                return

    def _publish_again(self) -> None:
        """Publish the current frame as it is now, if nothing newer follows soon."""
        waits = self._is_paused or self._has_ended
        if waits and self._current is not None:
            result = self._segmenter.track(self._current.image_bgr, self._index)
            self._publish(result, urgent=True)

    def _publish(self, result: FrameResult, is_new: bool = False, urgent: bool = False) -> None:
        assert self._current is not None
        for object_id, found in result.objects.items():
            if found.visible or object_id not in self._seen_last:
                self._seen_last[object_id] = self._index
        dropped = self._source.dropped_frames
        record = frame_record(
            self._current,
            result,
            self._current.age_ms,
            dropped - self._dropped_before,
            self._is_simulated,
        )
        line = line_of(record)
        if is_new:
            self._dropped_before = dropped
            self._lines.write(line)
        self._serial += 1
        if urgent or self.board.is_due():
            image_bgr = self._current.image_bgr
            colours = self._colours.of(image_bgr, result.masks)
            state = dict(self.state(), hidden=self._hidden(result), colours=_hex(colours))
            about = b'{"record":' + line.rstrip() + b',"state":' + line_of(state).rstrip() + b"}"
            self.board.put(
                Picture(self._serial, self._index, image_bgr, result.masks, about, colours)
            )

    def _hidden(self, result: FrameResult) -> Dict[str, int]:
        """Return for how many frames objects have not been visible, by their ids."""
        return {
            str(object_id): self._index - self._seen_last[object_id] for object_id in result.objects
        }

    def _rate(self) -> Optional[float]:
        ends_s = list(self._ends_s)
        if len(ends_s) < 2 or ends_s[-1] <= ends_s[0]:
            return None
        return round((len(ends_s) - 1) / (ends_s[-1] - ends_s[0]), 1)


def _hex(colours: Mapping[int, Colour]) -> Dict[str, str]:
    """Return colours as a page writes them, by the ids of objects."""
    return {str(each): "#{2:02x}{1:02x}{0:02x}".format(*bgr) for each, bgr in colours.items()}
