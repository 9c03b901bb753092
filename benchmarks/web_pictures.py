"""What the page of `sam2lite-export web` shows: its example, its pictures, and pictures of itself.

    .venv/bin/python benchmarks/web_pictures.py example        the clip, and strips of docs/images
    .venv/bin/python benchmarks/web_pictures.py SITE           docs/images/web*.jpg

The example is a clip as that of `sam2lite demo`, of another seed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageSequence

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from sam2lite.cli.app import run_app  # noqa: E402
from sam2lite.data.clips import Clip, first_click, generate_clip  # noqa: E402
from sam2lite.data.clips.presets import demo_config  # noqa: E402
from sam2lite.data.clips.writers import write_video  # noqa: E402
from sam2lite.exporter.web.backend import SITE  # noqa: E402
from sam2lite.runtimes.video.opencv_files import write_picture  # noqa: E402
from sam2lite.runtimes.video.overlay import contact_sheet  # noqa: E402
from tests.chromium import Page  # noqa: E402
from tests.exporter.web.site_in_chromium import click, open_site, served  # noqa: E402

IMAGES = ROOT / "docs" / "images"
PICTURES = SITE / "page" / "pictures"
SEED = 30  # found by looking
FRAMES = 72
SIDES = 360, 640  # height, width, px
COLUMNS = 4
STRIP_PX = 1280
SHOWN_FRAMES = 20  # before the picture is taken
WIDE, NARROW = (1440, 900), (390, 844)
JPEG_QUALITY = 82


def demo_clip() -> Clip:
    """Return the clip of the example."""
    return generate_clip(SEED, demo_config(*SIDES, FRAMES))


def write_example() -> None:
    """Write the example, and copy or cut the pictures that the page shows."""
    write_video(demo_clip(), PICTURES / "example.mp4")
    for name in ("bedroom.jpg", "cups.jpg"):
        shutil.copyfile(IMAGES / name, PICTURES / name)
    with Image.open(IMAGES / "tennis.gif") as moving:
        frames = [np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(moving)]
    places = np.linspace(0, len(frames) - 1, COLUMNS).round().astype(int)
    strip = [cv2.cvtColor(frames[place], cv2.COLOR_RGB2BGR) for place in places]
    sheet = contact_sheet(strip, COLUMNS, STRIP_PX)
    write_picture(PICTURES / "tennis.jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])


def write_screens(site: Path) -> None:
    """Follow two objects of the example in a wide and a narrow window, and take pictures."""
    clip = demo_clip()
    keys = [int(key) for key in np.unique(clip.labels_thw[0]) if key][:2]
    for name, size in (("web", WIDE), ("web_narrow", NARROW)):
        with served(site) as url, Page(*size) as page:
            open_site(page, url)
            page.run("document.getElementById('example').click()")
            page.wait("document.getElementById('status').className === 'paused'", 60.0)
            for count, key in enumerate(keys, start=1):
                page.run("document.getElementById('new').click()")
                x, y = first_click(clip, key)
                click(page, int(x), int(y), objects=count)
            page.run("document.getElementById('play').click()")
            page.wait(f"Number(picture.dataset.frame) >= {SHOWN_FRAMES}", 120.0)
            page.run("document.getElementById('play').click()")
            page.wait("document.getElementById('status').className === 'paused'")
            page.run("scrollTo({top: 0, behavior: 'instant'})")
            page.screenshot(IMAGES / f"{name}.jpg", JPEG_QUALITY)


def main() -> None:
    """Write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", help="`example`, or a site")
    what: str = parser.parse_args().what
    write_example() if what == "example" else write_screens(Path(what))


if __name__ == "__main__":
    run_app(main)
