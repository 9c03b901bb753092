"""What readings of the sensors add up to, as plain data and as lines for a person."""

from typing import Any, Dict, Iterator, List, Optional, Sequence

from sam2lite.device.sensors.energy import Energy, energy_of_counters, energy_of_rails
from sam2lite.device.sensors.energy_counters import COVERS
from sam2lite.device.sensors.find import Reading, Sensors
from sam2lite.device.sensors.power_rails import find_total
from sam2lite.device.sensors.throttling import warnings


def describe(sensors: Sensors, readings: Sequence[Reading], frames: int) -> Dict[str, Any]:
    """Return what the sensors said while frames were measured.

    Args:
        sensors: that were read.
        readings: in order of time.
        frames: how many were measured from the first reading to the last.

    Returns:
        `power`: None without a sensor of it; or else `rail`, the names of those that are the whole,
        what that `covers`, its `mean_w`, `max_w`, `joules_per_frame` and `samples` (all None where
        it is not known which rails are the whole), and every rail's mean and maximum in `rails`;
        `temperature_c`: the highest by zone; `clocks_mhz`: `min` and `mean` by clock; `warnings`:
        sentences on throttling.
    """
    celsius = _by_name([reading.celsius for reading in readings])
    mhz = _by_name([reading.mhz for reading in readings])
    return {
        "power": _power(sensors, readings, frames),
        "temperature_c": {name: round(max(values), 1) for name, values in celsius.items()},
        "clocks_mhz": {
            name: {"min": round(min(values), 1), "mean": round(sum(values) / len(values), 1)}
            for name, values in mhz.items()
        },
        "warnings": list(warnings(sensors, readings)),
    }


def lines(sampled: Dict[str, Any]) -> Iterator[str]:
    """Give the lines that tell a person what `describe` returned; none of what was not read."""
    power = sampled["power"]
    if power is not None and power["rail"] is not None:
        yield (
            "{joules_per_frame:.3f} J a frame; {mean_w:.2f} W on average, {max_w:.2f} W at most, "
            "of the {covers} ({rail})".format(**power)
        )
    elif power is not None:
        rails = ("{} {mean_w:.2f} W".format(name, **rail) for name, rail in power["rails"].items())
        yield "power on average: {}; which of them are the whole is not known".format(
            ", ".join(rails)
        )
    if sampled["temperature_c"]:
        zone, degrees = max(sampled["temperature_c"].items(), key=lambda item: float(item[1]))
        yield "{:.1f} C at most, in {}".format(degrees, zone)
    for name, clock in sampled["clocks_mhz"].items():
        yield "{} clock: {mean:.0f} MHz on average, {min:.0f} at least".format(name, **clock)


def _power(sensors: Sensors, readings: Sequence[Reading], frames: int) -> Optional[Dict[str, Any]]:
    names = [rail.name for rail in sensors.rails]
    found = {name: energy_of_rails(readings, [name]) for name in names}
    for counter in sensors.counters:
        found[counter.name] = energy_of_counters(readings, [counter])
    rails = {name: _watts(energy) for name, energy in found.items() if energy is not None}
    if not rails:
        return None
    total = find_total(names)
    rail: Optional[str] = None
    covers: Optional[str] = None
    whole: Optional[Energy] = None
    if total is not None:
        rail, covers = " + ".join(total.rails), total.covers
        whole = energy_of_rails(readings, total.rails)
    elif sensors.counters:
        rail, covers = " + ".join(counter.name for counter in sensors.counters), COVERS
        whole = energy_of_counters(readings, sensors.counters)
    if whole is None:
        keys = ("rail", "covers", "mean_w", "max_w", "joules_per_frame", "samples")
        return dict(dict.fromkeys(keys), rails=rails)
    seconds = readings[-1].time_s - readings[0].time_s
    return dict(
        _watts(whole),
        rail=rail,
        covers=covers,
        joules_per_frame=round(whole.mean_w * seconds / frames, 6),
        samples=whole.samples,
        rails=rails,
    )


def _watts(energy: Energy) -> Dict[str, float]:
    return {"mean_w": round(energy.mean_w, 3), "max_w": round(energy.max_w, 3)}


def _by_name(values: List[Dict[str, float]]) -> Dict[str, List[float]]:
    found: Dict[str, List[float]] = {}
    for value in values:
        for name, number in value.items():
            found.setdefault(name, []).append(number)
    return found
