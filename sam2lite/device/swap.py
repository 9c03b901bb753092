"""Swap space, and whether a board has enough of it to build engines.

zram is swap that lies compressed in memory. It helps a little; what must leave the memory needs a
file or a partition.
"""

from typing import NamedTuple, Optional

from sam2lite.contracts.manifest import Manifest
from sam2lite.device.sensors.sysfs import read_text
from sam2lite.runtimes.commands.machine_checks import OK, WARNING, Check
from sam2lite.targets.machine import parse_meminfo

# Below this, a board without swap kills a process where another would only slow down.
SMALL_MEMORY_MB = 4096
SWAPPED_MB = 256  # in use; less is left over from programs that sleep
ADD_SWAP = "sudo fallocate -l 4G /swap; sudo chmod 600 /swap; sudo mkswap /swap; sudo swapon /swap"


class Swap(NamedTuple):
    """The swap space of a machine.

    Attributes:
        disk_mb: in files and partitions, MiB.
        zram_mb: in compressed memory, MiB.
        used_mb: of both, MiB.
    """

    disk_mb: int
    zram_mb: int
    used_mb: int


def check_swap(manifest: Optional[Manifest] = None) -> Check:
    """Look at the swap space, how much of it is used, and whether it is enough to build.

    Args:
        manifest: of the bundle whose engines are yet to be built; None if there are none.
    """
    return judge_swap(read_text("/proc/meminfo"), read_text("/proc/swaps"), manifest)


def judge_swap(meminfo: str, swaps: str, manifest: Optional[Manifest] = None) -> Check:
    """Judge the swap space.

    Args:
        meminfo: text of /proc/meminfo.
        swaps: text of /proc/swaps.
        manifest: of the bundle whose engines are yet to be built; None if there are none.
    """
    sizes = parse_meminfo(meminfo)
    if "MemTotal" not in sizes or not swaps:
        return Check("Swap", WARNING, "unknown: /proc/meminfo and /proc/swaps say nothing of it")
    swap, memory_mb = parse_swaps(swaps), sizes["MemTotal"]
    value = "{} MiB on disk, {} MiB of zram, {} MiB used".format(*swap)
    if manifest is not None:
        lacking = build_lacks(manifest, memory_mb, swap.disk_mb)
        if lacking is not None:
            return Check("Swap", WARNING, "{}; {}".format(value, lacking), "before: " + ADD_SWAP)
    if swap.used_mb > SWAPPED_MB:
        return Check("Swap", WARNING, value, "close other programs; what is swapped out is slow")
    if not swap.disk_mb + swap.zram_mb and memory_mb < SMALL_MEMORY_MB:
        return Check("Swap", WARNING, value, "add some: " + ADD_SWAP)
    return Check("Swap", OK, value)


def parse_swaps(text: str) -> Swap:
    """Read /proc/swaps.

    Args:
        text: the file; a line of headings, and for each swap space its name, its type, its size
            and how much of it is used, in KiB, and its priority.
    """
    rows = [line.split() for line in text.splitlines()]
    rows = [row for row in rows if len(row) == 5 and row[2].isdigit() and row[3].isdigit()]
    zram = [row[0].startswith("/dev/zram") for row in rows]
    return Swap(
        disk_mb=sum(int(row[2]) for row, is_zram in zip(rows, zram) if not is_zram) // 1024,
        zram_mb=sum(int(row[2]) for row, is_zram in zip(rows, zram) if is_zram) // 1024,
        used_mb=sum(int(row[3]) for row in rows) // 1024,
    )


def build_lacks(manifest: Manifest, memory_mb: int, disk_swap_mb: int) -> Optional[str]:
    """Return why `build` needs more swap on disk, or None if it does not.

    By the exporter's estimate for the smallest board of the target that has this memory; a bundle
    without one is taken to need swap where the memory is small.

    Args:
        manifest: of the bundle.
        memory_mb: of this board, as the system shows it: less than the board is sold with.
        disk_swap_mb: swap space that is no zram, MiB.
    """
    estimate = manifest.verification.get("memory", {})
    sizes = [size for size in estimate.get("sizes", ()) if size["memory_mb"] >= memory_mb]
    if not sizes:
        is_short = memory_mb < SMALL_MEMORY_MB and not disk_swap_mb and not estimate
        return "`build` may need more than {} MiB".format(memory_mb) if is_short else None
    size = min(sizes, key=lambda each: each["memory_mb"])
    need_mb = max(rung["build_mb"] for rung in estimate["rungs"])
    fits = all(verdict == "fits" for verdict in size["build"].values())
    if fits or disk_swap_mb > max(0, need_mb - size["free_mb"]):
        return None
    return "`build` takes about {} MiB of {} that are free".format(need_mb, size["free_mb"])
