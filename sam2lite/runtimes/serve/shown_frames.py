"""The last frames that somebody was shown, so that a click lands on the one that was clicked on."""

import threading
from collections import OrderedDict
from typing import Optional

import cv2
import numpy as np

from sam2lite.runtimes.stream.recent import LATE_FRAMES

MOST_FRAMES = LATE_FRAMES  # a prompt for an older one is refused
MOST_BYTES = 16 * 1024 * 1024


class ShownFrames:
    """Keeps JPEG files of frames by their indices: the newest, in bounded memory."""

    def __init__(self, most_frames: int = MOST_FRAMES, most_bytes: int = MOST_BYTES) -> None:
        """Start empty.

        Args:
            most_frames: that are kept.
            most_bytes: that they may take together; the newest frame is kept in any case.
        """
        self._most_frames = most_frames
        self._most_bytes = most_bytes
        self._bytes = 0
        self._jpegs: "OrderedDict[int, bytes]" = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, index: int, jpeg: bytes) -> None:
        """Keep a frame that is shown; the oldest go."""
        with self._lock:
            self._bytes += len(jpeg) - len(self._jpegs.pop(index, b""))
            self._jpegs[index] = jpeg
            while len(self._jpegs) > 1 and (
                len(self._jpegs) > self._most_frames or self._bytes > self._most_bytes
            ):
                self._bytes -= len(self._jpegs.popitem(last=False)[1])

    def find(self, index: int) -> Optional[np.ndarray]:
        """Return a frame, uint8 [height, width, 3], as it was shown; None if it is not kept."""
        with self._lock:
            jpeg = self._jpegs.get(index)
        if jpeg is None:
            return None
        return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
