"""How much memory this process holds, as Linux counts it."""

from pathlib import Path

_STATUS = Path("/proc/self/status")


def rss_mb() -> float:
    """Return the resident memory of this process now, MB of 10^6 bytes."""
    return _field_mb("VmRSS")


def peak_rss_mb() -> float:
    """Return the most resident memory this process ever held, MB of 10^6 bytes.

    It is the kernel's high-water mark. `getrusage` has one too, but that one survives `exec` and so
    may be the peak of whatever started this process. The kernel counts in batches for each core, so
    either figure may be off by a fraction of a megabyte.
    """
    return _field_mb("VmHWM")


def _field_mb(name: str) -> float:
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return round(int(fields[name].split()[0]) * 1024 / 1e6, 1)  # the file has KiB, and calls it kB
