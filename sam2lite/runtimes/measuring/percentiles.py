"""What is said of many frames: percentiles, because a mean hides the frames that come late."""

from typing import Dict, Sequence

import numpy as np

PERCENTILES = {"p50": 50.0, "p95": 95.0, "p99": 99.0}


def percentiles(values_ms: Sequence[float]) -> Dict[str, float]:
    """Return `PERCENTILES` of a sample of at least one value, in its unit, to a microsecond.

    Between two values of the sample it is interpolated linearly (NumPy's default, type 7 of Hyndman
    and Fan 1996).
    """
    found = np.percentile(values_ms, list(PERCENTILES.values()))
    return {name: round(float(value), 3) for name, value in zip(PERCENTILES, found)}


def p50(values_ms: Sequence[float]) -> float:
    """Return the median of a sample of at least one value, in its unit, to a microsecond."""
    return round(float(np.median(values_ms)), 3)
