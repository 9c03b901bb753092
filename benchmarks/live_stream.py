"""From capture to a line of JSON in another process: what that takes beyond the loop's own time.

    .venv/bin/python benchmarks/live_stream.py BUNDLE VIDEO --point X,Y [--frames N] [--output FILE]

Plays VIDEO live through `track --stream -` and reads the lines here. A line's overhead is the time
when it was read, less that of capture, less what the loop took: both by the machine's monotonic
clock. So VIDEO is to be slower than the loop, or frames wait for it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sam2lite.bench.machine_facts import describe_machine
from sam2lite.cli.app import run_app
from sam2lite.errors import SessionError
from sam2lite.runtimes.commands.children import environment, running_ours
from sam2lite.runtimes.measuring.percentiles import percentiles
from sam2lite.runtimes.video.captured import now_ms

_SKIPPED = 5  # frames, while caches warm


def measure(bundle: str, video: str, point: str, frames: int) -> dict[str, Any]:
    """Return percentiles of the overhead, and of the loop beside it, ms."""
    overheads_ms, computes_ms, dropped = [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        command = [*running_ours("sam2lite.cli.main", "run"), "track", "--bundle", bundle]
        command += ["--video", video, "--point", point, "--live", "--frames", str(frames)]
        command += ["--stream", "-", "--no-overlay", "--no-masks", "-o", str(Path(folder) / "out")]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
        )
        assert child.stdout is not None
        for line in child.stdout:
            read_ms = now_ms()
            record = json.loads(line)
            overheads_ms.append(read_ms - record["capture_ms"] - record["compute_ms"])
            computes_ms.append(record["compute_ms"])
            dropped += record["dropped"]
        child.stdout.close()
        if child.wait() or len(overheads_ms) <= _SKIPPED:
            raise SessionError("track failed; run it by hand with the same bundle and video")
    return {
        "frames": len(overheads_ms) - _SKIPPED,
        "dropped": dropped,
        "overhead_ms": percentiles(overheads_ms[_SKIPPED:]),
        "loop_ms": percentiles(computes_ms[_SKIPPED:]),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bundle")
    parser.add_argument("video")
    parser.add_argument("--point", required=True, metavar="X,Y")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    arguments = parser.parse_args()
    report = measure(arguments.bundle, arguments.video, arguments.point, arguments.frames)
    report["machine"] = describe_machine()
    text = json.dumps(report, indent=1)
    if arguments.output is not None:
        arguments.output.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    run_app(main)
