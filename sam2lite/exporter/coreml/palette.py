"""A table of values for a weight: 1-D k-means, as coremltools' own, which needs scikit-learn."""

from __future__ import annotations

import numpy as np

_ROUNDS = 30  # of Lloyd's algorithm; the error changes in the fourth digit after a dozen


def palette(weight: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a table of values and, for every element of a weight, which of them it becomes.

    Always the same for the same weight: the first table is the weight's quantiles.

    Args:
        weight: any shape, float.
        size: of the table.
    """
    flat = weight.astype(np.float64).ravel()
    ordered = np.sort(flat)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    table = np.quantile(ordered, (np.arange(size) + 0.5) / size)
    for _ in range(_ROUNDS):
        ends = np.searchsorted(ordered, (table[1:] + table[:-1]) / 2.0)
        edges = np.concatenate([[0], ends, [len(ordered)]])
        counts = np.diff(edges)
        means = np.diff(sums[edges]) / np.maximum(counts, 1)
        table = np.where(counts > 0, means, table)
    indices = np.searchsorted((table[1:] + table[:-1]) / 2.0, flat)
    return table.astype(weight.dtype), indices
