"""`device.pyz`: the device code as one file that a board's own Python runs."""

import zipfile
from pathlib import Path

import sam2lite

DEVICE_APP = "device.pyz"
README = "README.txt"
# Files and folders of the package that keep to Python 3.6 and NumPy (docs/architecture.md).
DEVICE_CODE = (
    "__init__.py",
    "contracts",
    "device",
    "errors.py",
    "files",
    "runtimes",
    "targets",
)
DEVICE_FILES = (".py", ".html", ".css", ".js")  # the last three are the page of `serve`

_PACKAGE = Path(sam2lite.__file__).parent
_ENTRY = _PACKAGE / "device" / "__main__.py"
_SHEBANG = b"#!/usr/bin/env python3\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip file can hold


def add_device_app(folder: Path, readme: str) -> None:
    """Add `device.pyz` and a README.txt to the folder of a bundle, before its files are listed.

    Args:
        folder: of the bundle.
        readme: its text; see `BackendExporter.readme`.
    """
    write_device_app(folder / DEVICE_APP)
    (folder / README).write_text(readme, encoding="utf-8")


def write_device_app(path: Path) -> None:
    """Write the zip application; the same sources and the same zlib give the same bytes."""
    with path.open("wb") as stream:
        stream.write(_SHEBANG)
        with zipfile.ZipFile(stream, "w") as archive:
            _add(archive, "__main__.py", _ENTRY)
            for source in device_sources():
                _add(archive, f"sam2lite/{source.relative_to(_PACKAGE).as_posix()}", source)
    path.chmod(0o755)


def device_sources() -> list[Path]:
    """Return the files of the device code, in the order in which they are stored."""
    roots = [_PACKAGE / name for name in DEVICE_CODE]
    return sorted(
        path
        for root in roots
        for path in ([root] if root.is_file() else root.rglob("*"))
        if path.suffix in DEVICE_FILES
    )


def _add(archive: zipfile.ZipFile, name: str, source: Path) -> None:
    # Of ZipInfo's defaults, the system is that of the machine and the mode is none.
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = 3  # Unix
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, source.read_bytes())
