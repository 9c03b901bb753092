"""Finders of sensors, on trees written here in the form of public documents.

None of them was recorded on a board: the sources are in docs/cameras-and-power.md.
"""

from pathlib import Path

import pytest

from sam2lite.device.sensors.clock_rates import find_clocks, read_mhz
from sam2lite.device.sensors.energy_counters import find_counters
from sam2lite.device.sensors.find import find_sensors, read_sensors
from sam2lite.device.sensors.power_rails import find_rails, find_total, read_watts
from sam2lite.device.sensors.thermal import find_zones

# JetPack 4, Jetson Nano: rail names of energymon's JetsonPowerRails.md, files of jetson_stats'
# jtop/core/power.py; in_voltage and in_current are there beside the power in mW.
NANO = {
    f"sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/{name}": text
    for name, text in {
        "rail_name_0": "POM_5V_IN",
        "rail_name_1": "POM_5V_GPU",
        "rail_name_2": "POM_5V_CPU",
        "in_power0_input": "4211",
        "in_power1_input": "1200",
        "in_power2_input": "870",
        "in_voltage0_input": "5024",
        "in_current0_input": "838",
    }.items()
}
# JetPack 4, AGX Xavier: two chips and no rail that is the whole (same sources).
AGX_XAVIER = {
    f"sys/bus/i2c/drivers/ina3221x/1-004{chip}/iio:device{chip}/{name}{index}{end}": text
    for chip, names in enumerate((("GPU", "CPU", "SOC"), ("CV", "VDDRQ", "SYS5V")))
    for index, rail in enumerate(names)
    for name, end, text in (("rail_name_", "", rail), ("in_power", "_input", str(1000 + index)))
}


def hwmon(device: str, number: int, *rails: tuple[str, int, int]) -> dict[str, str]:
    """The files of an INA3221 under hwmon (Linux, Documentation/hwmon/ina3221.rst)."""
    folder = f"sys/bus/i2c/drivers/ina3221/{device}/hwmon/hwmon{number}"
    files = {}
    for channel, (label, millivolts, milliamps) in enumerate(rails, 1):
        files[f"{folder}/in{channel}_label"] = label
        files[f"{folder}/in{channel}_input"] = str(millivolts)
        files[f"{folder}/curr{channel}_input"] = str(milliamps)
        files[f"{folder}/in{channel + 3}_input"] = "760"  # shunt voltage, uV
    return {**files, f"{folder}/curr4_input": "999"}


ORIN_NANO = hwmon(
    "1-0040", 1, ("VDD_IN", 4976, 1304), ("VDD_CPU_GPU_CV", 4976, 336), ("VDD_SOC", 4976, 304)
)
AGX_ORIN = {
    **hwmon(
        *("1-0040", 3),
        *(("VDD_GPU_SOC", 20000, 200), ("VDD_CPU_CV", 20000, 40), ("VIN_SYS_5V0", 4968, 980)),
    ),
    **hwmon("1-0041", 4, ("NC", 0, 0), ("VDDQ_VDD2_1V8AO", 4968, 80)),
}
THOR = {
    **hwmon(
        *("2-0040", 5),
        *(("VDD_GPU", 12040, 640), ("VDD_CPU_SOC_MSS", 12040, 960), ("VIN_SYS_5V0", 5088, 1740)),
    ),
    "sys/bus/i2c/drivers/ina238/2-0044/hwmon/hwmon4/power1_input": "23400000",  # uW
}


def rapl(zone: str, name: str, energy_uj: int = 5) -> dict[str, str]:
    """The files of a powercap zone (Linux, Documentation/power/powercap/powercap.rst)."""
    folder = f"sys/class/powercap/{zone}"
    limits = {"max_energy_range_uj": "262143328850", "energy_uj": str(energy_uj)}
    return {f"{folder}/{key}": text for key, text in {"name": name, **limits}.items()}


def thermal(number: int, kind: str, millidegrees: object, **trips: object) -> dict[str, str]:
    """The files of a thermal zone (Linux, Documentation/driver-api/thermal/sysfs-api.rst)."""
    folder = f"sys/class/thermal/thermal_zone{number}"
    files = {"type": kind, "temp": str(millidegrees)}
    for index, (trip, limit) in enumerate(trips.items()):
        files[f"trip_point_{index}_type"] = trip.rstrip("_")
        files[f"trip_point_{index}_temp"] = str(limit)
    return {f"{folder}/{name}": text for name, text in files.items()}


