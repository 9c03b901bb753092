"""The latest-frame policy: a live source gives its newest frame, and never lags behind."""

import threading
import time
from typing import Any, Container, Optional

from sam2lite.errors import VideoError
from sam2lite.runtimes.video.captured import CapturedFrame, now_ms

STALL_TIMEOUT_S = 5.0
CAMERA_REMEDY = "check its cable and power, and that no other program uses it"
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
        kept: Container[int] = (),
        remedy: str = CAMERA_REMEDY,
    ) -> None:
        """Start reading.

        Args:
            capture: has `read() -> (ok, frame)`, `release()`, and of the last frame read `pts_ms`,
                or None, and `step`, how many frames on it is; see `captures`. It is read and
                released by the thread alone.
            name: what to call it in messages.
            stall_timeout_s: how long to wait for a frame before giving up.
            ends: whether a failed read is the end, as in a clip, or a hiccup, as of a camera.
            kept: frames that are not replaced until they are taken, by their index. With 0 among
                them, time begins when the first one is taken.
            remedy: what to do when no frame comes.
        """
        self.dropped_frames = 0
        self._capture = capture
        self._name = name
        self._stall_timeout_s = stall_timeout_s
        self._ends = ends
        self._kept = kept
        self._remedy = remedy
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._newest: Optional[CapturedFrame] = None
        self._index = 0  # of the newest frame
        self._arrived_s = time.monotonic()
        self._error: Optional[Exception] = None
        self._is_over = False
        self._was_taken_from = False
        self._thread = threading.Thread(target=self._read_on, name="latest-frame", daemon=True)
        self._thread.start()

    def peek(self) -> Optional[CapturedFrame]:
        """Wait for a frame and return it without taking it.

        Returns:
            The newest frame, or None when there will be no more.

        Raises:
            VideoError: no frame came for `stall_timeout_s`.
        """
        with self._changed:
            while self._newest is None and not (self._is_over or self._stop.is_set()):
                patience_s = self._arrived_s + self._stall_timeout_s - time.monotonic()
                if patience_s <= 0:
                    raise VideoError(
                        "{} has delivered no frame for {:.1f} s; {}".format(
                            self._name, self._stall_timeout_s, self._remedy
                        )
                    )
                self._changed.wait(patience_s)
            if self._newest is None and self._error is not None:
                raise self._error
            return self._newest

    def take(self) -> Optional[CapturedFrame]:
        """Wait for a frame that was not taken before; returns and raises as `peek` does.

        The first one that is taken has index 0.
        """
        with self._changed:
            frame = self.peek()
            self._newest = None
            if frame is not None and not self._was_taken_from:
                self._was_taken_from = True
                if 0 in self._kept:  # time begins now, however long it has waited
                    frame = frame._replace(capture_ms=now_ms())
            if frame is not None and frame.source_index in self._kept:
                self._arrived_s = time.monotonic()  # nothing could come while this one waited
            self._changed.notify_all()
            return frame

    def end(self) -> None:
        """Let `peek` and `take` return None from now on."""
        self._stop.set()
        with self._changed:  # which whoever is interrupted by a signal may hold: it is re-entrant
            self._newest = None
            self._changed.notify_all()

    def close(self) -> None:
        """Stop the thread and release the capture."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        # A driver may hang in read(). The thread is a daemon, so it cannot keep the program alive.
        self._thread.join(self._stall_timeout_s)

    def _read_on(self) -> None:
        try:
            while not self._stop.is_set():
                is_read, image_bgr = self._capture.read()
                if is_read:
                    self._put(CapturedFrame(image_bgr, 0, now_ms(), self._capture.pts_ms))
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

    def _put(self, frame: CapturedFrame) -> None:
        with self._changed:
            if self._newest is not None and self._was_taken_from:
                self.dropped_frames += 1
            self._index = self._index + self._capture.step if self._was_taken_from else 0
            self._newest = frame._replace(source_index=self._index)
            self._arrived_s = time.monotonic()
            self._changed.notify_all()
            while (
                self._index in self._kept and self._newest is not None and not self._stop.is_set()
            ):
                self._changed.wait()
