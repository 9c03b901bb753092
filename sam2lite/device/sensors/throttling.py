"""Signs in the readings of the sensors that a board slowed itself down."""

from typing import Iterator, Sequence

from sam2lite.device.sensors.find import Reading, Sensors

# A clock has fallen if its median over the last quarter is below this share of the first quarter's:
# governors step clocks up and down all the time, and that is no throttling.
FALLEN = 0.9
_FEWEST_IN_A_QUARTER = 3
_WATCHED = ("cpu", "gpu")  # a memory clock follows what is asked of it
_REMEDY = "cool it better, or on a Jetson see its power mode: sudo nvpmodel -q"


def warnings(sensors: Sensors, readings: Sequence[Reading]) -> Iterator[str]:
    """Give a sentence for every zone that reached its limit and every clock that fell."""
    for name in sorted({zone.name for zone in sensors.zones}):
        limits = [zone.throttles_c for zone in sensors.zones if zone.name == name]
        known = [limit for limit in limits if limit is not None]
        reached = [reading.celsius[name] for reading in readings if name in reading.celsius]
        if known and reached and max(reached) >= min(known):
            yield "{} reached {:.1f} C, and is slowed down from {:.1f} C on: {}".format(
                name, max(reached), min(known), _REMEDY
            )
    for clock in _WATCHED:
        rates = [reading.mhz[clock] for reading in readings if clock in reading.mhz]
        quarter = len(rates) // 4
        if quarter < _FEWEST_IN_A_QUARTER:
            continue
        before, after = _median(rates[:quarter]), _median(rates[-quarter:])
        if after < FALLEN * before:
            yield "the {} clock fell from {:.0f} to {:.0f} MHz as frames were measured: {}".format(
                clock, before, after, _REMEDY
            )


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
