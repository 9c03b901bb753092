"""Arrays that are maps of tokens, and single tokens of them."""

import numpy as np
import pytest

from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.diagnostics.maps import TokenMap, token_map
from sam2lite.diagnostics.tokens import likeness, norms
from sam2lite.errors import ArgumentError

GRID = np.arange(4 * 4 * 3, dtype=np.float32).reshape(4, 4, 3)


@pytest.mark.parametrize(
    "array",
    [GRID.transpose(2, 0, 1)[None], GRID[None], GRID.reshape(1, 16, 3)],
    ids=["channels first", "channels last", "tokens"],
)
def test_every_layout_is_the_same_map(array: np.ndarray) -> None:
    found = token_map(array)
    assert found is not None
    assert (found.height, found.width, found.channels) == (4, 4, 3)
    assert np.array_equal(found.tokens_nc, GRID.reshape(16, 3))


def test_a_wide_input_has_a_wide_grid() -> None:
    wide = Aspect(2, 1)
    found = token_map(np.zeros((1, 8, 3), np.float32), wide)
    assert found is not None
    assert (found.height, found.width) == (2, 4)
    assert token_map(np.zeros((1, 5, 2, 4), np.float32), wide) is not None
    assert token_map(np.zeros((1, 5, 2, 4), np.float32), SQUARE) is None


@pytest.mark.parametrize("shape", [(1, 7, 3), (2, 3, 4, 4), (16, 3), (1, 3, 1, 1), (1, 5, 2, 3)])
def test_what_is_no_map(shape: tuple[int, ...]) -> None:
    assert token_map(np.zeros(shape, np.float32)) is None


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ArgumentError, match="not finite"):
        token_map(np.full((1, 3, 4, 4), np.nan, np.float32))


def test_the_token_under_a_pixel() -> None:
    found = TokenMap(np.zeros((8, 1), np.float32), 2, 4)
    assert found.token_at(0, 0, 400, 200) == 0
    assert found.token_at(399, 199, 400, 200) == 7
    assert found.token_at(150, 120, 400, 200) == 5


def test_long_tokens_are_counted_and_likeness_ignores_length() -> None:
    tokens = np.ones((9, 2), np.float32)
    tokens[4] = 30.0
    tokens[8] = (1.0, -1.0)
    found = TokenMap(tokens, 3, 3)
    assert norms(found).outliers == 1
    assert norms(found).largest / norms(found).median == pytest.approx(30.0)
    like = likeness(found, 0)
    assert like[4] == pytest.approx(1.0)
    assert like[8] == pytest.approx(0.0, abs=1e-6)
