"""What OpenCV says of a frame's time is not always one: 4.5 says 0 of the last frames of a file."""

import cv2
import numpy as np
import pytest

from sam2lite.runtimes.video.files import Clip


class Capture:
    """An open `cv2.VideoCapture` of six frames whose times are given."""

    def __init__(self, times_ms: list[float]) -> None:
        self._times_ms, self._read = times_ms, 0

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self._read == len(self._times_ms):
            return False, None
        self._read += 1
        return True, np.full((8, 8, 3), self._read, np.uint8)

    def get(self, name: int) -> float:
        known = {
            cv2.CAP_PROP_POS_MSEC: self._times_ms[self._read - 1],
            cv2.CAP_PROP_FPS: 25.0,
            cv2.CAP_PROP_FRAME_COUNT: float(len(self._times_ms)),
        }
        return known.get(name, 0.0)

    def release(self) -> None:
        pass


@pytest.mark.parametrize(
    ("times_ms", "places", "known"),
    [
        ([0.0, 40.0, 80.0, 120.0, 0.0, 0.0], [0, 1, 2, 3, 4, 5], 4),
        ([0.0, 40.0, 120.0, 160.0, 0.0, 0.0], [0, 1, 3, 4, 5, 6], 4),  # one was damaged
        ([0.0] * 6, [0, 1, 2, 3, 4, 5], 1),
    ],
)
def test_frames_never_go_back(times_ms: list[float], places: list[int], known: int) -> None:
    with Clip("clip", lambda: Capture(times_ms)) as clip:
        captured = list(clip.captured())
    assert [each.source_index for each in captured] == places
    assert [each.image_bgr[0, 0, 0] for each in captured] == [1, 2, 3, 4, 5, 6]
    assert [each.pts_ms for each in captured] == [*times_ms[:known], *[None] * (6 - known)]
