"""coremltools without its progress bars, which would write through ours, and its notes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from unittest.mock import patch


@contextmanager
def quiet() -> Iterator[None]:
    """Run coremltools in silence; errors are raised all the same."""
    from tqdm import tqdm  # type: ignore[import-untyped]  # coremltools needs it

    logger = logging.getLogger("coremltools")
    before = logger.level
    silent = partialmethod(tqdm.__init__, disable=True)
    try:
        # It logs an error before it raises it, and notes about integers that are in range.
        logger.setLevel(logging.CRITICAL)
        with patch.object(tqdm, "__init__", silent), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
