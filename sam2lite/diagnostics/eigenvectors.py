"""The leading eigenvectors of a symmetric matrix."""

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_WHOLE = 640  # rows up to which all eigenvectors are computed
_EXTRA = 8  # vectors beside those that are wanted
_DEPTH = 6  # products with the matrix before a look at the result
_MOST_LOOKS = 12
_RESIDUAL = 1e-7  # of the largest eigenvalue


def leading(matrix_nn: Doubles, count: int) -> tuple[Doubles, Doubles]:
    """Return the largest eigenvalues, descending, and their eigenvectors, `[k]` and `[n, k]`.

    Of larger matrices by block Krylov iteration (Musco and Musco 2015, algorithm 2), begun again
    from its result until the residuals are small; LAPACK would compute all the others, too.

    Args:
        matrix_nn: symmetric, its eigenvalues at least about -1 times the largest.
        count: of eigenvectors; as many as there are if there are fewer.
    """
    size = len(matrix_nn)
    count = min(count, size)
    if size <= _WHOLE:
        values, vectors = np.linalg.eigh(matrix_nn)
        return values[::-1][:count], vectors[:, ::-1][:, :count]
    block = np.random.default_rng(0).standard_normal((size, count + _EXTRA))
    for _ in range(_MOST_LOOKS):
        values, vectors = _searched(matrix_nn, block)
        residual = np.abs(matrix_nn @ vectors[:, :count] - vectors[:, :count] * values[:count])
        if residual.max() <= _RESIDUAL * abs(values[0]):
            break
        block = vectors[:, : count + _EXTRA]
    return values[:count], vectors[:, :count]


def _searched(matrix_nn: Doubles, block_nb: Doubles) -> tuple[Doubles, Doubles]:
    """Return Ritz values and vectors of a Krylov space, the largest first."""
    parts = [np.linalg.qr(block_nb)[0]]
    for _ in range(_DEPTH):
        parts.append(np.linalg.qr(matrix_nn @ parts[-1])[0])
    basis_nm = np.linalg.qr(np.concatenate(parts, axis=1))[0]
    values, small = np.linalg.eigh(basis_nm.T @ (matrix_nn @ basis_nm))
    return values[::-1], basis_nm @ small[:, ::-1]
