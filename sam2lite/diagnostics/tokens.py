"""Single tokens of a map: how long they are, and how alike."""

from dataclasses import dataclass

import numpy as np

from sam2lite.diagnostics.maps import Floats, TokenMap

OUTLIER = 3.0  # times the median norm


@dataclass(frozen=True)
class Norms:
    """Lengths of a map's tokens.

    A few tokens of many times the typical length hold what the network keeps of the whole image
    (Darcet et al. 2024, "Vision Transformers Need Registers"), and are what low precision is worst
    at: they stretch the range that all tokens share.

    Attributes:
        norms_n: of each token.
        median: of them.
        largest: of them.
        outliers: tokens of more than `OUTLIER` times the median.
    """

    norms_n: Floats
    median: float
    largest: float
    outliers: int


def norms(found: TokenMap) -> Norms:
    """Return the lengths of a map's tokens."""
    lengths = np.linalg.norm(found.tokens_nc, axis=1)
    median = float(np.median(lengths))
    return Norms(lengths, median, float(lengths.max()), int((lengths > OUTLIER * median).sum()))


def likeness(found: TokenMap, token: int) -> Floats:
    """Return the cosine of every token with one of them, -1..1, `[n]`.

    Args:
        found: the map.
        token: its index.
    """
    lengths = np.linalg.norm(found.tokens_nc, axis=1)
    unit_nc = found.tokens_nc / np.maximum(lengths, np.finfo(np.float32).tiny)[:, None]
    cosines: Floats = unit_nc @ unit_nc[token]
    return cosines
