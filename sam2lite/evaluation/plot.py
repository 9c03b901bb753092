"""The plot of J over the frames, drawn with OpenCV: no plotting library is a dependency."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.evaluation.object_score import ObjectScore
from sam2lite.evaluation.trackers import Frame
from sam2lite.runtimes.video.overlay import PALETTE_BGR

_WIDTH, _HEIGHT = 1000, 520
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 730, 50, 460  # of the axes, px; the legend is on their right
_INK, _GRID, _PAPER = (40, 40, 40), (225, 225, 225), (255, 255, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_MAX_TICKS = 10


def mean_j_by_frame(scores: Sequence[ObjectScore]) -> dict[int, float]:
    """Return the mean J over the objects that are scored on each frame, 0..1, frame 0 included."""
    values: dict[int, list[float]] = {0: [score.first_frame_j for score in scores]}
    for score in scores:
        for frame, j in zip(score.frames.tolist(), score.j_t.tolist(), strict=True):
            values.setdefault(frame, []).append(j)
    return {frame: float(np.mean(values[frame])) for frame in sorted(values)}


def plot_j(curves: Mapping[str, Sequence[ObjectScore]], title: str) -> Frame:
    """Draw one line per entry: the mean J of its objects over the frames.

    Args:
        curves: scores by the name in the legend, ASCII; the first is drawn thick.
        title: ASCII.

    Returns:
        uint8 [height, width, 3], BGR.
    """
    image = np.full((_HEIGHT, _WIDTH, 3), _PAPER, np.uint8)
    lines = {name: mean_j_by_frame(scores) for name, scores in curves.items()}
    last_frame = max(1, *(frame for line in lines.values() for frame in line))
    _draw_axes(image, last_frame)
    _write(image, title, (_LEFT, _TOP - 20))
    for index, (name, line) in reversed(list(enumerate(lines.items()))):
        colour = PALETTE_BGR[index % len(PALETTE_BGR)]
        thickness = 1 if index else 3
        at = [_place(frame, j, last_frame) for frame, j in line.items()]
        cv2.polylines(image, [np.array(at, np.int32)], False, colour, thickness, cv2.LINE_AA)
        for point in at:
            cv2.circle(image, point, thickness + 2, colour, cv2.FILLED, cv2.LINE_AA)
        y = _TOP + 20 + 26 * index
        cv2.line(image, (_RIGHT + 15, y - 5), (_RIGHT + 45, y - 5), colour, thickness + 1)
        _write(image, name, (_RIGHT + 55, y))
    return image


def _draw_axes(image: NDArray[np.uint8], last_frame: int) -> None:
    for j in np.linspace(0.0, 1.0, 6):
        left, right = _place(0, j, last_frame), _place(last_frame, j, last_frame)
        cv2.line(image, left, right, _GRID, 1)
        _write(image, f"{100 * j:.0f}", (_LEFT - 45, left[1] + 5))
    for frame in range(0, last_frame + 1, -(-last_frame // _MAX_TICKS)):
        x, y = _place(frame, 0.0, last_frame)
        cv2.line(image, (x, y), (x, y + 5), _INK, 1)
        _write(image, str(frame), (x - 8, y + 25))
    cv2.rectangle(image, (_LEFT, _TOP), (_RIGHT, _BOTTOM), _INK, 1)
    _write(image, "frame", (_RIGHT + 15, _BOTTOM + 25))
    _write(image, "J", (_LEFT - 45, _TOP - 20))


def _place(frame: int, j: float, last_frame: int) -> tuple[int, int]:
    x = _LEFT + (_RIGHT - _LEFT) * frame / last_frame
    return round(x), round(_BOTTOM - (_BOTTOM - _TOP) * j)


def _write(image: NDArray[np.uint8], text: str, at: tuple[int, int]) -> None:
    cv2.putText(image, text, at, _FONT, 0.5, _INK, 1, cv2.LINE_AA)
