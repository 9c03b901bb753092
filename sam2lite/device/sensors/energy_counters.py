"""The energy counters of PC processors (RAPL), Intel's and AMD's alike.

Linux shows them as powercap zones. Since CVE-2020-8694 most systems let nobody but root read them.
"""

import os
from typing import List, NamedTuple

from sam2lite.device.sensors.sysfs import ROOT, matching, read_number, read_text

COVERS = "processor"
_ZONES = ("/sys/class/powercap/intel-rapl:*",)
# Parts of a package (core, dram) and what holds it (psys) would be counted twice.
_PACKAGE = "package-"


class EnergyCounter(NamedTuple):
    """A counter of microjoules that starts again from 0 after its range.

    Attributes:
        name: of its package.
        file: where it is read.
        range_uj: the highest value it shows, uJ.
    """

    name: str
    file: str
    range_uj: int


def find_counters(root: str = ROOT) -> List[EnergyCounter]:
    """Return the counters of processor packages that this user may read."""
    counters = []
    for folder in matching(root, _ZONES):
        name = read_text(os.path.join(folder, "name")).strip()
        path = os.path.join(folder, "energy_uj")
        range_uj = read_number(os.path.join(folder, "max_energy_range_uj"))
        if name.startswith(_PACKAGE) and range_uj and read_number(path) is not None:
            counters.append(EnergyCounter(name, path, range_uj))
    return counters


def joules_between(before_uj: int, after_uj: int, range_uj: int) -> float:
    """Return the energy between two readings, of which the counter started again once at most."""
    restarted_uj = range_uj if after_uj < before_uj else 0
    return (after_uj - before_uj + restarted_uj) / 1e6
