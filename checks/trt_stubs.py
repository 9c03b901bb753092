"""Libraries that hold nothing but the names a binding asks for, so that it can be imported.

Nothing in them may be called: they are for looking at classes and enumerations alone.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def write_stubs(binding: Path, folder: Path) -> list[str]:
    """Write the libraries that a binding needs and that no system has.

    Args:
        binding: `tensorrt.so`.
        folder: for the libraries.

    Returns:
        the names that were defined.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dynamic = _run("readelf", "-d", str(binding))
    needed = re.findall(r"\(NEEDED\).*\[(libnv\S+)\]", dynamic)
    symbols = [
        line.split()[-1]
        for line in _run("nm", "-D", "--undefined-only", str(binding)).splitlines()
        if line.split()[0] == "U" and re.match(r"^(?!_?Py)[^@]+$", line.split()[-1])
    ]
    source = folder / "stubs.c"
    source.write_text("".join(f"void {symbol}(void) {{}}\n" for symbol in symbols))
    empty = folder / "empty.c"
    empty.write_text("")
    for name, content in zip(needed, [source, *[empty] * len(needed)], strict=False):
        command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", str(folder / name)]
        _run(*command, str(content))
    return symbols


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
