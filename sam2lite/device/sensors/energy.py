"""Energy from readings of the sensors: power summed over time, or counters read as they are."""

from typing import List, NamedTuple, Optional, Sequence

from sam2lite.device.sensors.energy_counters import EnergyCounter, joules_between
from sam2lite.device.sensors.find import Reading

_SHORTEST_STEP_S = 0.02  # counters tick each millisecond: over less, their power means little


class Energy(NamedTuple):
    """What was taken from the first reading that counts to the last.

    Attributes:
        joules: of all that time.
        seconds: of it.
        max_w: the highest power of a reading, or between two readings of a counter.
        samples: readings that count.
    """

    joules: float
    seconds: float
    max_w: float
    samples: int

    @property
    def mean_w(self) -> float:
        """The mean over time."""
        return self.joules / self.seconds


def energy_of_rails(readings: Sequence[Reading], names: Sequence[str]) -> Optional[Energy]:
    """Return the energy of rails together by the trapezoidal rule.

    Readings that lack one of the rails do not count; None where fewer than two are left.
    """
    whole = [reading for reading in readings if all(name in reading.watts for name in names)]
    times = [reading.time_s for reading in whole]
    watts = [sum(reading.watts[name] for name in names) for reading in whole]
    if len(whole) < 2 or times[0] == times[-1]:
        return None
    steps = zip(times, times[1:], watts, watts[1:])
    joules = sum((end - start) * (first + last) / 2 for start, end, first, last in steps)
    return Energy(joules, times[-1] - times[0], max(watts), len(whole))


def energy_of_counters(
    readings: Sequence[Reading], counters: Sequence[EnergyCounter]
) -> Optional[Energy]:
    """Return the energy that counters together counted; None where two readings lack."""
    names = [counter.name for counter in counters]
    whole = [reading for reading in readings if all(name in reading.energy_uj for name in names)]
    times = [reading.time_s for reading in whole]
    if len(whole) < 2 or times[0] == times[-1]:
        return None
    joules, seconds = 0.0, times[-1] - times[0]
    watts: List[float] = []
    for index in range(1, len(whole)):
        step_s = times[index] - times[index - 1]
        before, after = whole[index - 1].energy_uj, whole[index].energy_uj
        step_j = sum(joules_between(before[c.name], after[c.name], c.range_uj) for c in counters)
        joules += step_j
        if step_s >= _SHORTEST_STEP_S:
            watts.append(step_j / step_s)
    return Energy(joules, seconds, max(watts or [joules / seconds]), len(whole))
