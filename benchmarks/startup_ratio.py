"""From the start of a process to the first mask, beside another checkout, run in turns.

    .venv/bin/python benchmarks/startup_ratio.py --against ../other --bundle DIR [--runs 15]

Both run with this environment's packages. Prints the median of each, the median of the ratios of
neighbours, and their quartiles, as JSON.
"""

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path

from sam2lite.bench.machine_facts import describe_machine
from sam2lite.cli.app import run_app
from sam2lite.runtimes.commands.children import environment, running_code

HERE = Path(__file__).resolve().parent.parent
FIRST_MASK = """
import sys, time
sys.path.insert(0, sys.argv[1])
import numpy as np
from sam2lite.runtimes.segmenter import VideoSegmenter
frame = np.random.RandomState(0).randint(0, 255, (540, 960, 3)).astype(np.uint8)
with VideoSegmenter(sys.argv[2], rung=240) as segmenter:
    segmenter.prompt(frame, points=[(480, 270)])
    print(time.time())
"""


def first_mask_s(checkout: Path, bundle: Path) -> float:
    """Return the seconds from before the process to its first mask."""
    begun = time.time()
    command = [*running_code(FIRST_MASK), str(checkout), str(bundle)]
    done = subprocess.run(
        command, env=environment(), check=True, stdout=subprocess.PIPE, text=True, cwd="/"
    )
    return float(done.stdout) - begun


def main() -> None:
    """Measure both in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, required=True, help="another checkout")
    parser.add_argument("--bundle", type=Path, required=True, help="that both can open")
    parser.add_argument("--runs", type=int, default=15)
    arguments = parser.parse_args()
    checkouts = (HERE, arguments.against.resolve())
    pairs = [
        [first_mask_s(checkout, arguments.bundle) for checkout in checkouts]
        for _ in range(arguments.runs + 1)
    ][1:]  # the first one reads files that are not cached yet
    ratios = [here / other for here, other in pairs]
    here_s, other_s = ([pair[side] for pair in pairs] for side in (0, 1))
    result = {
        "machine": describe_machine(),
        "runs": len(pairs),
        "here_s": round(statistics.median(here_s), 4),
        "other_s": round(statistics.median(other_s), 4),
        "ratio": round(statistics.median(ratios), 4),
        "ratio_quartiles": [round(each, 4) for each in statistics.quantiles(ratios)[::2]],
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    run_app(main)
