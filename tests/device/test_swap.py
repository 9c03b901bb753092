"""Swap by the texts of /proc/meminfo and /proc/swaps, in the form of those files, not recorded."""

from pathlib import Path
from typing import Any

import pytest

from sam2lite.contracts.manifest import Manifest
from sam2lite.device.swap import Swap, judge_swap, parse_swaps
from sam2lite.runtimes.commands.machine_checks import OK, WARNING
from sam2lite.targets.machine import parse_meminfo
from tests.doubles.trt_bundle import opened, write_trt_bundle

# Jetson Nanos of 4 GiB and of 2.
FOUR_GB = """\
MemTotal:        4059264 kB
MemFree:          215044 kB
MemAvailable:    1634388 kB
SwapTotal:       2029632 kB
HugePages_Total:       0
"""
TWO_GB = "MemTotal:        2027396 kB\n"
SIXTEEN_GB = "MemTotal:       16316412 kB\n"
HEADINGS = "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n"
ZRAM = "".join(
    f"/dev/zram{core}                              partition\t253436\t0\t5\n" for core in range(4)
)
FILE = "/swap                                   file    \t4194300\t0\t-2\n"
SMALL_FILE = "/swap\tfile\t102396\t0\t-2\n"
# The figures of an export for the Nano.
ESTIMATE = {
    "rungs": [{"rung": 240, "build_mb": 1354}, {"rung": 480, "build_mb": 1363}],
    "sizes": [
        {"memory_mb": 2048, "free_mb": 1363, "build": {"240": "tight", "480": "tight"}},
        {"memory_mb": 4096, "free_mb": 3227, "build": {"240": "fits", "480": "fits"}},
    ],
}


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return opened(write_trt_bundle(tmp_path / "b"))[0]


def estimated(manifest: Manifest, estimate: dict[str, Any]) -> Manifest:
    return manifest._replace(verification={"memory": estimate})


def test_meminfo_is_read_in_mib() -> None:
    sizes = parse_meminfo(FOUR_GB)
    assert (sizes["MemTotal"], sizes["SwapTotal"]) == (3964, 1982)
    assert "HugePages_Total" not in sizes


def test_zram_is_told_from_swap_on_disk() -> None:
    used = FILE.replace("\t0\t", "\t524288\t")
    assert parse_swaps(HEADINGS + ZRAM + used) == Swap(disk_mb=4095, zram_mb=989, used_mb=512)
    assert parse_swaps(HEADINGS) == Swap(0, 0, 0)


@pytest.mark.parametrize(
    ("meminfo", "swaps", "status", "remedy"),
    [
        (TWO_GB, HEADINGS + ZRAM, OK, ""),
        (TWO_GB, HEADINGS, WARNING, "sudo swapon"),
        (SIXTEEN_GB, HEADINGS, OK, ""),
        (TWO_GB, HEADINGS + FILE.replace("\t0\t", "\t524288\t"), WARNING, "close other"),
        ("", HEADINGS, WARNING, ""),
        (TWO_GB, "", WARNING, ""),
    ],
)
def test_swap_to_run_with(meminfo: str, swaps: str, status: str, remedy: str) -> None:
    check = judge_swap(meminfo, swaps)
    assert check.status == status
    assert remedy in check.remedy


@pytest.mark.parametrize(
    ("meminfo", "swaps", "status"),
    [
        (TWO_GB, HEADINGS + ZRAM, WARNING),
        (TWO_GB, HEADINGS + ZRAM + FILE, OK),
        (FOUR_GB, HEADINGS + ZRAM, OK),
        (SIXTEEN_GB, HEADINGS, OK),  # larger than any board of the target
    ],
)
def test_swap_to_build_with(meminfo: str, swaps: str, status: str, manifest: Manifest) -> None:
    check = judge_swap(meminfo, swaps, estimated(manifest, ESTIMATE))
    assert check.status == status
    if status == WARNING:
        assert check.value.startswith("0 MiB on disk, 989 MiB of zram, 0 MiB used; ")
        assert "`build` takes about 1363 MiB of 1363 that are free" in check.value
        assert "sudo fallocate -l 4G /swap" in check.remedy


def test_what_does_not_fit_needs_as_much_swap_as_it_lacks(manifest: Manifest) -> None:
    size = {"memory_mb": 2048, "free_mb": 1000, "build": {"240": "too large"}}
    large = estimated(manifest, {**ESTIMATE, "sizes": [size]})
    assert judge_swap(TWO_GB, HEADINGS + SMALL_FILE, large).status == WARNING
    assert judge_swap(TWO_GB, HEADINGS + FILE, large).status == OK


@pytest.mark.parametrize(
    ("meminfo", "swaps", "status"),
    [
        (TWO_GB, HEADINGS + ZRAM, WARNING),
        (TWO_GB, HEADINGS + FILE, OK),
        (SIXTEEN_GB, HEADINGS, OK),
    ],
)
def test_a_bundle_without_an_estimate(
    meminfo: str, swaps: str, status: str, manifest: Manifest
) -> None:
    check = judge_swap(meminfo, swaps, manifest)
    assert check.status == status
    assert ("`build` may need more than" in check.value) == (status == WARNING)
