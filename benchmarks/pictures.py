"""Draw what the shipped weights do, as strips of frames with masks: docs/images/*.jpg.

    .venv/bin/python benchmarks/pictures.py [--videos DIR]

Without --videos only the generated clip is drawn. The real ones are not in the repository.
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite import Recipe, VideoSegmenter, export
from sam2lite.cli.app import run_app
from sam2lite.data.clips import Clip, first_click, generate_clip
from sam2lite.data.eval_sets import EVAL_SETS
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.video.opencv_files import write_picture
from sam2lite.runtimes.video.overlay import contact_sheet, draw_overlay
from sam2lite.runtimes.video.source import open_source

Frame = NDArray[np.uint8]

IMAGES = Path(__file__).parent.parent / "docs" / "images"
COLUMNS = 4
WIDTH_PX = 1280
FRAMES = 96  # of a real video at most, 4 seconds
GENERATED_SEED = 4
OBJECTS = 3
# Clicks in source pixels, chosen by looking at the first frame.
VIDEOS = {
    "bedroom.mp4": {1: (400, 230), 2: (610, 350)},
    "cups.mp4": {1: (653, 430), 2: (400, 465)},
}


def strip(bundle: Path, frames_bgr: list[Frame], prompts: dict[int, Prompt]) -> Frame:
    """Track through frames; return some of them, evenly spread, with their masks."""
    shown = set(np.linspace(0, len(frames_bgr) - 1, COLUMNS).round().astype(int).tolist())
    pictures = []
    with VideoSegmenter(str(bundle)) as segmenter:
        for key, prompt in prompts.items():
            segmenter.give(frames_bgr[0], key, prompt)
        for index, frame_bgr in enumerate(frames_bgr):
            result = segmenter.track(frame_bgr)
            if index in shown:
                pictures.append(draw_overlay(frame_bgr, result.masks))
    return contact_sheet(pictures, COLUMNS, WIDTH_PX)


def generated() -> tuple[list[Frame], dict[int, Prompt]]:
    """Return a held-out clip and a click on each of its larger objects."""
    clip: Clip = generate_clip(GENERATED_SEED, EVAL_SETS["eval-v1"].config)
    area = np.bincount(clip.labels_thw[0].ravel(), minlength=256)[1:]
    largest = [int(key) + 1 for key in area.argsort()[::-1][:OBJECTS] if area[key]]
    frames = [np.ascontiguousarray(frame[..., ::-1]) for frame in clip.frames_rgb_thwc]
    return frames, {key: Prompt(points=[first_click(clip, key)]) for key in largest}


def main() -> None:
    """Draw the generated clip, and the videos that are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=Path, help="folder with bedroom.mp4 and cups.mp4")
    videos: Path | None = parser.parse_args().videos
    jobs = {"generated": generated()}
    for name, clicks in VIDEOS.items() if videos else ():
        with open_source(f"{videos}/{name}") as source:
            frames = list(islice(source, FRAMES))
        jobs[Path(name).stem] = (frames, {k: Prompt(points=[xy]) for k, xy in clicks.items()})
    with tempfile.TemporaryDirectory() as temporary:
        bundle = Path(temporary) / "bundle"
        export(Recipe(sizes=(480,), output=bundle))
        for name, (frames, prompts) in jobs.items():
            path = IMAGES / f"{name}.jpg"
            write_picture(path, strip(bundle, frames, prompts), [cv2.IMWRITE_JPEG_QUALITY, 85])
            print(path)


if __name__ == "__main__":
    run_app(main)
