"""How much processor time a container may use, which no count of processors shows."""

from pathlib import Path
from typing import Iterator, Optional

ROOT = "/sys/fs/cgroup"
OWN = "/proc/self/cgroup"


def quota_cpus(root: str = ROOT, own: str = OWN) -> Optional[float]:
    """Return the processors that the control groups of this process allow; None without a limit.

    A quota of 150 ms of every 100 ms is 1.5 processors. Of nested groups the tightest counts.

    Args:
        root: where control groups are mounted; version 2, or version 1 with its `cpu` controller.
        own: the file that names the groups of this process.
    """
    quotas = [quota for quota in _quotas(Path(root), Path(own)) if quota is not None]
    return min(quotas) if quotas else None


def _quotas(root: Path, own: Path) -> Iterator[Optional[float]]:
    for line in _read(own).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if not controllers:  # version 2 has one hierarchy
            for folder in _upwards(root, group):
                yield _ratio(_read(folder / "cpu.max"))
        elif "cpu" in controllers.split(","):
            for folder in _upwards(root / "cpu", group):
                quota = _read(folder / "cpu.cfs_quota_us")
                yield _ratio(quota + " " + _read(folder / "cpu.cfs_period_us"))


def _upwards(root: Path, group: str) -> Iterator[Path]:
    """Yield the folders of a group and of those around it; inside a container, only some exist."""
    parts = [part for part in group.split("/") if part not in ("", "..")]
    for count in range(len(parts), -1, -1):
        yield root.joinpath(*parts[:count])


def _ratio(text: str) -> Optional[float]:
    """Return quota over period; None of `max`, of -1, and of what is not there."""
    words = text.split()
    if len(words) != 2 or not all(word.isdigit() for word in words) or int(words[1]) == 0:
        return None
    return int(words[0]) / int(words[1])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
