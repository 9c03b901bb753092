"""What a board can say of its power, warmth and clocks, and one reading of all of it."""

import time
from typing import Dict, List, NamedTuple

from sam2lite.device.sensors.clock_rates import Clock, find_clocks, read_mhz
from sam2lite.device.sensors.energy_counters import EnergyCounter, find_counters
from sam2lite.device.sensors.power_rails import Rail, find_rails, read_watts
from sam2lite.device.sensors.sysfs import ROOT, read_number
from sam2lite.device.sensors.thermal import Zone, find_zones, read_celsius


class Sensors(NamedTuple):
    """The sensors of a machine; any may be none.

    Attributes:
        rails: whose power is read.
        counters: of energy.
        zones: whose temperature is read.
        clocks: whose rate is read.
    """

    rails: List[Rail]
    counters: List[EnergyCounter]
    zones: List[Zone]
    clocks: List[Clock]


class Reading(NamedTuple):
    """What the sensors said at one time; one that did not answer is left out.

    Attributes:
        time_s: of a clock that does not jump.
        watts: by name of the rail.
        energy_uj: by name of the counter.
        celsius: by name of the zone; the warmest of those that share a name.
        mhz: by name of the clock.
    """

    time_s: float
    watts: Dict[str, float]
    energy_uj: Dict[str, int]
    celsius: Dict[str, float]
    mhz: Dict[str, float]


def find_sensors(root: str = ROOT) -> Sensors:
    """Look for every kind of sensor.

    Args:
        root: the folder that stands for `/`.
    """
    return Sensors(find_rails(root), find_counters(root), find_zones(root), find_clocks(root))


def read_sensors(sensors: Sensors) -> Reading:
    """Read every sensor once."""
    time_s = time.monotonic()
    watts = {rail.name: read_watts(rail) for rail in sensors.rails}
    energy_uj = {counter.name: read_number(counter.file) for counter in sensors.counters}
    mhz = {clock.name: read_mhz(clock) for clock in sensors.clocks}
    celsius: Dict[str, float] = {}
    for zone in sensors.zones:
        degrees = read_celsius(zone)
        if degrees is not None:
            celsius[zone.name] = max(degrees, celsius.get(zone.name, degrees))
    return Reading(
        time_s,
        {name: value for name, value in watts.items() if value is not None},
        {name: value for name, value in energy_uj.items() if value is not None},
        celsius,
        {name: value for name, value in mhz.items() if value is not None},
    )
