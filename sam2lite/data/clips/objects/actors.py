"""Things in a scene: textured parts, each with outlines that bend and a pose for every frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.surroundings.surfaces import Surface

MAX_SKIN_PX = 448


@dataclass(frozen=True)
class Part:
    """One textured piece of an actor, ready to be drawn.

    A pose maps the outlines' units to pixels of the frame. The skin is a square centred on the
    outlines, mirrored beyond; `reach` is half its side in the outlines' units. The outlines are
    filled by the even-odd rule. Shapes: outlines [T, C, V, 2], poses [T, 2, 3].
    """

    number: int
    skin: Surface
    reach: float
    outlines: NDArray[np.float64]
    poses: NDArray[np.float64]

    def polygons(self) -> NDArray[np.float64]:
        """Return the outlines in pixels of the frame; shape [T, C, V, 2]."""
        turned = self.outlines @ self.poses[:, None, :, :2].transpose(0, 1, 3, 2)
        polygons: NDArray[np.float64] = turned + self.poses[:, None, None, :, 2]
        return polygons

    def radius_px(self) -> float:
        """Return the distance of the farthest vertex from the centre, over all frames."""
        offset = self.polygons() - self.poses[:, None, None, :, 2]
        return float(np.linalg.norm(offset, axis=-1).max())


@dataclass(frozen=True)
class Actor:
    """An object, or an occluder with label 0: a body, and what is joined to it.

    Parts are drawn in the order `behind`, body, `before`. The shadow is the share of the light
    lost where it falls.
    """

    label: int
    body: Part
    behind: tuple[Part, ...] = ()
    before: tuple[Part, ...] = ()
    shadow: float = 0.0

    def parts(self) -> tuple[Part, ...]:
        """Return all parts from back to front."""
        return (*self.behind, self.body, *self.before)


def skin_side_px(reach: float, radius_px: float) -> int:
    """Return the side of the skin for a part of that reach and radius, in pixels."""
    return int(np.clip(2.0 * reach * radius_px, 16, MAX_SKIN_PX))


def reach_of(outlines: NDArray[np.float64]) -> float:
    """Return half the side of a centred square that holds the outlines, in their units."""
    return 1.02 * float(np.abs(outlines).max())
