"""Shapes with holes: several outlines, filled by the even-odd rule."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.objects.outlines import draw_outline, resample, unit_area

Shape = NDArray[np.float64]
_Rng = np.random.Generator


def _ring(rng: _Rng, finest: float) -> Shape:
    """Return an outline with a smaller copy of itself cut out: rings, frames, hollow stars."""
    outline = draw_outline(rng)
    inner = min(rng.uniform(0.45, 0.8), 1.0 - finest / float(np.hypot(*outline.T).min()))
    return np.stack([outline, max(inner, 0.1) * outline])


def _wheel(rng: _Rng, finest: float) -> Shape:
    """Return a disc with sectors cut out, which leaves a rim, spokes and a hub."""
    spokes = int(rng.integers(3, 8))
    half_width = 0.5 * max(rng.uniform(0.08, 0.2), finest)
    rim = 1.0 - max(rng.uniform(0.1, 0.25), finest)
    hub = max(rng.uniform(0.2, 0.4), 1.2 * half_width / np.sin(np.pi / spokes))
    turn = np.linspace(0.0, 2.0 * np.pi, 72)
    outlines = [np.stack([np.cos(turn), np.sin(turn)], 1)]
    for spoke in range(spokes):
        outer, inner = (
            np.linspace(
                2.0 * np.pi * spoke / spokes + np.arcsin(half_width / radius),
                2.0 * np.pi * (spoke + 1) / spokes - np.arcsin(half_width / radius),
                12,
            )
            for radius in (rim, hub)
        )
        outlines.append(
            np.concatenate(
                [
                    rim * np.stack([np.cos(outer), np.sin(outer)], 1),
                    hub * np.stack([np.cos(inner), np.sin(inner)], 1)[::-1],
                ]
            )
        )
    return np.stack([resample(outline) for outline in outlines])


def _glyph(rng: _Rng, _: float) -> Shape:
    """Return strokes between the nodes of a small grid, which look like letters."""
    columns, rows = int(rng.integers(2, 4)), int(rng.integers(2, 4))
    cell = 24
    canvas = np.zeros(((rows + 1) * cell, (columns + 1) * cell), np.uint8)
    nodes = [(x, y) for x in range(columns) for y in range(rows)]
    at = nodes[rng.integers(len(nodes))]
    thickness = int(rng.integers(8, 13))
    for _step in range(int(rng.integers(4, 10))):  # one pen that is never lifted: one piece
        reachable = [n for n in nodes if 0 < abs(n[0] - at[0]) + abs(n[1] - at[1]) <= 1]
        to = reachable[rng.integers(len(reachable))]
        ends = [(int(cell * (x + 1)), int(cell * (y + 1))) for x, y in (at, to)]
        cv2.line(canvas, ends[0], ends[1], 255, thickness)
        at = to
    contours, _hierarchy = cv2.findContours(canvas, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    pieces = [contour[:, 0].astype(np.float64) for contour in contours if len(contour) > 3]
    pieces.sort(key=lambda piece: -float(np.ptp(piece, 0).prod()))
    middle = (pieces[0].min(0) + pieces[0].max(0)) / 2.0
    return np.stack([resample(piece - middle) for piece in pieces])


KINDS: tuple[Callable[[_Rng, float], Shape], ...] = (_ring, _wheel, _glyph)


def draw_holed(rng: _Rng, finest: float) -> Shape:
    """Return a shape with holes whose outer outline has the area of the unit circle.

    Rims and spokes are `finest` wide or more. Shape: [C, VERTICES, 2], the outer outline first.
    """
    shape = KINDS[rng.integers(len(KINDS))](rng, finest)
    stretched = shape * np.array([1.0, rng.uniform(0.6, 1.0)])
    return unit_area(stretched)
