"""The picture of a sensitivity study: a bar for every layer, drawn with OpenCV."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.exporter.sensitivity import Sensitivity
from sam2lite.runtimes.overlay import PALETTE_BGR

_ROW, _WIDTH, _LEFT, _RIGHT, _TOP = 16, 1100, 430, 1020, 60  # px
_INK, _GRID, _PAPER = (40, 40, 40), (225, 225, 225), (255, 255, 255)
_STEP_DB = 10


def plot_sqnr(layers: Sequence[Sensitivity], title: str) -> NDArray[np.uint8]:
    """Draw SQNR by layer, in the order given, coloured by graph.

    Args:
        layers: one or more, of finite SQNR or not.
        title: ASCII.

    Returns:
        uint8 [height, width, 3], BGR.
    """
    finite = [layer.sqnr_db for layer in layers if np.isfinite(layer.sqnr_db)]
    most = _STEP_DB * (int(max([*finite, _STEP_DB])) // _STEP_DB + 1)
    image = np.full((_TOP + _ROW * (len(layers) + 1), _WIDTH, 3), _PAPER, np.uint8)
    _write(image, title, (20, 25), 0.55)
    for db in range(0, most + 1, _STEP_DB):
        x = _place(db, most)
        cv2.line(image, (x, _TOP - 8), (x, len(image) - 8), _GRID, 1)
        _write(image, f"{db} dB", (x - 16, _TOP - 14), 0.4)
    graphs = list(dict.fromkeys(layer.name.partition(".")[0] for layer in layers))
    for index, layer in enumerate(layers):
        y = _TOP + _ROW * index
        colour = PALETTE_BGR[graphs.index(layer.name.partition(".")[0]) % len(PALETTE_BGR)]
        end = _place(min(max(layer.sqnr_db, 0.0), most), most)
        cv2.rectangle(image, (_LEFT, y + 3), (end, y + _ROW - 3), colour, cv2.FILLED)
        _write(image, layer.name, (20, y + _ROW - 4), 0.4)
        _write(image, f"{layer.sqnr_db:.1f}", (end + 6, y + _ROW - 4), 0.4)
    return image


def _place(db: float, most: int) -> int:
    return round(_LEFT + (_RIGHT - _LEFT) * db / most)


def _write(image: NDArray[np.uint8], text: str, at: tuple[int, int], size: float) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, _INK, 1, cv2.LINE_AA)
