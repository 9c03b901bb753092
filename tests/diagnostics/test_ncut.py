"""Normalized cuts, their eigenvectors, and how far two sets of them agree."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sam2lite.diagnostics.agreement import agree, feature_errors
from sam2lite.diagnostics.eigenvectors import leading
from sam2lite.diagnostics.maps import TokenMap
from sam2lite.diagnostics.ncut import ncut
from sam2lite.diagnostics.pictures import by_rank


def parts_of(height: int, width: int) -> NDArray[np.int64]:
    """Return which of three parts each cell belongs to: a left and a right half, and a square."""
    parts = np.zeros((height, width), np.int64)
    parts[:, width // 2 :] = 1
    parts[: height // 3, : width // 3] = 2
    return parts


def features(height: int, width: int, noise: float, seed: int = 0) -> TokenMap:
    rng = np.random.default_rng(seed)
    kinds = np.random.default_rng(99).standard_normal((3, 16))
    tokens = kinds[parts_of(height, width).ravel()]
    tokens = tokens + noise * rng.standard_normal(tokens.shape)
    return TokenMap(tokens.astype(np.float32), height, width)


def told_apart(found: TokenMap, cuts: NDArray[np.float64]) -> float:
    """Return the share of tokens that the nearest of the parts' middles gives to their own part."""
    parts = parts_of(found.height, found.width).ravel()
    middles = np.stack([cuts[parts == part].mean(axis=0) for part in range(3)])
    nearest = ((cuts[:, None] - middles[None]) ** 2).sum(axis=2).argmin(axis=1)
    return float((nearest == parts).mean())


@pytest.mark.parametrize("most_dense", [4096, 100])
def test_parts_are_told_apart_densely_and_by_a_sample(most_dense: int) -> None:
    found = features(20, 30, noise=0.4)
    cut = ncut(found, count=2, most_dense=most_dense, sampled=60)
    assert cut.vectors_nk.shape == (600, 2)
    assert (cut.sampled is None) == (most_dense == 4096)
    assert np.allclose(cut.vectors_nk.T @ cut.vectors_nk, np.eye(2), atol=1e-6)
    assert told_apart(found, cut.cuts_nk) > 0.97


def test_a_sample_finds_the_space_of_all() -> None:
    found = features(24, 24, noise=0.3)
    cut, sampled = ncut(found, 2), ncut(found, 2, most_dense=100, sampled=120)
    assert agree(found, cut, found, sampled).mean_cosine > 0.99


def test_eigenvectors_of_a_large_matrix_are_those_of_lapack() -> None:
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((700, 700)))[0]
    spectrum = 0.97 ** np.arange(700)
    matrix = (basis * spectrum) @ basis.T
    values, vectors = leading(matrix, 9)
    assert np.allclose(values, spectrum[:9], atol=1e-6)
    assert np.allclose(np.abs(np.sum(vectors * basis[:, :9], axis=0)), 1.0, atol=1e-4)


def test_a_map_agrees_with_itself_however_its_eigenvectors_are_turned() -> None:
    found = features(12, 18, noise=0.5)
    cut = ncut(found, 4)
    turned = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0]
    other = type(cut)(cut.vectors_nk @ turned, cut.values_k, cut.root_degree_n)
    same = agree(found, cut, found, other)
    assert same.mean_cosine == pytest.approx(1.0)
    assert same.apart_n.max() < 1e-6
    assert np.allclose(other.vectors_nk @ same.turn_kk, cut.vectors_nk)


def test_more_noise_agrees_less_and_is_found_where_it_is() -> None:
    found = features(16, 16, noise=0.2)
    cut = ncut(found, 2)
    means = []
    for noise in (0.0, 0.3, 3.0):
        tokens = found.tokens_nc.copy()
        where = slice(0, 64)
        tokens[where] += noise * np.random.default_rng(5).standard_normal((64, 16)).astype("f")
        other = TokenMap(tokens, 16, 16)
        agreement = agree(found, cut, other, ncut(other, 2))
        means.append(agreement.mean_cosine)
    assert means[0] > means[1] > means[2]
    assert agreement.apart_n[where].mean() > 3 * agreement.apart_n[64:].mean()
    errors = feature_errors(found, other)
    assert errors is not None
    assert errors[64:].max() == 0.0
    assert errors[where].min() > 0.0


def test_two_sizes_of_one_picture_agree() -> None:
    large, small = features(24, 36, noise=0.2), features(12, 18, noise=0.2, seed=3)
    agreement = agree(large, ncut(large, 2), small, ncut(small, 2))
    assert agreement.mean_cosine > 0.9
    assert agreement.apart_n.shape == (24 * 36,)
    assert feature_errors(large, small) is None
    unrelated = TokenMap(
        np.random.default_rng(7).standard_normal((12 * 18, 16)).astype(np.float32), 12, 18
    )
    assert agree(large, ncut(large, 2), unrelated, ncut(unrelated, 2)).mean_cosine < 0.5


def test_colours_are_ranks() -> None:
    values = np.array([[[0.0], [1e-3]], [[1e6], [1e6]]])
    picture = by_rank(values)
    assert picture[..., 2].tolist() == [[0, 85], [212, 212]]  # red; equal values have one rank
    assert (picture[..., :2] == 128).all()
    assert np.array_equal(picture, by_rank(np.cbrt(values)))
