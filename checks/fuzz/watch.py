"""Sees whether a folder tree has changed, and how much memory a process took on its way."""

from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


class Watch:
    """Files with known contents beside and above the folder that inputs are written to."""

    def __init__(self, root: Path, besides: Path) -> None:
        """Plant the files.

        Args:
            root: an empty folder.
            besides: another that must not change: what inputs are made from.
        """
        self.input = root / "here" / "input"
        self.input.mkdir(parents=True)
        self._root = root
        self._besides = besides
        for place in (root, root / "beside", root / "here", root / "here" / "beside"):
            place.mkdir(exist_ok=True)
            for name in ("canary.json", "canary.onnx", "canary.png"):
                (place / name).write_text(f"{place.name} {name}\n")
        self._before = self._seen()

    def changed(self) -> list[str]:
        """Return the paths that came, went or were written since the last call."""
        now = self._seen()
        before, self._before = self._before, now
        return sorted(name for name in {*now, *before} if now.get(name) != before.get(name))

    def _seen(self) -> dict[str, tuple[int, int, int]]:
        seen = {}
        left = [self._root, self._besides]
        while left:
            folder = left.pop()
            for path in folder.iterdir():
                if path == self.input:
                    continue
                status = path.lstat()
                if path.is_dir() and not path.is_symlink():
                    left.append(path)
                    seen[str(path)] = (status.st_mode, 0, 0)
                else:
                    seen[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns)
        return seen


def forget_peak() -> int:
    """Begin a new peak of this process's memory; return the bytes held now, 0 where unknown."""
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return 0
    return _bytes_of("VmRSS")


def peak() -> int:
    """Return the most bytes held since `forget_peak`, 0 where unknown."""
    return _bytes_of("VmHWM")


def _bytes_of(field: str) -> int:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return 0
    found = [line.split()[1] for line in lines if line.startswith(field + ":")]
    return int(found[0]) * 1024 if found else 0
