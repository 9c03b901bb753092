"""Build and test the Swift package on Linux, against doubles of Core ML, and test its tests.

    python checks/swift/run.py [--cache .cache/swift] [--mirror URL] [--faults N]

Sets up Debian trixie's Swift in the cache on first use (550 MB to fetch, 3.5 GB on disk), records
the Python loop with a small network, holds the Swift loop against it, and then plants faults in the
Swift sources, each of which the tests must notice. Exit code 1 where something fails, 2 where
something is missing. Nothing here is Apple's: neither Xcode nor Core ML has a part in it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# The names of this folder's modules are too plain to be importable by themselves.
sys.path[0:1] = [str(ROOT), str(ROOT / "checks")]

from swift.clips import CLIPS  # noqa: E402
from swift.faults import FAULTS  # noqa: E402
from swift.package import Package  # noqa: E402
from swift.recording import export, record  # noqa: E402
from swift.toolchain import MIRROR, Toolchain, ToolchainError  # noqa: E402
from swift.verdicts import FAILED, PASSED, Row, checked, say, table  # noqa: E402


def main() -> int:
    """Run everything and print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "swift", help="folder")
    parser.add_argument("--mirror", default=MIRROR, help="of Debian")
    parser.add_argument("--faults", type=int, default=len(FAULTS), help="how many are planted")
    arguments = parser.parse_args()
    began = time.monotonic()
    toolchain = Toolchain(arguments.cache, arguments.mirror)
    try:
        toolchain.set_up()
    except ToolchainError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    rows = [Row(f"set up {toolchain.version}", PASSED, time.monotonic() - began)]
    recording = toolchain.folder / "recording"
    rows.append(make_recording(recording))
    package = Package(ROOT / "ios", toolchain.folder / "package", recording, toolchain)
    rows += checked(package, FAULTS[: max(arguments.faults, 0)])
    print(table(rows))
    return 1 if any(row.verdict == FAILED for row in rows) else 0


def make_recording(folder: Path) -> Row:
    """Record all clips anew."""
    began = time.monotonic()
    say("recording the Python loop")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    bundle = folder / "bundle"
    export(bundle, tuple(sorted({rung for clip in CLIPS for rung in clip.rungs})))
    for clip in CLIPS:
        record(clip, bundle, folder / clip.name)
    names = ", ".join(clip.name for clip in CLIPS)
    return Row("record the Python loop", PASSED, time.monotonic() - began, names)


if __name__ == "__main__":
    sys.exit(main())
