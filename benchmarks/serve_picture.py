"""Take the picture of `serve`'s page for the docs: docs/images/serve.jpg. Needs Chromium.

    .venv/bin/python benchmarks/serve_picture.py --video FILE [--bundle DIR] [--point X,Y ...]

The video is not in the repository: `bedroom.mp4` of SAM 2's demo. The objects are clicked on where
the first frame shows them, and the picture is taken some frames later.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from sam2lite.cli.app import run_app

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "serve.jpg"
WIDTH, HEIGHT = 1280, 720
QUALITY = 82
CLICKS = ("400,230", "610,350")  # chosen by looking at the first frame of bedroom.mp4
FRAMES = 90
ROWS = "document.querySelectorAll('#objects .remove:not([hidden])').length"


def main() -> None:
    """Serve the video, click, and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--video", required=True)
    parser.add_argument("--bundle", help="what to track with; Tiny in INT8 if not given")
    parser.add_argument("--point", action="append", metavar="X,Y", help="of an object each")
    parser.add_argument("--frames", type=int, default=FRAMES, help="until the picture is taken")
    parser.add_argument("--size", default=f"{WIDTH}x{HEIGHT}", help="of the window, px")
    parser.add_argument("-o", "--output", type=Path, default=PICTURE)
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from tests.chromium import Page

    command = [str(Path(sys.executable).parent / "sam2lite"), "serve", "--port", "0"]
    command += ["--video", given.video, "--budget-ms", "100"]
    command += ["--bundle", given.bundle] if given.bundle else []
    width, height = map(int, given.size.split("x"))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        with Page(width, height) as page:
            page.open(url)
            page.wait("document.querySelector('#status')?.textContent === 'paused'", 60)
            for number, point in enumerate(given.point or CLICKS, 1):
                x, y = (float(each) for each in point.split(","))
                sides = page.run("[document.querySelector('#picture').width, picture.height]")
                page.click(*page.place("#picture", (x + 0.5) / sides[0], (y + 0.5) / sides[1]))
                page.wait(f"{ROWS} === {number}", 60)
                page.click(*page.place("#new"))
            page.run("document.querySelector('#objects .pick').click()")
            page.click(*page.place("#start"))
            frame = (
                "Number(document.querySelector('#counts').textContent.match(/frame (\\d+)/)?.[1])"
            )
            page.wait(f"{frame} >= {given.frames}", 600)
            page.key(" ")
            page.wait("document.querySelector('#status').textContent === 'paused'", 60)
            page.key(" ")
            page.wait("document.querySelector('#status').textContent === 'playing'", 60)
            time.sleep(0.3)
            page.screenshot(given.output, None if given.output.suffix == ".png" else QUALITY)
    finally:
        process.terminate()
        process.wait()
    print(f"{given.output}: {given.output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    run_app(main)
