"""Memory over a long video: tracks many frames and compares what is resident with frame 200.

    python benchmarks/soak.py --bundle DIR

Exit code 1 if the memory grew by more than 10 MB, or if Tiny took more than 400 MB altogether. The
object counts as present on every frame, so that every frame is remembered.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from sam2lite.bench.frame_feed import FrameFeed
from sam2lite.bench.startup import LoopSettings, start
from sam2lite.bench.synthetic import SyntheticFootage
from sam2lite.cli.app import run_app, share_threads
from sam2lite.cli.bundles import bundle_or_default
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.resident_memory import peak_rss_mb, rss_mb

BASELINE_FRAME = 200  # by then every buffer there will be has been made
GROWTH_LIMIT_MB = 10.0
PEAK_LIMIT_MB = {"tiny": 400.0}  # of the whole process, by model

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def soak(
    bundle: Annotated[Path | None, typer.Option(help="The default one if not given.")] = None,
    rung: Annotated[int, typer.Option(help="Input side, px.")] = 240,
    frames: Annotated[int, typer.Option(min=BASELINE_FRAME + 1, help="Frames to track.")] = 5000,
) -> None:
    """Track frames and compare the memory at the end with that after frame 200; print JSON."""
    opened = bundle_or_default(bundle)
    share_threads(opened, None)
    footage = SyntheticFootage()
    feed = FrameFeed(footage)
    frame, _ = feed.take()
    prompts = {1: Prompt(footage.clicks(1))}
    baseline_mb = 0.0
    with start(opened.path, frame, prompts, LoopSettings(rung=rung)).segmenter as segmenter:
        for index in range(1, frames + 1):
            segmenter.track(feed.take()[0])
            if index == BASELINE_FRAME:
                baseline_mb = rss_mb()
            if index % 500 == 0:
                print(f"frame {index}: {rss_mb()} MB", file=sys.stderr)
        end_mb = rss_mb()
    model = opened.manifest.model.name
    grown_mb = round(end_mb - baseline_mb, 1)
    holds = grown_mb <= GROWTH_LIMIT_MB and peak_rss_mb() <= PEAK_LIMIT_MB.get(model, float("inf"))
    result = {
        "bundle_sha256": opened.sha256,
        "model": model,
        "rung": rung,
        "frames": frames,
        f"rss_after_frame_{BASELINE_FRAME}_mb": baseline_mb,
        "rss_at_the_end_mb": end_mb,
        "grown_mb": grown_mb,
        "peak_rss_mb": peak_rss_mb(),
        "holds": holds,
    }
    print(json.dumps(result, indent=1))
    if not holds:
        raise typer.Exit(1)


if __name__ == "__main__":
    run_app(app)
