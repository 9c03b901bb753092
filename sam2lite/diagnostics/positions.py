"""The learned position tables of an image encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sam2lite.diagnostics.maps import TokenMap, token_map

if TYPE_CHECKING:
    from sam2lite.models.loaded import LoadedModel

_MARK = "pos"  # in the name of a parameter, the field's habit: pos_embed, position


def position_tables(model: LoadedModel) -> dict[str, TokenMap]:
    """Return the tables by the names of their parameters.

    A parameter is one if its name says so and it has the shape of a map, or of one after a class
    token.

    Args:
        model: the network.
    """
    encoder = model.module(model.family.image_encoder.name)
    tables = {}
    for name, parameter in encoder.named_parameters():
        if _MARK not in name.rpartition(".")[2]:
            continue
        array: NDArray[Any] = parameter.detach().numpy()
        found = token_map(array)
        if found is None and array.ndim == 3:
            found = token_map(array[:, 1:])
        if found is not None and found.tokens_nc.any():
            tables[name] = found
    return tables


def components(table: TokenMap, count: int = 3) -> NDArray[np.float64]:
    """Return a table's first principal components, `[height, width, count]`."""
    centred = table.tokens_nc.astype(np.float64) - table.tokens_nc.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    return table.on_grid(left[:, :count] * values[:count])