def write(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return str(root)


@pytest.mark.parametrize(
    ("files", "watts", "total", "covers"),
    [
        (NANO, {"POM_5V_IN": 4.211, "POM_5V_GPU": 1.2, "POM_5V_CPU": 0.87}, "POM_5V_IN", "board"),
        (
            AGX_XAVIER,
            {"GPU": 1.0, "CPU": 1.001, "SOC": 1.002, "CV": 1.0, "VDDRQ": 1.001, "SYS5V": 1.002},
            "GPU CPU SOC CV VDDRQ SYS5V",
            "module",
        ),
        (
            ORIN_NANO,
            {"VDD_IN": 6.488704, "VDD_CPU_GPU_CV": 1.671936, "VDD_SOC": 1.512704},
            "VDD_IN",
            "module",
        ),
        (
            AGX_ORIN,
            {
                "VDD_GPU_SOC": 4.0,
                "VDD_CPU_CV": 0.8,
                "VIN_SYS_5V0": 4.86864,
                "VDDQ_VDD2_1V8AO": 0.39744,
            },
            "VDD_GPU_SOC VDD_CPU_CV VIN_SYS_5V0",
            "module",
        ),
        (
            THOR,
            {
                "VDD_GPU": 7.7056,
                "VDD_CPU_SOC_MSS": 11.5584,
                "VIN_SYS_5V0": 8.85312,
                "VIN": 23.4,
            },
            "VIN",
            "board",
        ),
    ],
)
def test_rails_and_their_total(
    files: dict[str, str], watts: dict[str, float], total: str, covers: str, tmp_path: Path
) -> None:
    rails = find_rails(write(tmp_path, files))
    assert {rail.name: read_watts(rail) for rail in rails} == pytest.approx(watts)
    found = find_total([rail.name for rail in rails])
    assert found is not None
    assert (" ".join(found.rails), found.covers) == (total, covers)


def test_thor_without_a_monitor_at_its_input_is_summed() -> None:
    found = find_total(["VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"])
    assert found is not None
    assert (len(found.rails), found.covers) == (3, "module")


def test_rails_of_an_unknown_board_have_no_total() -> None:
    assert find_total(["VDD_GPU_SOC", "VDD_CPU_CV", "VDD_SOMETHING"]) is None
    assert find_total(["VIN"]) is None  # an INA238 may sit anywhere on a board that is not Thor
    assert find_total([]) is None


def test_a_label_on_a_sum_is_no_rail(tmp_path: Path) -> None:
    folder = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1"
    sums = {f"{folder}/in{n}_label": "Sum of shunt voltages" for n in (4, 7)}
    rails = find_rails(write(tmp_path, {**ORIN_NANO, **sums}))
    assert len(rails) == 3


def test_a_rail_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    root = write(tmp_path, ORIN_NANO)
    folder = tmp_path / "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1"
    (folder / "curr2_input").unlink()
    (folder / "in3_input").write_text("not a number\n")
    assert [rail.name for rail in find_rails(root)] == ["VDD_IN"]


def test_counters_are_those_of_packages(tmp_path: Path) -> None:
    files = {
        **rapl("intel-rapl:0", "package-0", 123),
        **rapl("intel-rapl:0:0", "core"),
        **rapl("intel-rapl:1", "package-1"),
        **rapl("intel-rapl:2", "psys"),
    }
    counters = find_counters(write(tmp_path, files))
    assert [counter.name for counter in counters] == ["package-0", "package-1"]
    assert counters[0].range_uj == 262143328850
    assert read_sensors(find_sensors(str(tmp_path))).energy_uj == {"package-0": 123, "package-1": 5}


def test_a_counter_that_is_closed_is_left_out(tmp_path: Path) -> None:
    root = write(tmp_path, rapl("intel-rapl:0", "package-0"))
    path = tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj"
    path.unlink()
    path.mkdir()  # cannot be read by anybody; root may read a file of mode 0
    assert find_counters(root) == []


def test_zones_have_their_limit(tmp_path: Path) -> None:
    files = {
        **thermal(0, "CPU-therm", 51187, critical=104500, passive=99000, active=51000),
        **thermal(1, "GPU-therm", 50218, passive=-127000),
        **thermal(2, "PMIC-Die", 100000, passive=90000),
        **thermal(3, "cv0-thermal", ""),  # switched off: it cannot be read
        **thermal(10, "two", 40000, passive=90000, passive_=85000),
    }
    zones = find_zones(write(tmp_path, files))
    limits = {zone.name: zone.throttles_c for zone in zones}
    assert limits == {"CPU-therm": 99.0, "GPU-therm": None, "two": 85.0}


def test_zones_of_one_name_show_the_warmest(tmp_path: Path) -> None:
    root = write(tmp_path, {**thermal(0, "acpitz", 61000), **thermal(1, "acpitz", 27800)})
    assert read_sensors(find_sensors(root)).celsius == {"acpitz": 61.0}


@pytest.mark.parametrize(
    "gpu",
    [
        "sys/class/devfreq/57000000.gpu",  # Nano
        "sys/class/devfreq/17000000.gp10b",  # TX2
        "sys/class/devfreq/17000000.gv11b",  # Xavier
        "sys/class/devfreq/17000000.ga10b",  # Orin, JetPack 5
        "sys/class/devfreq/17000000.gpu",  # Orin, JetPack 6
        "sys/class/devfreq/gpu-gpc-0",  # Thor
        "sys/devices/gpu.0/devfreq/57000000.gpu",
    ],
)
def test_clocks_are_in_mhz(gpu: str, tmp_path: Path) -> None:
    cpu = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq"
    files = {
        cpu.format(0): "1224000",
        cpu.format(10): "1479000",  # another group of cores, and faster
        f"{gpu}/cur_freq": "921600000",
        "sys/class/devfreq/15340000.vic/cur_freq": "115200000",  # the video image compositor
        "sys/kernel/debug/bpmp/debug/clk/emc/rate": "1600000000",
    }
    clocks = find_clocks(write(tmp_path, files))
    rates = {clock.name: read_mhz(clock) for clock in clocks}
    assert rates == {"cpu": 1479.0, "gpu": pytest.approx(921.6), "emc": 1600.0}


def test_one_clock_under_two_names_is_read_once(tmp_path: Path) -> None:
    policy = "sys/devices/system/cpu/cpufreq/policy0"
    root = write(tmp_path, {f"{policy}/scaling_cur_freq": "1000000"})
    for core in range(4):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{core}"
        folder.mkdir()
        (folder / "cpufreq").symlink_to(tmp_path / policy)
    (clock,) = find_clocks(root)
    assert len(clock.files) == 1


def test_a_machine_without_sensors_has_none(tmp_path: Path) -> None:
    assert not any(find_sensors(str(tmp_path)))
