"""A Gaussian vector that is measured one component at a time."""

import math
from typing import Sequence


class Belief:
    """Mean and covariance, updated as in a Kalman filter.

    A measurement of one component moves the others by their covariance with it (Bishop, Pattern
    Recognition and Machine Learning, 2.3.3 and 13.3).

    Args:
        mean: first guess.
        covariance: its uncertainty, symmetric.
    """

    def __init__(self, mean: Sequence[float], covariance: Sequence[Sequence[float]]) -> None:
        self.mean = list(mean)
        self._covariance = [list(row) for row in covariance]

    def variance(self, index: int) -> float:
        """Return the variance of one component."""
        return self._covariance[index][index]

    def std_between(self, a: int, b: int) -> float:
        """Return the standard deviation of the difference of two components."""
        rows = self._covariance
        return math.sqrt(max(rows[a][a] + rows[b][b] - 2.0 * rows[a][b], 0.0))

    def measure(self, index: int, value: float, variance: float) -> None:
        """Take in a measurement of one component with the given variance."""
        row = self._covariance[index]
        gains = [entry / (row[index] + variance) for entry in row]
        surprise = value - self.mean[index]
        self.mean = [mean + gain * surprise for mean, gain in zip(self.mean, gains)]
        self._covariance = [
            [entry - gain * other for entry, other in zip(line, row)]
            for line, gain in zip(self._covariance, gains)
        ]

    def loosen(self, index: int, variance: float) -> None:
        """Let one component have moved by itself."""
        self._covariance[index][index] += variance

    def loosen_all(self, variance: float) -> None:
        """Let all components have moved together, by the same amount."""
        self._covariance = [[entry + variance for entry in row] for row in self._covariance]
