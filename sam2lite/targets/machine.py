"""The machine that this process runs on, read from the operating system."""

import math
import os
import platform
from pathlib import Path
from typing import Dict, FrozenSet, NamedTuple, Optional, Tuple

from sam2lite.targets.cgroup import quota_cpus


class Machine(NamedTuple):
    """What `host` and `doctor` need to know of a machine.

    Attributes:
        architecture: `platform.machine()` in lower case.
        model: the processor, or the board where the processor does not say.
        cores: physical cores that this process may use, within the quota of its container.
        cpu_flags: instruction sets, as /proc/cpuinfo spells them; empty where there is none.
        compatible: names of the board and its chip in the device tree; empty on PCs.
    """

    architecture: str
    model: str
    cores: int
    cpu_flags: FrozenSet[str]
    compatible: Tuple[str, ...]


def read_machine() -> Machine:
    """Return the machine that this process runs on."""
    cpuinfo = parse_cpuinfo(_read("/proc/cpuinfo"))
    board = _device_tree("model")
    return Machine(
        architecture=platform.machine().lower(),
        model=cpuinfo.model or " ".join(board) or platform.processor() or "unknown processor",
        cores=cores_within(min(cpuinfo.cores or allowed_cpus(), allowed_cpus()), quota_cpus()),
        cpu_flags=cpuinfo.flags,
        compatible=_device_tree("compatible"),
    )


class CpuInfo(NamedTuple):
    """What /proc/cpuinfo says; `model` is empty and `cores` 0 where it does not say."""

    model: str
    cores: int
    flags: FrozenSet[str]


def parse_cpuinfo(text: str) -> CpuInfo:
    """Read /proc/cpuinfo of x86-64 or ARM.

    Args:
        text: the file; `key : value` lines, a blank line after each logical CPU.
    """
    model = ""
    cores = set()
    flags: FrozenSet[str] = frozenset()
    for index, block in enumerate(text.strip().split("\n\n")):
        pairs = (line.partition(":") for line in block.splitlines())
        fields = {key.strip(): value.strip() for key, _, value in pairs}
        if "processor" not in fields:
            continue  # Raspberry Pi kernels end with a block about the board
        model = model or fields.get("model name", "")
        # ARM lists flags as Features, and has no hyper-threads, so no ids of cores either.
        flags = flags or frozenset(fields.get("flags", fields.get("Features", "")).split())
        cores.add((fields.get("physical id"), fields.get("core id", index)))
    return CpuInfo(model, len(cores), flags)


def parse_meminfo(text: str) -> Dict[str, int]:
    """Read the sizes in /proc/meminfo.

    Args:
        text: the file; `MemTotal:  16316412 kB` and the like, in KiB.

    Returns:
        MiB by name; lines of another form are left out.
    """
    sizes = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if len(words) == 2 and words[0].isdigit() and words[1] == "kB":
            sizes[name] = int(words[0]) // 1024
    return sizes


def allowed_cpus() -> int:
    """Return how many processors this process may use, hyper-threads counted."""
    if hasattr(os, "sched_getaffinity"):  # Linux; taskset and containers narrow it
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cores_within(cores: int, quota: Optional[float]) -> int:
    """Return how many threads can run at once.

    Args:
        cores: physical ones that this process may use.
        quota: processors' worth of time that its container may use; None without a limit.
    """
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def _device_tree(name: str) -> Tuple[str, ...]:
    return tuple(part for part in _read("/proc/device-tree/" + name).split("\0") if part)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
