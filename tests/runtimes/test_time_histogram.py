import numpy as np
import pytest

from sam2lite.runtimes.measuring.time_histogram import TimeHistogram


@pytest.mark.parametrize("scale_ms", [0.2, 30.0, 4000.0])
def test_percentiles_are_within_a_percent(scale_ms: float) -> None:
    times_ms = np.random.default_rng(0).lognormal(np.log(scale_ms), 0.5, 5000)
    histogram = TimeHistogram()
    for time_ms in times_ms:
        histogram.add(time_ms)
    for percent in (1, 50, 95, 100):
        expected = np.percentile(times_ms, percent, method="inverted_cdf")
        assert histogram.percentile(percent) == pytest.approx(expected, rel=0.011, abs=1e-3)


def test_nothing_has_no_percentile() -> None:
    assert TimeHistogram().percentile(50) is None
    assert TimeHistogram().summary() is None


def test_odd_times_do_no_harm() -> None:
    histogram = TimeHistogram()
    for time_ms in (float("nan"), 0.0, -1.0, float("inf"), 1e300):
        histogram.add(time_ms)
    assert histogram.count == 4
    assert len(histogram._bins) == 2
