"""Parsers of what a board's files say. Texts are written in the form of those systems,
not recorded on them."""

import pytest

from sam2lite.device.sensors.board import (
    judge_clocks,
    judge_power_mode,
    parse_power_modes,
    parse_power_status,
)
from sam2lite.runtimes.commands.machine_checks import OK, WARNING

# Jetson Orin Nano: the fastest mode is neither the first nor the highest number.
NVPMODEL_CONF = """\
# < POWER_MODEL ID=9 NAME=COMMENT >
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online
< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=2 NAME=MAXN_SUPER >
< POWER_MODEL ID=3 NAME=7W >
< PM_CONFIG DEFAULT=0 >
"""
RASPBERRY = {
    "scaling_governor": "ondemand",
    "scaling_driver": "cpufreq-dt",
    "scaling_max_freq": "1800000",
    "cpuinfo_max_freq": "1800000",
}


def test_power_modes_are_read() -> None:
    assert parse_power_modes(NVPMODEL_CONF) == {0: "15W", 2: "MAXN_SUPER", 3: "7W"}
    assert parse_power_status("pmode:0002\n") == 2
    assert parse_power_status("") is None


@pytest.mark.parametrize(
    ("conf", "state", "status", "value", "remedy"),
    [
        ("", "", OK, "not a Jetson", ""),
        (NVPMODEL_CONF, "pmode:0002", OK, "MAXN_SUPER (2)", ""),
        (NVPMODEL_CONF, "pmode:0000", WARNING, "15W (0)", "sudo nvpmodel -m 2"),
        (NVPMODEL_CONF, "", WARNING, "unknown", "sudo nvpmodel -q"),
    ],
)
def test_power_mode(conf: str, state: str, status: str, value: str, remedy: str) -> None:
    check = judge_power_mode(conf, state)
    assert check.status == status
    assert value in check.value
    assert remedy in check.remedy


@pytest.mark.parametrize(
    ("changes", "status", "found"),
    [
        ({}, OK, "up to 1.80 of 1.80 GHz, governor ondemand"),
        ({"scaling_max_freq": "600000"}, WARNING, "up to 0.60 of 1.80 GHz"),
        ({"scaling_governor": "powersave"}, WARNING, "governor ondemand, powersave"),
        ({"scaling_governor": "powersave", "scaling_driver": "intel_pstate"}, OK, "powersave"),
    ],
)
def test_clocks(changes: dict[str, str], status: str, found: str) -> None:
    check = judge_clocks([RASPBERRY, {**RASPBERRY, **changes}])
    assert check.status == status
    assert found in check.value


def test_a_system_without_clocks_is_fine() -> None:
    assert judge_clocks([]).status == OK
    assert judge_clocks([{**RASPBERRY, "scaling_max_freq": ""}]).value == "not shown by this system"
