"""Which colour an object is drawn in: one that its picture does not have, and no other object."""

from typing import Dict, Mapping, Tuple

import cv2
import numpy as np

Colour = Tuple[int, int, int]  # blue, green, red

# Okabe and Ito's colours, which colour-blind viewers tell apart too; black is left out.
# https://jfly.uni-koeln.de/color/
PALETTE_BGR: Tuple[Colour, ...] = (
    (233, 180, 86),  # sky blue
    (0, 159, 230),  # orange
    (115, 158, 0),  # green
    (66, 228, 240),  # yellow
    (167, 121, 204),  # purple
    (0, 94, 213),  # vermilion
    (178, 114, 0),  # blue
)
_MARGIN = 0.25  # of an object's box: what its outline is seen against
_SAMPLE_PX = 32  # the picture is looked at in so many pixels a side
_NEAREST_PART = 25  # percentile: a colour that a quarter of the place has is no good colour


class ObjectColours:
    """Chooses a colour for every object where it is first seen, and stays with it.

    The colour is the one of `PALETTE_BGR` that lies furthest, in CIE L*a*b*, from what is seen
    there and from the colours of other objects. The same pictures give the same colours.
    """

    def __init__(self) -> None:
        self._chosen: Dict[int, Colour] = {}

    def of(
        self, frame_bgr: np.ndarray, masks_by_object: Mapping[int, np.ndarray]
    ) -> Dict[int, Colour]:
        """Return the colours of the objects that were seen so far, with those of this frame.

        Only an object that is new costs something: one or two milliseconds.

        Args:
            frame_bgr: uint8 [height, width, 3].
            masks_by_object: bool or uint8 [height, width] by object id.
        """
        for object_id, mask in masks_by_object.items():
            if object_id not in self._chosen:
                x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
                if width:
                    place_bgr = _around(frame_bgr, x, y, width, height)
                    self._chosen[object_id] = self._furthest(place_bgr)
        return dict(self._chosen)

    def forget(self, object_id: int) -> None:
        """Let others have the colour of an object that is not followed any more."""
        self._chosen.pop(object_id, None)

    def _furthest(self, place_bgr: np.ndarray) -> Colour:
        used = [list(self._chosen.values()).count(colour) for colour in PALETTE_BGR]
        rows = [row for row, count in enumerate(used) if count == min(used)]
        taken = [row for row, count in enumerate(used) if count > min(used)]
        from_place = np.percentile(
            _distances(_PALETTE_LAB, _lab(place_bgr).reshape(-1, 3)), _NEAREST_PART, axis=1
        )
        scores = []
        for row in rows:
            others = _distances(_PALETTE_LAB[[row]], _PALETTE_LAB[taken])
            scores.append(min([float(from_place[row]), *others[0].tolist()]))
        return PALETTE_BGR[rows[int(np.argmax(scores))]]


def _around(frame_bgr: np.ndarray, x: int, y: int, width: int, height: int) -> np.ndarray:
    """Return a box of a frame with a margin, uint8 [h, w, 3], no larger than a sample."""
    wide, high = 1 + int(_MARGIN * width), 1 + int(_MARGIN * height)
    place_bgr = frame_bgr[max(0, y - high) : y + height + high, max(0, x - wide) : x + width + wide]
    rows, columns = place_bgr.shape[:2]
    size = min(columns, _SAMPLE_PX), min(rows, _SAMPLE_PX)
    sample_bgr: np.ndarray = cv2.resize(place_bgr, size, interpolation=cv2.INTER_AREA)
    return sample_bgr


def _lab(image_bgr: np.ndarray) -> np.ndarray:
    """Return a picture in CIE L*a*b*, float32 [h, w, 3], L from 0 to 100."""
    lab: np.ndarray = cv2.cvtColor(np.asarray(image_bgr, np.float32) / 255, cv2.COLOR_BGR2LAB)
    return lab


def _distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how far each of n colours lies from each of m, [n, m]; all [., 3] in L*a*b*."""
    distances: np.ndarray = np.sqrt(((some[:, np.newaxis] - others[np.newaxis]) ** 2).sum(axis=2))
    return distances


_PALETTE_LAB = _lab(np.array([PALETTE_BGR], np.uint8))[0]
