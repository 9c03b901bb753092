"""Cast shadows: soft, displaced, and in the picture alone, never in a mask."""

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.objects.tracks import SHIFT, Track
from sam2lite.data.clips.surroundings.surfaces import Surface

_COARSE = 4  # shadows are drawn at a quarter of the resolution: they are soft


class Shadow:
    """The shadow of an actor, displaced by an offset in pixels; `share` of its light is lost."""

    def __init__(self, tracks: list[Track], offset_xy: NDArray[np.float64], share: float) -> None:
        softness = round(float(np.abs(offset_xy).max()) / (2 * _COARSE))
        self._blur = (1 + 2 * softness, 1 + 2 * softness)
        reach = np.abs(offset_xy) + (softness + 2) * _COARSE
        low = np.stack([track.low_xy for track in tracks]).min(0) - reach
        self._low_xy = np.maximum(low, 0).astype(int)
        self._high_xy = (np.stack([track.high_xy for track in tracks]).max(0) + reach).astype(int)
        shift = (offset_xy - self._low_xy + 0.5)[:, None, None]
        self._coarse_xy = [
            np.round(((track.polygons_xy + shift) / _COARSE - 0.5) * 2**SHIFT).astype(np.int32)
            for track in tracks
        ]
        self._dark = round(255 * share)

    def darken(self, frame: Surface, index: int) -> None:
        """Darken `frame`, which is number `index`, where the shadow falls."""
        left, top = self._low_xy[index].tolist()
        right, bottom = self._high_xy[index].tolist()
        lit = frame[top:bottom, left:right]
        height, width = lit.shape[:2]
        if min(height, width) < _COARSE:
            return
        mask = np.zeros((-(-height // _COARSE), -(-width // _COARSE)), np.uint8)
        for coarse_xy in self._coarse_xy:
            cv2.fillPoly(mask, list(coarse_xy[index]), self._dark, cv2.LINE_8, SHIFT)
        light = cv2.cvtColor(cv2.bitwise_not(cv2.blur(mask, self._blur)), cv2.COLOR_GRAY2RGB)
        light = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
        cv2.multiply(lit, light, lit, 1.0 / 255.0)
