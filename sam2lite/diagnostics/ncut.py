"""Normalized cuts of a feature map: which tokens the network holds for the same thing.

The graph is that of ncut_pytorch: every token is tied to every other by
`exp(-(1 - cosine) / GAMMA)`, and the eigenvectors are those of `D^-1/2 A D^-1/2` (Shi and Malik
2000). With more than `MOST_DENSE` tokens they come from a sample of them by the one-shot Nystrom
method (Fowlkes et al. 2004, section 3.2).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sam2lite.diagnostics.eigenvectors import Doubles, leading
from sam2lite.diagnostics.maps import TokenMap

EIGENVECTORS = 8  # beside the first, which is the same for all images
GAMMA = 0.1
MOST_DENSE = 4096  # tokens
SAMPLED = 512  # tokens of a larger map
_SINGULAR = 1e-10  # of the largest eigenvalue: what is below is rounding


@dataclass(frozen=True)
class NCut:
    """Eigenvectors of a map.

    Attributes:
        vectors_nk: orthonormal, those of the largest eigenvalues first; the first of all left out.
        values_k: their eigenvalues, at most 1.
        root_degree_n: of every token, as a vector of length 1: the first eigenvector.
        sampled: tokens that they come from; None if from all.
    """

    vectors_nk: Doubles
    values_k: Doubles
    root_degree_n: Doubles
    sampled: int | None = None

    @property
    def method(self) -> str:
        """How they were found, for people."""
        if self.sampled is None:
            return f"dense, {len(self.vectors_nk)} tokens"
        return f"Nyström, {self.sampled} of {len(self.vectors_nk)} tokens"

    @property
    def cuts_nk(self) -> Doubles:
        """The relaxed indicators of the cuts: eigenvectors by the root of the degree."""
        return self.vectors_nk / self.root_degree_n[:, None]


def ncut(
    found: TokenMap,
    count: int = EIGENVECTORS,
    most_dense: int = MOST_DENSE,
    sampled: int = SAMPLED,
) -> NCut:
    """Return the leading eigenvectors of a map.

    Args:
        found: the map.
        count: of eigenvectors beside the first; fewer where there are fewer tokens.
        most_dense: tokens of which all are compared with all.
        sampled: tokens that stand for a larger map.
    """
    unit_nc = _unit(found.tokens_nc)
    size = len(unit_nc)
    if size <= most_dense:
        tied = _affinity(unit_nc, unit_nc)
        degree = tied.sum(axis=1)
        values, vectors = leading(tied / np.sqrt(degree[:, None] * degree[None]), count + 1)
        return NCut(vectors[:, 1:], values[1:], _length_one(np.sqrt(degree)))
    order = _sample_first(found, sampled)
    back = np.argsort(order)
    chosen, rest = unit_nc[order[:sampled]], unit_nc[order[sampled:]]
    degree, values, vectors = _one_shot(_affinity(chosen, chosen), _affinity(chosen, rest), count)
    root = _length_one(np.sqrt(degree))[back]
    return NCut(vectors[back], values, root, sampled)


def _one_shot(tied_mm: Doubles, across_mr: Doubles, count: int) -> tuple[Doubles, Doubles, Doubles]:
    """Return degrees, eigenvalues and orthonormal eigenvectors, sampled tokens first.

    Args:
        tied_mm: affinity of the sampled tokens.
        across_mr: of these with the rest.
        count: of eigenvectors beside the first.
    """
    values, vectors = np.linalg.eigh(tied_mm)
    kept = values > _SINGULAR * values[-1]
    values, vectors = values[kept], vectors[:, kept]
    sums = across_mr.sum(axis=1)
    inverse = vectors @ ((vectors.T @ sums) / values)
    # The completed affinity may give a token of the rest a sum of about 0.
    degree = np.concatenate([tied_mm.sum(axis=1) + sums, across_mr.sum(axis=0)])
    degree[len(tied_mm) :] += across_mr.T @ inverse
    degree = np.maximum(degree, 1e-12 * degree.max())
    root = np.sqrt(degree)
    first, second = root[: len(tied_mm)], root[len(tied_mm) :]
    tied = tied_mm / np.outer(first, first)
    across = across_mr / np.outer(first, second)
    values, vectors = np.linalg.eigh(tied)
    kept = values > _SINGULAR * values[-1]
    inverse_root = (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
    spread = inverse_root @ across
    values, vectors = leading(tied + spread @ spread.T, count + 1)
    joined = np.concatenate([tied, across.T]) @ (inverse_root @ vectors) / np.sqrt(values)
    return degree, values[1:], np.linalg.qr(joined)[0][:, 1:]


def _affinity(unit_nc: NDArray[np.float32], unit_mc: NDArray[np.float32]) -> Doubles:
    return np.asarray(np.exp((unit_nc @ unit_mc.T - 1.0) / GAMMA), np.float64)


def _unit(tokens_nc: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(tokens_nc, axis=1, keepdims=True)
    return np.asarray(tokens_nc / np.maximum(norms, np.finfo(np.float32).tiny), np.float32)


def _sample_first(found: TokenMap, sampled: int) -> NDArray[np.int64]:
    """Return all tokens in an order in which the first ones lie evenly over the grid."""
    size = found.height * found.width
    rows = max(1, round((sampled * found.height / found.width) ** 0.5))
    columns = max(1, sampled // rows)
    y = ((np.arange(rows) + 0.5) * found.height / rows).astype(int)
    x = ((np.arange(columns) + 0.5) * found.width / columns).astype(int)
    even = (y[:, None] * found.width + x[None]).ravel()
    others = np.setdiff1d(np.arange(size), even)
    missing = sampled - len(even)
    more = others[np.linspace(0, len(others) - 1, missing).astype(int)] if missing > 0 else []
    first = np.concatenate([even, more]).astype(np.int64)
    return np.concatenate([first, np.setdiff1d(np.arange(size), first)])


def _length_one(vector_n: Doubles) -> Doubles:
    return np.asarray(vector_n / np.linalg.norm(vector_n), np.float64)
