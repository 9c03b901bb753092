"""The moving picture of README: a clip with the masks of the shipped network, as a GIF.

    .venv/bin/python benchmarks/moving_picture.py FRAMES --mask MASK.png [--output FILE.gif]

README's is the DAVIS 2017 sequence `tennis`, its first annotation as the mask.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from sam2lite.cli.app import run_app
from sam2lite.cli.bundles import bundle_or_default
from sam2lite.runtimes.commands.prompted import read_prompts
from sam2lite.runtimes.commands.track_run import track_video
from sam2lite.runtimes.video.source import open_source

ROOT = Path(__file__).parent.parent
_WIDTH = 416  # px
_EVERY = 2  # frames
_FPS = 12.0
_COLOURS = 64


def draw(video: str, mask: str) -> list[np.ndarray]:
    """Return the frames of the overlay that are shown, uint8 [h, w, 3] in RGB."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out"
        prompts = read_prompts(None, None, [mask], None)
        summary = track_video(bundle_or_default(None, None), video, prompts, output, masks=False)
        sys.stdout.write(json.dumps(summary, indent=1) + "\n")
        frames = list(open_source(output / "overlay.mp4"))[::_EVERY]
    height, width = frames[0].shape[:2]
    size = _WIDTH, round(height * _WIDTH / width)
    return [
        cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
        for frame in frames
    ]


def main() -> None:
    """Track, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("video")
    parser.add_argument("--mask", required=True)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images" / "tennis.gif")
    arguments = parser.parse_args()
    frames = [
        Image.fromarray(frame).quantize(_COLOURS, dither=Image.Dither.NONE)
        for frame in draw(arguments.video, arguments.mask)
    ]
    frames[0].save(
        arguments.output,
        save_all=True,
        append_images=frames[1:],
        duration=round(1000 / _FPS),
        loop=0,
        optimize=True,
    )
    size_kb = arguments.output.stat().st_size / 1024
    sys.stdout.write(f"{arguments.output}: {len(frames)} frames, {size_kb:.0f} kB\n")


if __name__ == "__main__":
    run_app(main)
