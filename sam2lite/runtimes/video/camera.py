"""The latest-frame policy: a live source gives its newest frame, and never lags behind."""

import threading
import time
from typing import Any, Iterator, Optional, Tuple

import numpy as np

from sam2lite.errors import VideoError

STALL_TIMEOUT_S = 5.0
_RETRY_S = 0.01  # between failed reads, so that a camera without frames does not take a core


class LatestFrame:
    """Holds the newest frame of a capture, which a thread of its own keeps reading.

    Attributes:
        dropped_frames: how many frames were replaced by a newer one before anybody took them,
            counted from the first one taken.
    """

    def __init__(
        self,
        capture: Any,
        name: str,
        stall_timeout_s: float = STALL_TIMEOUT_S,
        ends: bool = False,
    ) -> None:
        """Start reading.

        Args:
            capture: anything with `read() -> (ok, frame)` and `release()`, such as
                `cv2.VideoCapture`. It is read and released by the thread alone.
            name: what to call it in messages.
            stall_timeout_s: how long to wait for a frame before giving up.
            ends: whether a failed read is the end, as in a clip, or a hiccup, as of a camera.
        """
        self.dropped_frames = 0
        self._capture = capture
        self._name = name
        self._stall_timeout_s = stall_timeout_s
        self._ends = ends
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._newest: Optional[np.ndarray] = None
        self._arrived_s = time.monotonic()
        self._error: Optional[Exception] = None
        self._is_over = False
        self._was_taken_from = False
        self._thread = threading.Thread(target=self._read_on, name="latest-frame", daemon=True)
        self._thread.start()

    def peek(self) -> Optional[np.ndarray]:
        """Wait for a frame and return it without taking it.

        Returns:
            The newest frame, or None when there will be no more.

        Raises:
            VideoError: no frame came for `stall_timeout_s`.
        """
        with self._changed:
            while self._newest is None and not self._is_over:
                patience_s = self._arrived_s + self._stall_timeout_s - time.monotonic()
                if patience_s <= 0:
                    raise VideoError(
                        "{} has delivered no frame for {:.1f} s; check its cable and power, and "
                        "that no other program uses it".format(self._name, self._stall_timeout_s)
                    )
                self._changed.wait(patience_s)
            if self._newest is None and self._error is not None:
                raise self._error
            return self._newest

    def take(self) -> Optional[np.ndarray]:
        """Wait for a frame that was not taken before; returns and raises as `peek` does."""
        with self._changed:
            frame = self.peek()
            self._newest = None
            self._was_taken_from = True
            return frame

    def close(self) -> None:
        """Stop the thread and release the capture."""
        self._stop.set()
        # A driver may hang in read(). The thread is a daemon, so it cannot keep the program alive.
        self._thread.join(self._stall_timeout_s)

    def _read_on(self) -> None:
        try:
            while not self._stop.is_set():
                is_read, frame = self._capture.read()
                if is_read:
                    self._put(frame)
                elif self._ends:
                    break
                else:
                    self._stop.wait(_RETRY_S)
        except Exception as error:
            self._error = error  # for the thread that takes frames
        finally:
            self._capture.release()
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _put(self, frame: np.ndarray) -> None:
        with self._changed:
            if self._newest is not None and self._was_taken_from:
                self.dropped_frames += 1
            self._newest = frame
            self._arrived_s = time.monotonic()
            self._changed.notify_all()


class PacedCapture:
    """Plays frames at their own rate, as a camera would deliver them."""

    def __init__(self, frames: Iterator[np.ndarray], fps: float) -> None:
        """Remember what to play; the clock starts at the first read.

        Args:
            frames: the frames in order.
            fps: frames per second.
        """
        self._frames = frames
        self._period_s = 1.0 / fps
        self._due_s: Optional[float] = None

    def read(self) -> Tuple[bool, Optional[np.ndarray]]:
        """Wait until the next frame is due; return (True, frame), or (False, None) at the end."""
        if self._due_s is None:
            self._due_s = time.monotonic()
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        self._due_s += self._period_s
        frame = next(self._frames, None)
        return frame is not None, frame

    def release(self) -> None:
        """Do nothing: an iterator needs no release."""
