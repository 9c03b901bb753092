"""The state of a board that decides how fast it is: power mode and clocks.

Parsers take the text of files in /proc, /sys and /etc, and touch nothing themselves.
"""

import glob
import os
import re
from typing import Dict, List, Mapping, Optional

from sam2lite.device.sensors.sysfs import read_text
from sam2lite.runtimes.commands.machine_checks import OK, WARNING, Check

_NVPMODEL_CONF = "/etc/nvpmodel.conf"
_NVPMODEL_STATUS = "/var/lib/nvpmodel/status"
_CPUFREQ = "/sys/devices/system/cpu/cpu*/cpufreq"
_CPUFREQ_FILES = ("scaling_governor", "scaling_driver", "scaling_max_freq", "cpuinfo_max_freq")


def check_power_mode() -> Check:
    """Look at the power mode of a Jetson; other boards have none."""
    return judge_power_mode(read_text(_NVPMODEL_CONF), read_text(_NVPMODEL_STATUS))


def judge_power_mode(conf: str, status: str) -> Check:
    """Judge the power mode by the text of nvpmodel.conf and of nvpmodel's status file."""
    modes = parse_power_modes(conf)
    if not modes:
        return Check("Power mode", OK, "not a Jetson: no {}".format(_NVPMODEL_CONF))
    current = parse_power_status(status)
    if current not in modes:
        return Check("Power mode", WARNING, "unknown", "see it with: sudo nvpmodel -q")
    value = "{} ({})".format(modes[current], current)
    # The fastest mode is called MAXN, and MAXN_SUPER where there is one; its number differs.
    fastest = [mode for mode, name in modes.items() if name.upper().startswith("MAXN")]
    if fastest and current not in fastest:
        remedy = "for speed: sudo nvpmodel -m {}; it takes more power".format(fastest[0])
        return Check("Power mode", WARNING, value, remedy)
    return Check("Power mode", OK, value)


def parse_power_modes(conf: str) -> Dict[int, str]:
    """Return the names of the modes in nvpmodel.conf by number."""
    found = re.findall(r"^<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>", conf, re.MULTILINE)
    return {int(number): name for number, name in found}


def parse_power_status(status: str) -> Optional[int]:
    """Return the number of the mode in nvpmodel's status file (`pmode:0002`), or None."""
    found = re.search(r"pmode:(\d+)", status)
    return int(found.group(1)) if found else None


def check_clocks() -> Check:
    """Look at the limits and governors of the processor's clocks."""
    return judge_clocks(
        [
            {name: read_text(os.path.join(folder, name)).strip() for name in _CPUFREQ_FILES}
            for folder in sorted(glob.glob(_CPUFREQ))
        ]
    )


def judge_clocks(cores: List[Mapping[str, str]]) -> Check:
    """Judge the clocks.

    Args:
        cores: for every core, the text of the files in its cpufreq folder by name.
    """
    known = [core for core in cores if core["scaling_max_freq"].isdigit()]
    known = [core for core in known if core["cpuinfo_max_freq"].isdigit()]
    if not known:
        return Check("CPU clocks", OK, "not shown by this system")
    # The core that is held back the most; they may differ on chips with two kinds of cores.
    core = min(known, key=lambda c: int(c["scaling_max_freq"]) / int(c["cpuinfo_max_freq"]))
    allowed, able = int(core["scaling_max_freq"]), int(core["cpuinfo_max_freq"])
    governors = ", ".join(sorted({core["scaling_governor"] for core in known}))
    value = "up to {:.2f} of {:.2f} GHz, governor {}".format(allowed / 1e6, able / 1e6, governors)
    if allowed < able:
        remedy = "on a Jetson: sudo jetson_clocks; else: sudo cpupower frequency-set -u {}kHz"
        return Check("CPU clocks", WARNING, value, remedy.format(able))
    # The pstate drivers of PCs follow the load under this governor as well.
    slow = [core for core in known if "pstate" not in core["scaling_driver"]]
    if any(core["scaling_governor"] == "powersave" for core in slow):
        remedy = "on a Jetson: sudo jetson_clocks; else: sudo cpupower frequency-set -g schedutil"
        return Check("CPU clocks", WARNING, value, remedy)
    return Check("CPU clocks", OK, value)
