"""How far two views of a frame agree: as a number, and where in the picture they do not.

Eigenvectors of nearly equal eigenvalues change places and turn among themselves for no reason, so
not they but the spaces that they span are compared: by the cosines of the principal angles, which
are the singular values of the product of two orthonormal bases (Björck and Golub 1973).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.diagnostics.eigenvectors import Doubles
from sam2lite.diagnostics.maps import Floats, TokenMap
from sam2lite.diagnostics.ncut import NCut


@dataclass(frozen=True)
class Agreement:
    """Of one view with another.

    Attributes:
        cosines_k: of the principal angles between their eigenvectors, descending, 0..1.
        turn_kk: what the eigenvectors of the other are multiplied by to meet this one's.
        apart_n: how far they lie apart at each token, as a share of a token's typical length: 0
            is the same, 1.4 is nothing in common.
    """

    cosines_k: Doubles
    turn_kk: Doubles
    apart_n: Doubles

    @property
    def mean_cosine(self) -> float:
        """1 is the same space; 0 has no direction in common."""
        return float(self.cosines_k.mean())


def agree(found: TokenMap, cut: NCut, other: TokenMap, other_cut: NCut) -> Agreement:
    """Compare the eigenvectors of two maps of one frame, whatever their grids.

    Args:
        found: the map on whose grid they are compared.
        cut: of it.
        other: the other map.
        other_cut: of that.
    """
    own = cut.vectors_nk
    count = min(own.shape[1], other_cut.vectors_nk.shape[1])
    own = own[:, :count]
    theirs = other_cut.vectors_nk[:, :count]
    to_orthonormal = np.eye(count)
    if (found.height, found.width) != (other.height, other.width):
        theirs, mixed = np.linalg.qr(_resampled(other.on_grid(theirs), found))
        to_orthonormal = np.linalg.pinv(mixed)
    left, cosines, right = np.linalg.svd(theirs.T @ own)
    turn = left @ right  # orthogonal Procrustes
    typical = np.sqrt(count / len(own))
    apart = np.linalg.norm(own - theirs @ turn, axis=1) / typical
    return Agreement(np.clip(cosines, 0.0, 1.0), to_orthonormal @ turn, apart)


def feature_errors(found: TokenMap, other: TokenMap) -> Floats | None:
    """Return how far tokens lie apart, as a share of the first one's length, `[n]`.

    None where the maps have other grids or channels.
    """
    if found.tokens_nc.shape != other.tokens_nc.shape or found.width != other.width:
        return None
    own = found.tokens_nc
    length = np.maximum(np.linalg.norm(own, axis=1), np.finfo(np.float32).tiny)
    errors: NDArray[np.float32] = np.linalg.norm(own - other.tokens_nc, axis=1) / length
    return errors


def _resampled(vectors_hwk: Doubles, to: TokenMap) -> Doubles:
    """Return vectors on another grid, `[n, k]`: by area where it is coarser, else bilinearly."""
    shrinks = to.width < vectors_hwk.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = [
        cv2.resize(np.ascontiguousarray(plane), (to.width, to.height), interpolation=how)
        for plane in np.moveaxis(vectors_hwk, 2, 0)
    ]
    return np.stack(resized, axis=-1).astype(np.float64).reshape(to.height * to.width, -1)
