"""What a live source is read from: a device of OpenCV's, a clip at its own rate, a connection."""

import math
import time
from typing import Any, Callable, Iterator, Optional, Tuple

import cv2
import numpy as np

from sam2lite.runtimes.video.captured import CapturedFrame

Read = Tuple[bool, Optional[np.ndarray]]

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0
_LONGEST_STEP_S = 60.0  # between two frames of a clip; more is a damaged time


class DeviceCapture:
    """A `cv2.VideoCapture` that is open.

    Attributes:
        pts_ms: time of the last frame, as its decoder or driver says; None where it says none.
        step: how many frames on it is.
    """

    step = 1

    def __init__(self, capture: Any) -> None:
        self.pts_ms: Optional[float] = None
        self._capture = capture

    def read(self) -> Read:
        """Wait for the next frame; return (True, frame), or (False, None)."""
        is_read, image_bgr = self._capture.read()
        if is_read:
            self.pts_ms = stamp_ms(self._capture)
        return is_read, image_bgr

    def release(self) -> None:
        """Close the device."""
        self._capture.release()


class PacedCapture:
    """Plays frames at their own rate, as a camera would deliver them.

    Attributes:
        pts_ms: time of the last frame within its clip; None where that does not say.
        step: how many frames on it is; more than 1 after a damaged stretch.
    """

    def __init__(self, frames: Iterator[CapturedFrame], fps: float) -> None:
        """Remember what to play; the clock starts at the second read, when the first one was taken.

        Args:
            frames: the frames in order.
            fps: frames per second where they have no times.
        """
        self.pts_ms: Optional[float] = None
        self.step = 1
        self._index = 0
        self._frames = frames
        self._period_s = 1.0 / fps
        self._is_first = True
        self._due_s: Optional[float] = None

    def read(self) -> Read:
        """Wait until the next frame is due; return (True, frame), or (False, None) at the end."""
        asked_s = time.monotonic()
        frame = next(self._frames, None)
        if frame is None:
            return False, None
        if not self._is_first:
            self._due_s = (asked_s if self._due_s is None else self._due_s) + self._step_s(frame)
            time.sleep(max(0.0, self._due_s - time.monotonic()))
        self._is_first = False
        self.pts_ms = frame.pts_ms
        self.step, self._index = frame.source_index - self._index, frame.source_index
        return True, frame.image_bgr

    def release(self) -> None:
        """Do nothing: an iterator needs no release."""

    def _step_s(self, frame: CapturedFrame) -> float:
        if frame.pts_ms is None or self.pts_ms is None:
            return self._period_s
        step_s = (frame.pts_ms - self.pts_ms) / 1000.0
        return step_s if 0.0 < step_s <= _LONGEST_STEP_S else self._period_s


class Connection:
    """A stream of the network, which is connected to again when it breaks.

    Attributes:
        step: how many frames on the last one is; what was missed while it was away is not known.
        reconnects: how many times the stream came back.
    """

    step = 1

    def __init__(self, connect: Callable[[], Any], capture: Any) -> None:
        """Take a stream that is connected.

        Args:
            connect: returns a `cv2.VideoCapture` of the stream, which may not be open.
            capture: the one that is open.
        """
        self.reconnects = 0
        self._connect = connect
        self._device: Optional[DeviceCapture] = DeviceCapture(capture)
        self._retry_at_s = 0.0
        self._wait_s = _FIRST_WAIT_S

    @property
    def pts_ms(self) -> Optional[float]:
        """Time of the last frame within the stream, ms; None where it says none."""
        return None if self._device is None else self._device.pts_ms

    def read(self) -> Read:
        """Wait for the next frame; return (True, frame), or (False, None) while there is none.

        After a failure, it connects again: after half a second, then after twice as long as before,
        up to eight seconds.
        """
        if self._device is None:
            if time.monotonic() < self._retry_at_s:
                return False, None
            self._device = DeviceCapture(self._connect())
            is_back = True
        else:
            is_back = False
        is_read, image_bgr = self._device.read()
        if is_read:
            self.reconnects += is_back
            self._wait_s = _FIRST_WAIT_S
            return True, image_bgr
        self.release()
        self._retry_at_s = time.monotonic() + self._wait_s
        self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)
        return False, None

    def release(self) -> None:
        """Disconnect."""
        if self._device is not None:
            self._device.release()
            self._device = None


def stamp_ms(capture: Any) -> Optional[float]:
    """Return the time of the frame that a `cv2.VideoCapture` has read last, ms, or None."""
    stamp = float(capture.get(cv2.CAP_PROP_POS_MSEC))
    return stamp if math.isfinite(stamp) and stamp >= 0 else None
