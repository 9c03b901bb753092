"""Four bits a weight: what rounding, a search of the span and GPTQ lose, and what bundles gain.

    .venv/bin/python benchmarks/four_bits.py [--model tiny] [--quick] [--json FILE]

First every linear layer by itself, on what the running loop feeds it: the error of its output as a
share of the output's power, by group. Then, unless --quick, bundles in FP32, INT8, w4 and w4a8:
their size, what they lose over generated clips, and the time of a frame, interleaved.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from figures import table

from sam2lite.bench.machine_facts import describe_machine, load_average
from sam2lite.calibration.calibrate import CalibrationSettings, recorded
from sam2lite.calibration.four_bits.gptq import gptq, output_error
from sam2lite.calibration.four_bits.grid import Grid, rounded, searched_steps, steps_of
from sam2lite.calibration.four_bits.hessians import hessians
from sam2lite.cli.app import run_app
from sam2lite.data.clips import ClipConfig, first_click, generate_clip
from sam2lite.exporter.export import export
from sam2lite.exporter.ort.four_bits import linear_layers
from sam2lite.exporter.recipe import Recipe
from sam2lite.models.registry import load_model
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.cache import cache_dir
from sam2lite.runtimes.segmenter import VideoSegmenter

GROUPS = (32, 64, 128)
PRECISIONS = ("fp32", "int8", "w4", "w4a8")
_FRAMES, _WARM_UP = 48, 8


def layer_rows(model: str, size: int | None, frames: int) -> list[dict[str, Any]]:
    """Return for every group the medians over layers of each method's error, and their ratios."""
    loaded = load_model(model)
    cache = Path(cache_dir())
    sizes = [size or loaded.sizes[-1]]
    settings = CalibrationSettings(frames=frames)
    recording, _ = recorded(loaded, sizes, settings, cache / "recordings")
    layers = linear_layers(loaded)
    seen = hessians(loaded, recording, layers, cache / "hessians")
    rows = []
    for group in GROUPS:
        grid = Grid(group)
        errors: dict[str, list[float]] = {"rounded": [], "searched": [], "gptq": []}
        for path, weight in layers.items():
            if path not in seen or not seen[path].any():
                continue
            searched = searched_steps(weight, grid)
            packed = {
                "rounded": rounded(weight, steps_of(weight, grid)),
                "searched": rounded(weight, searched),
                "gptq": gptq(weight, seen[path], searched),
            }
            for name, found in packed.items():
                errors[name].append(output_error(weight, found.weight(), seen[path]))
        ratios = [a / b for a, b in zip(errors["gptq"], errors["rounded"], strict=True) if b > 0]
        rows.append(
            {
                "group": group,
                "layers": len(errors["gptq"]),
                **{name: statistics.median(found) for name, found in errors.items()},
                "gptq_of_rounded": statistics.median(ratios),
                "largest_ratio": max(ratios),
            }
        )
    return rows


def bundle_rows(model: str, size: int | None, folder: Path) -> list[dict[str, Any]]:
    """Return size, accuracy and time of a bundle in every precision; frames are taken in turn."""
    sizes = [size or load_model(model).sizes[-1]]
    bundles = {}
    for precision in PRECISIONS:
        recipe = Recipe(model=model, precision=precision, sizes=sizes, output=folder / precision)
        bundles[precision] = export(recipe)
    clip = generate_clip(5, ClipConfig(height=540, width=960, frames=_FRAMES))
    frames = [frame[..., ::-1].copy() for frame in clip.frames_rgb_thwc]
    click = first_click(clip, clip.object_ids[0])
    segmenters = {
        name: VideoSegmenter(open_bundle(bundle.path)) for name, bundle in bundles.items()
    }
    times: dict[str, list[float]] = {name: [] for name in segmenters}
    for index, frame in enumerate(frames):
        for name, segmenter in segmenters.items():
            if not index:
                segmenter.prompt(frame, points=[click], frame_index=0)
            began = time.perf_counter()
            segmenter.track(frame, frame_index=index)
            times[name].append(1e3 * (time.perf_counter() - began))
    rows = []
    for name, bundle in bundles.items():
        segmenters[name].close()
        drop = bundle.manifest.verification.get("accuracy")
        rows.append(
            {
                "precision": name,
                "mb": round(bundle.manifest.megabytes, 2),
                "ms": round(statistics.median(times[name][_WARM_UP:]), 2),
                "points_lost": None if drop is None else drop["drop"],
            }
        )
    return rows


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--size", type=int)
    parser.add_argument("--frames", type=int, default=32, help="to calibrate on")
    parser.add_argument("--quick", action="store_true", help="layers alone")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    before = load_average()
    report: dict[str, Any] = {
        "model": arguments.model,
        "layers": layer_rows(arguments.model, arguments.size, arguments.frames),
    }
    lines = [
        table(
            ["group", "layers", "rounded", "span searched", "GPTQ", "of rounded", "worst layer"],
            [
                [
                    row["group"],
                    row["layers"],
                    *(f"{row[name]:.2e}" for name in ("rounded", "searched", "gptq")),
                    f"{row['gptq_of_rounded']:.2f}x",
                    f"{row['largest_ratio']:.2f}x",
                ]
                for row in report["layers"]
            ],
        )
    ]
    if not arguments.quick:
        with tempfile.TemporaryDirectory() as folder:
            report["bundles"] = bundle_rows(arguments.model, arguments.size, Path(folder))
        plain = report["bundles"][0]
        lines.append(
            table(
                ["precision", "MB", "of FP32", "ms a frame", "of FP32", "points lost"],
                [
                    [
                        row["precision"],
                        row["mb"],
                        f"{row['mb'] / plain['mb']:.2f}x",
                        row["ms"],
                        f"{row['ms'] / plain['ms']:.2f}x",
                        "" if row["points_lost"] is None else row["points_lost"],
                    ]
                    for row in report["bundles"]
                ],
            )
        )
    report["machine"] = {**describe_machine(), "load_average": [before, load_average()]}
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write("\n\n".join(lines) + "\n")


if __name__ == "__main__":
    run_app(main)
