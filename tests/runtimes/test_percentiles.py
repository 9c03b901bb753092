import pytest

from sam2lite.runtimes.measuring.percentiles import p50, percentiles


def test_percentiles_of_a_known_sample() -> None:
    assert percentiles([float(value) for value in range(101)]) == {
        "p50": 50.0,
        "p95": 95.0,
        "p99": 99.0,
    }


def test_one_value_is_every_percentile() -> None:
    assert set(percentiles([3.25]).values()) == {3.25}


@pytest.mark.parametrize(("values", "median"), [([5.0], 5.0), ([1.0, 9.0], 5.0), ([9, 1, 2], 2.0)])
def test_median(values: list[float], median: float) -> None:
    assert p50(values) == median
