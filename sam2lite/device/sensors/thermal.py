"""The thermal zones of Linux: how warm, and from when on the kernel slows the chip down."""

import os
from typing import List, NamedTuple, Optional

from sam2lite.device.sensors.sysfs import ROOT, matching, read_number, read_text

_ZONES = ("/sys/class/thermal/thermal_zone*",)
_TRIP_TYPES = "trip_point_*_type"
_PASSIVE = "passive"  # the kind of trip point that slows clocks; `active` ones start a fan
_NO_SENSOR = "PMIC"  # shows the same temperature always; jetson_stats leaves it out too


class Zone(NamedTuple):
    """A thermal zone.

    Attributes:
        name: the kernel's, such as `GPU-therm`; several zones may share one.
        file: where its temperature is read.
        throttles_c: from when on it is cooled by slowing down, degrees Celsius, or None.
    """

    name: str
    file: str
    throttles_c: Optional[float]


def find_zones(root: str = ROOT) -> List[Zone]:
    """Return the zones that show a temperature now; those of parts switched off do not."""
    zones = []
    for folder in matching(root, _ZONES):
        name = read_text(os.path.join(folder, "type")).strip()
        zone = Zone(name, os.path.join(folder, "temp"), _throttles_c(folder))
        if name and _NO_SENSOR not in name and read_celsius(zone) is not None:
            zones.append(zone)
    return zones


def read_celsius(zone: Zone) -> Optional[float]:
    """Return the temperature of a zone now, or None."""
    millidegrees = read_number(zone.file)
    return None if millidegrees is None else millidegrees / 1e3


def _throttles_c(folder: str) -> Optional[float]:
    types = matching(folder, (_TRIP_TYPES,))
    passive = [path for path in types if read_text(path).strip() == _PASSIVE]
    found = [read_number(path[: -len("type")] + "temp") for path in passive]
    above_zero = [limit for limit in found if limit and limit > 0]  # others are not in use
    return min(above_zero) / 1e3 if above_zero else None
