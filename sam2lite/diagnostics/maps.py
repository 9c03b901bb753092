"""Feature maps as tokens on a grid, whoever gave them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.errors import ArgumentError

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class TokenMap:
    """Features of an image: a token for each cell of a grid.

    Attributes:
        tokens_nc: row by row, `[height * width, channels]`.
        height: of the grid, cells.
        width: of the grid, cells.
    """

    tokens_nc: Floats
    height: int
    width: int

    @property
    def channels(self) -> int:
        """Numbers of a token."""
        return int(self.tokens_nc.shape[1])

    def on_grid(self, values_n: NDArray[Any]) -> NDArray[Any]:
        """Return a value a token, or a row of values a token, `[height, width, ...]`."""
        return values_n.reshape(self.height, self.width, *values_n.shape[1:])

    def token_at(self, x: float, y: float, width: int, height: int) -> int:
        """Return the index of the token under a pixel of the source.

        Args:
            x: of the pixel.
            y: of the pixel.
            width: of the source frame, px.
            height: of the source frame, px.
        """
        column = min(self.width - 1, int((x + 0.5) / width * self.width))
        row = min(self.height - 1, int((y + 0.5) / height * self.height))
        return row * self.width + column


@dataclass(frozen=True)
class View:
    """One way to look at a frame: a bundle, or the network itself, at an input size.

    Attributes:
        label: for people.
        maps: by the name of the tensor or module that gave them.
    """

    label: str
    maps: Mapping[str, TokenMap]


def token_map(array: NDArray[Any], aspect: Aspect = SQUARE) -> TokenMap | None:
    """Read an array as a map; None where it is none.

    Taken are `[1, channels, h, w]`, `[1, h, w, channels]` and `[1, h * w, channels]`, whose grid
    has the form of the input and at least four cells.

    Args:
        array: of one image.
        aspect: of the network's input.

    Raises:
        ArgumentError: a number is not finite.
    """
    found = _laid_out(array, aspect)
    if found is not None and not np.isfinite(found.tokens_nc).all():
        raise ArgumentError(
            "a feature map has numbers that are not finite; look with `sam2lite verify` at the "
            "bundle, or at the weights"
        )
    return found


def _laid_out(array: NDArray[Any], aspect: Aspect) -> TokenMap | None:
    if array.ndim not in (3, 4) or array.shape[0] != 1:
        return None
    sides = array.shape[1:]
    if array.ndim == 4:
        for rows, columns, axes in ((1, 2, (1, 2, 0)), (0, 1, (0, 1, 2))):
            if _is_grid(sides[rows], sides[columns], aspect):
                hwc = array[0].transpose(axes)
                return _made(hwc, hwc.shape[0], hwc.shape[1])
        return None
    rows = round((sides[0] * aspect.height / aspect.width) ** 0.5)
    columns = sides[0] // max(1, rows)
    if rows * columns == sides[0] and _is_grid(rows, columns, aspect):
        return _made(array[0], rows, columns)
    return None


def _is_grid(rows: int, columns: int, aspect: Aspect) -> bool:
    return min(rows, columns) >= 2 and rows * aspect.width == columns * aspect.height


def _made(values: NDArray[Any], rows: int, columns: int) -> TokenMap:
    tokens_nc = np.ascontiguousarray(values.reshape(rows * columns, -1), np.float32)
    return TokenMap(tokens_nc, rows, columns)
