"""One frame as viewers get it: encoded when the first of them asks, once for all of them."""

import threading
from typing import Callable, Dict, Mapping, Optional

import cv2
import numpy as np

from sam2lite.runtimes.video.colours import Colour
from sam2lite.runtimes.video.overlay import draw_overlay

_QUALITY = 85  # of JPEG


class Picture:
    """A frame and what was found on it.

    Attributes:
        serial: grows with every picture; a frame that is corrected while the stream is paused gives
            a second one.
        frame_index: of the frame.
        frame_bgr: uint8 [height, width, 3].
        about: JSON that tells of it, without a picture.
    """

    def __init__(
        self,
        serial: int,
        frame_index: int,
        frame_bgr: np.ndarray,
        masks: Mapping[int, np.ndarray],
        about: bytes,
        colours: Mapping[int, Colour],
    ) -> None:
        """Keep everything as it is; nothing is encoded yet.

        Args:
            serial: grows with every picture.
            frame_index: of the frame.
            frame_bgr: uint8 [height, width, 3]; not written to afterwards.
            masks: bool [height, width] of the visible objects by their ids.
            about: JSON that tells of it.
            colours: of the objects by their ids, to draw them in.
        """
        self.serial = serial
        self.frame_index = frame_index
        self.frame_bgr = frame_bgr
        self.about = about
        self._masks = masks
        self._colours = colours
        self._lock = threading.Lock()
        self._encoded: Dict[bool, bytes] = {}

    def jpeg(self, drawn: bool, keep: Optional[Callable[[int, bytes], None]] = None) -> bytes:
        """Return the frame as a JPEG file.

        Args:
            drawn: whether the masks are drawn in; where not, viewers draw them.
            keep: is given the index and the frame without masks, once, when it is encoded.
        """
        with self._lock:
            if drawn and True not in self._encoded:
                self._encoded[True] = _jpeg(
                    draw_overlay(self.frame_bgr, self._masks, colours=self._colours)
                )
            if False not in self._encoded:
                # Also where the masks are drawn in: a click on the picture needs the frame itself.
                self._encoded[False] = _jpeg(self.frame_bgr)
                if keep is not None:
                    keep(self.frame_index, self._encoded[False])
            return self._encoded[drawn]


def _jpeg(image_bgr: np.ndarray) -> bytes:
    _, encoded = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return bytes(encoded.tobytes())
