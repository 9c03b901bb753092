"""The power rails of a Jetson, and which of them are the whole.

Boards measure rails with INA3221 chips. JetPack 4 shows them as iio devices with power in mW,
JetPack 5 and 6 as hwmon devices with mV and mA; Thor has an INA238 at its input as well, with
power in uW. Where they are and what they are called: docs/cameras-and-power.md.
"""

import os
import re
from typing import Collection, List, NamedTuple, Optional, Tuple

from sam2lite.device.sensors.sysfs import ROOT, matching, read_number, read_text

_IIO = ("/sys/bus/i2c/drivers/ina3221x/*/iio:device*/rail_name_[0-9]",)
# Channels 1 to 3 alone are rails: from 4 on there are shunt voltages, and sums under a label.
_HWMON = ("/sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/in[123]_label",)
_INPUT = ("/sys/bus/i2c/drivers/ina238/*/hwmon/hwmon*/power1_input",)
_INPUT_RAIL = "VIN"  # what NVIDIA's tegrastats calls it; the chip has no label
_NOT_CONNECTED = ("", "NC")


class Rail(NamedTuple):
    """A rail and where its power is read.

    Attributes:
        name: as the board's device tree has it.
        files: the power is the product of their numbers.
        watts_per_unit: of that product.
    """

    name: str
    files: Tuple[str, ...]
    watts_per_unit: float


class Total(NamedTuple):
    """Rails that together are all that a board, or its module, takes.

    Attributes:
        rails: to be summed.
        covers: `board` or `module`; a module's figure leaves the carrier board out.
        beside: rails that are there too on the boards that are meant.
    """

    rails: Tuple[str, ...]
    covers: str
    beside: Tuple[str, ...] = ()


# Other sums would count power twice, for some rails feed others. Sources: docs/cameras-and-power.md
TOTALS = (
    Total(("POM_5V_IN",), "board"),  # Nano
    Total(("VDD_IN",), "module"),  # TX2, Xavier NX, Orin Nano, Orin NX
    Total(("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"), "module"),  # AGX Xavier
    Total(("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), "module"),  # AGX Orin
    Total((_INPUT_RAIL,), "board", beside=("VDD_CPU_SOC_MSS",)),  # Thor
    Total(("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"), "module"),  # Thor without its INA238
)


def find_rails(root: str = ROOT) -> List[Rail]:
    """Return the rails that can be read now, none where there is no such chip."""
    rails = [_iio_rail(path) for path in matching(root, _IIO)]
    rails += [_hwmon_rail(path) for path in matching(root, _HWMON)]
    rails += [Rail(_INPUT_RAIL, (path,), 1e-6) for path in matching(root, _INPUT)]
    rails = [rail for rail in rails if rail.name not in _NOT_CONNECTED]
    return [rail for rail in rails if read_watts(rail) is not None]


def read_watts(rail: Rail) -> Optional[float]:
    """Return the power of a rail now, or None."""
    product = 1
    for path in rail.files:
        number = read_number(path)
        if number is None:
            return None
        product *= number
    return product * rail.watts_per_unit


def find_total(names: Collection[str]) -> Optional[Total]:
    """Return what to sum for the whole, or None where it is not known of rails of these names."""
    known = (total for total in TOTALS if set(total.rails + total.beside) <= set(names))
    return next(known, None)


def _iio_rail(name_path: str) -> Rail:
    folder, name_file = os.path.split(name_path)
    power = "in_power{}_input".format(re.sub(r"\D", "", name_file))
    return Rail(read_text(name_path).strip(), (os.path.join(folder, power),), 1e-3)


def _hwmon_rail(label_path: str) -> Rail:
    folder, label_file = os.path.split(label_path)
    channel = re.sub(r"\D", "", label_file)
    names = ("in{}_input".format(channel), "curr{}_input".format(channel))
    files = tuple(os.path.join(folder, name) for name in names)
    return Rail(read_text(label_path).strip(), files, 1e-6)
