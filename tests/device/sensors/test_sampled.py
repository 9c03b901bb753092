"""What readings add up to: energy, warmth, clocks and signs of throttling."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sam2lite.device.sensors.energy_counters import EnergyCounter
from sam2lite.device.sensors.find import Reading, Sensors
from sam2lite.device.sensors.power_rails import Rail
from sam2lite.device.sensors.sampled import describe, lines
from sam2lite.device.sensors.sampler import Sampler
from sam2lite.device.sensors.thermal import Zone

NOTHING = Sensors([], [], [], [])
VDD_IN = NOTHING._replace(rails=[Rail("VDD_IN", (), 1.0), Rail("VDD_SOC", (), 1.0)])
PACKAGE = NOTHING._replace(counters=[EnergyCounter("package-0", "", 1_000_000_000)])
CPU_LIMIT = NOTHING._replace(zones=[Zone("cpu-thermal", "", 99.0)])


def reading(time_s: float, **values: dict[str, Any]) -> Reading:
    return Reading(time_s, **{"watts": {}, "energy_uj": {}, "celsius": {}, "mhz": {}, **values})


def watts(time_s: float, whole: float, part: float = 1.0) -> Reading:
    return reading(time_s, watts={"VDD_IN": whole, "VDD_SOC": part})


def clocks(*rates: float, name: str = "gpu") -> list[Reading]:
    return [reading(float(index), mhz={name: rate}) for index, rate in enumerate(rates)]


def test_joules_are_power_over_time_whatever_the_step() -> None:
    readings = [watts(0.0, 4.0), watts(1.0, 8.0), watts(4.0, 6.0)]  # 6 + 21 joules
    power = describe(VDD_IN, readings, frames=10)["power"]
    assert (power["rail"], power["covers"], power["samples"]) == ("VDD_IN", "module", 3)
    assert power["joules_per_frame"] == pytest.approx(2.7)
    assert power["mean_w"] == pytest.approx(27 / 4)
    assert power["max_w"] == 8.0
    assert power["rails"]["VDD_SOC"] == {"mean_w": 1.0, "max_w": 1.0}
    assert set(power["rails"]) == {"VDD_IN", "VDD_SOC"}


def test_a_reading_without_the_rail_costs_no_energy() -> None:
    readings = [watts(0.0, 5.0), reading(1.0), watts(2.0, 5.0), reading(4.0)]
    power = describe(VDD_IN, readings, frames=2)["power"]
    assert power["samples"] == 2
    assert power["joules_per_frame"] == pytest.approx(10.0)  # of all four seconds


def test_a_total_of_several_rails_is_their_sum() -> None:
    agx_orin = {"VDD_GPU_SOC": 4.0, "VDD_CPU_CV": 1.0, "VIN_SYS_5V0": 5.0, "VDDQ_VDD2_1V8AO": 0.5}
    sensors = NOTHING._replace(rails=[Rail(name, (), 1.0) for name in agx_orin])
    readings = [reading(t, watts=agx_orin) for t in (0.0, 1.0)]
    power = describe(sensors, readings, frames=10)["power"]
    assert power["rail"] == "VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0"
    assert (power["mean_w"], power["max_w"], power["joules_per_frame"]) == (10.0, 10.0, 1.0)


def test_unknown_rails_are_logged_but_not_summed() -> None:
    sensors = NOTHING._replace(rails=[Rail("A", (), 1.0), Rail("B", (), 1.0)])
    readings = [reading(t, watts={"A": 4.0, "B": 3.0}) for t in (0.0, 1.0)]
    sampled = describe(sensors, readings, frames=10)
    assert sampled["power"]["joules_per_frame"] is sampled["power"]["rail"] is None
    assert sampled["power"]["rails"]["B"] == {"mean_w": 3.0, "max_w": 3.0}
    (line,) = lines(sampled)
    assert "A 4.00 W, B 3.00 W" in line
    assert "not known" in line


def test_counters_are_exact_and_may_start_again() -> None:
    counts = ((0.0, 999_000_000), (0.5, 4_000_000), (1.0, 5_000_000), (1.001, 5_900_000))
    readings = [reading(t, energy_uj={"package-0": uj}) for t, uj in counts]
    power = describe(PACKAGE, readings, frames=10)["power"]
    assert (power["rail"], power["covers"], power["samples"]) == ("package-0", "processor", 4)
    assert power["joules_per_frame"] == pytest.approx(0.69)  # 5 J, 1 J and 0.9 J
    assert power["max_w"] == pytest.approx(10.0)  # the last millisecond says nothing


@pytest.mark.parametrize("readings", [[], [watts(0.0, 5.0)], [watts(1.0, 5.0), watts(1.0, 5.0)]])
def test_too_few_readings_are_no_power(readings: list[Reading]) -> None:
    assert describe(VDD_IN, readings, frames=3)["power"] is None


def test_nothing_read_is_nothing_said() -> None:
    sampled = describe(NOTHING, [], frames=3)
    assert sampled == {"power": None, "temperature_c": {}, "clocks_mhz": {}, "warnings": []}
    assert list(lines(sampled)) == []


def test_warmth_and_clocks() -> None:
    readings = [
        reading(0.0, celsius={"cpu-thermal": 51.04, "gpu-thermal": 50.0}, mhz={"cpu": 1000.0}),
        reading(1.0, celsius={"cpu-thermal": 48.0, "gpu-thermal": 53.0}, mhz={"cpu": 1500.0}),
        reading(2.0, celsius={}, mhz={"cpu": 1400.0}),
    ]
    sampled = describe(CPU_LIMIT, readings, frames=1)
    assert sampled["temperature_c"] == {"cpu-thermal": 51.0, "gpu-thermal": 53.0}
    assert sampled["clocks_mhz"] == {"cpu": {"min": 1000.0, "mean": 1300.0}}
    assert sampled["warnings"] == []
    warmth, clock = lines(sampled)
    assert warmth == "53.0 C at most, in gpu-thermal"
    assert clock == "cpu clock: 1300 MHz on average, 1000 at least"


def test_lines_name_what_power_is_of() -> None:
    (line,) = lines(describe(VDD_IN, [watts(0.0, 4.0), watts(1.0, 8.0)], frames=10))
    assert line == "0.600 J a frame; 6.00 W on average, 8.00 W at most, of the module (VDD_IN)"


def test_a_zone_at_its_limit_is_a_warning() -> None:
    readings = [reading(0.0, celsius={"cpu-thermal": 98.0, "tj-thermal": 120.0})]
    assert describe(CPU_LIMIT, readings, 1)["warnings"] == []
    (warning,) = describe(CPU_LIMIT, [*readings, reading(1.0, celsius={"cpu-thermal": 99.0})], 1)[
        "warnings"
    ]
    assert "cpu-thermal reached 99.0 C, and is slowed down from 99.0 C on" in warning


def test_a_clock_that_falls_is_a_warning() -> None:
    fell = clocks(*[900.0] * 8, *[600.0] * 4)
    (warning,) = describe(NOTHING, fell, 1)["warnings"]
    assert "the gpu clock fell from 900 to 600 MHz" in warning


@pytest.mark.parametrize(
    "readings",
    [
        clocks(*[900.0, 300.0] * 12),  # a governor at work
        clocks(*[300.0] * 6, *[900.0] * 6),  # warming up
        clocks(*[900.0] * 6, *[850.0] * 6),
        clocks(900.0, 900.0, 600.0, 600.0),  # too few to tell
        clocks(*[900.0] * 8, *[600.0] * 4, name="emc"),
    ],
)
def test_other_clocks_are_not(readings: list[Reading]) -> None:
    assert describe(NOTHING, readings, 1)["warnings"] == []


def nvidia_zone(root: Path) -> Sensors:
    path = root / "temp"
    path.write_text("50000\n")
    return NOTHING._replace(zones=[Zone("tj-thermal", str(path), None)])


def test_the_sampler_reads_at_both_ends(tmp_path: Path) -> None:
    sensors = nvidia_zone(tmp_path)
    with Sampler(sensors, interval_s=3600.0) as sampler:
        (tmp_path / "temp").write_text("60000\n")
    assert [reading.celsius["tj-thermal"] for reading in sampler.readings] == [50.0, 60.0]


def test_the_sampler_reads_between_and_stops(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Sampler(nvidia_zone(tmp_path), 0.001) as sampler:
        while len(sampler.readings) < 5:
            time.sleep(0.001)
        raise KeyboardInterrupt
    times = [reading.time_s for reading in sampler.readings]
    assert times == sorted(times)
    assert "sensors" not in {thread.name for thread in threading.enumerate()}


def test_a_sensor_that_goes_away_is_left_out(tmp_path: Path) -> None:
    with Sampler(nvidia_zone(tmp_path), interval_s=3600.0) as sampler:
        (tmp_path / "temp").unlink()
    assert [reading.celsius for reading in sampler.readings] == [{"tj-thermal": 50.0}, {}]


def test_without_sensors_there_is_no_thread() -> None:
    with Sampler(NOTHING) as sampler:
        assert "sensors" not in {thread.name for thread in threading.enumerate()}
    assert sampler.readings == []
