"""Measure sites of `sam2lite-export web` in a headless Chromium: frames, and a click's first mask.

    .venv/bin/python benchmarks/web_speed.py site-fp32 site-fp16 site-int8 [--rounds 3]

Sites are taken in turn, each round in a browser of its own, with WebAssembly and one thread unless
asked otherwise; a generated clip is given as PNG files and one object is clicked on. Results go to
benchmarks/results/web_speed.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from sam2lite.cli.app import run_app  # noqa: E402
from sam2lite.contracts.manifest import MANIFEST_FILE  # noqa: E402
from sam2lite.data.clips import first_click, generate_clip  # noqa: E402
from sam2lite.data.eval_sets import EVAL_SETS  # noqa: E402
from sam2lite.runtimes.bundle import read_manifest  # noqa: E402
from tests.chromium import Page  # noqa: E402
from tests.exporter.web.site_in_chromium import (  # noqa: E402
    choose,
    click,
    download,
    open_site,
    play,
    served,
)

RESULTS = ROOT / "benchmarks" / "results" / "web_speed.json"
SEED = 4
GRAPHS = "graphs/"


def clip(folder: Path) -> tuple[list[Path], tuple[int, int]]:
    """Write a held-out clip as PNG files; return them and a click on its largest object."""
    made = generate_clip(SEED, EVAL_SETS["eval-v1"].config)
    area = np.bincount(made.labels_thw[0].ravel(), minlength=256)[1:]
    paths = []
    for index, frame in enumerate(made.frames_rgb_thwc):
        paths.append(folder / f"{index:03d}.png")
        cv2.imwrite(str(paths[-1]), np.ascontiguousarray(frame[..., ::-1]))
    x, y = first_click(made, int(area.argmax()) + 1)
    return paths, (int(x), int(y))


def measured(site: Path, query: str) -> dict[str, Any]:
    """Return what a site took in one browser, ms."""
    with tempfile.TemporaryDirectory() as scratch, served(site) as url, Page(1280, 900) as page:
        frames, (x, y) = clip(Path(scratch))
        open_site(page, url + query)
        choose(page, frames)
        click(page, x, y, objects=1)
        page.wait("document.querySelector('[data-of=first]').textContent.includes('ms')")
        first = page.run("document.querySelector('[data-of=first]').textContent")
        play(page)
        found = download(page, Path(scratch))
    visible = [frame for frame in found["frames"][1:] if frame["objects"]["1"]["visible"]]
    # Where the object is out of sight, no memory is written.
    stages = {
        stage: [frame["stage_ms"][stage] for frame in visible] for stage in visible[0]["stage_ms"]
    }
    return {"first_mask_ms": float(first.split()[0]), "stages": stages, "threads": found["threads"]}


def summary(site: Path, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a site's medians over all frames of all rounds."""
    manifest, _ = read_manifest(str(site))
    stages = {
        stage: round(statistics.median(ms for each in rounds for ms in each["stages"][stage]), 2)
        for stage in rounds[0]["stages"]
    }
    return {
        "precision": manifest.precision,
        "rung": manifest.rungs[0],
        "threads": rounds[0]["threads"],
        "weights_mb": round(
            sum(file.bytes for name, file in manifest.files.items() if name.startswith(GRAPHS))
            / 1e6,
            1,
        ),
        "first_mask_ms": round(statistics.median(each["first_mask_ms"] for each in rounds), 1),
        "stage_ms": stages,
    }


def main() -> None:
    """Measure, print a table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sites", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--query", default="?device=wasm&threads=1", help="of the page's address")
    arguments = parser.parse_args()
    for site in arguments.sites:
        if not (site / MANIFEST_FILE).exists():
            parser.error(f"{site} is no site of sam2lite-export web")
    rounds: dict[Path, list[dict[str, Any]]] = {site: [] for site in arguments.sites}
    for _ in range(arguments.rounds):
        for site, found in rounds.items():
            found.append(measured(site, arguments.query))
    rows = [summary(site, found) for site, found in rounds.items()]
    print("| precision | px | threads | MB | frame, ms | first mask, ms | graphs |")
    print("|-|-|-|-|-|-|-|")
    for row in rows:
        stages = [(name, ms) for name, ms in row["stage_ms"].items() if "_" in name]
        graphs = ", ".join(f"{name.replace('_', ' ')} {ms:g}" for name, ms in stages)
        print(
            f"| {row['precision']} | {row['rung']} | {row['threads']} | {row['weights_mb']:g} "
            f"| {row['stage_ms']['total']:g} | {row['first_mask_ms']:g} | {graphs} |"
        )
    told = {"machine": platform.machine(), "query": arguments.query, "sites": rows}
    RESULTS.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_app(main)
