"""The clocks of processor, GPU and memory, where this user may read them."""

from typing import List, NamedTuple, Optional, Tuple

from sam2lite.device.sensors.sysfs import ROOT, matching, read_number


class Clock(NamedTuple):
    """A clock.

    Attributes:
        name: `cpu`, `gpu` or `emc`, which is the memory of a Jetson.
        files: one per group of cores; the fastest counts, for the others may have nothing to do.
        mhz_per_unit: of the numbers in them.
    """

    name: str
    files: Tuple[str, ...]
    mhz_per_unit: float


# Name, MHz per unit, places. GPUs: Nano and Orin (*.gpu), TX2, Xavier, Orin, Thor. Memory clocks
# are in debugfs, which root alone may read. Sources: docs/cameras-and-power.md
_PLACES = (
    ("cpu", 1e-3, ("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq",)),
    (
        "gpu",
        1e-6,
        (
            "/sys/class/devfreq/*.gpu/cur_freq",
            "/sys/class/devfreq/*.gp10b/cur_freq",
            "/sys/class/devfreq/*.gv11b/cur_freq",
            "/sys/class/devfreq/*.ga10b/cur_freq",
            "/sys/class/devfreq/gpu-gpc-*/cur_freq",
            "/sys/devices/gpu.0/devfreq/*/cur_freq",
        ),
    ),
    (
        "emc",
        1e-6,
        ("/sys/kernel/debug/bpmp/debug/clk/emc/rate", "/sys/kernel/debug/clk/emc/clk_rate"),
    ),
)


def find_clocks(root: str = ROOT) -> List[Clock]:
    """Return the clocks that can be read now."""
    clocks = [
        Clock(name, tuple(matching(root, places)), mhz_per_unit)
        for name, mhz_per_unit, places in _PLACES
    ]
    return [clock for clock in clocks if read_mhz(clock) is not None]


def read_mhz(clock: Clock) -> Optional[float]:
    """Return the rate of a clock now, or None."""
    rates = [rate for rate in map(read_number, clock.files) if rate is not None]
    return max(rates) * clock.mhz_per_unit if rates else None
