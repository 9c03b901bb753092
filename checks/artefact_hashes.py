"""Prints the SHA-256 of every graph file of five exports of Tiny, one a line, in order.

A change that should leave artefacts as they are is checked by running this on both sides of it and
comparing what it printed. Graphs carry the version of SAM2-Lite, so every export is made as if by
0.1.0. Packages of Core ML are folders: each of their files is a line. Wants ten minutes.

    python checks/artefact_hashes.py [NAME ...]
"""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sam2lite.runtimes.commands.children import environment, running_code

EXPORTS = {
    "ort": ["ort", "--target", "x86-64-vnni"],
    "ort-int8": ["ort", "--int8", "--target", "x86-64-vnni"],
    "trt-nano": ["trt", "--target", "jetson-nano"],
    "trt-orin-int8": ["trt", "--target", "jetson-orin-nano", "--int8"],
    "coreml-int8": ["coreml", "--int8"],
}
PROGRAM = """
from importlib.metadata import entry_points
import sam2lite
sam2lite.__version__ = "0.1.0"
entry_points(group="console_scripts")["sam2lite-export"].load()()
"""


def graph_hashes(bundle: Path) -> Iterator[tuple[str, str]]:
    """Yield the path in the bundle and the SHA-256 of every file of its graphs."""
    for path in sorted((bundle / "graphs").rglob("*")):
        if path.is_file():
            yield str(path.relative_to(bundle)), hashlib.sha256(path.read_bytes()).hexdigest()


def main(names: list[str]) -> None:
    """Export what is named, or everything, and print the hashes."""
    for name in names or EXPORTS:
        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(folder) / "bundle"
            command = [*running_code(PROGRAM), *EXPORTS[name], "-o", str(bundle)]
            subprocess.run(command, env=environment(), check=True, stdout=subprocess.DEVNULL)
            for path, sha256 in graph_hashes(bundle):
                print(f"{name} {path} {sha256}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
