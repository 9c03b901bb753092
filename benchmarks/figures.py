"""Measure what docs/performance.md and the ADRs show, and write it there: `make figures`.

Runs the project's own commands, keeps their JSON under benchmarks/results/, and fills the marked
blocks of docs/performance.md and docs/adr/. With --keep it only fills the blocks from recorded
results.

    .venv/bin/python benchmarks/figures.py
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sam2lite.cli.app import run_app
from sam2lite.data.clips import ClipConfig, generate_clip
from sam2lite.runtimes.video.opencv_files import write_picture
from sam2lite.runtimes.video.overlay import contact_sheet, draw_overlay

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / "benchmarks"
RESULTS = SCRIPTS / "results"
PROGRAMS = Path(sys.executable).parent
CLIP_SEEDS = (1, 5, 9, 14)
STAGES = {
    "preprocess": "preprocess",
    "image_encoder": "image encoder",
    "mask_decoder": "mask decoder",
    "memory_encoder": "memory encoder",
    "memory_select": "memory selection",
    "postprocess": "full-size mask",
    "total": "**whole frame**",
}


def measure(name: str, program: str, *arguments: str) -> None:
    """Run a benchmark command and keep its JSON."""
    command = [str(PROGRAMS / program), *arguments, "--json", str(RESULTS / f"{name}.json")]
    if program == "sam2lite-bench":
        command.append("--force")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def capture(name: str, program: str, *arguments: str) -> None:
    """Run a command that prints JSON, and keep that."""
    done = subprocess.run([PROGRAMS / program, *arguments], check=True, stdout=subprocess.PIPE)
    (RESULTS / f"{name}.json").write_bytes(done.stdout)


def measure_all() -> None:
    """Run everything that docs/performance.md quotes."""
    with tempfile.TemporaryDirectory() as temporary:
        bundle, int8 = (str(Path(temporary) / precision) for precision in ("fp32", "int8"))
        capture("models", "sam2lite", "models", "--json")
        capture("export_tiny", "sam2lite-export", "ort", "-o", bundle, "--json")
        capture("export_tiny_int8", "sam2lite-export", "ort", "--int8", "-o", int8, "--json")
        for name, path in (("bench_tiny", bundle), ("bench_tiny_int8", int8)):
            measure(name, "sam2lite-bench", "--bundle", path, "--frames", "300")
        measure("rungs_tiny", "sam2lite-bench", "--bundle", int8, "--frames", "100", "--rungs")
        several = ["--frames", "100", "--objects", "4"]
        measure("objects_tiny", "sam2lite-bench", "--bundle", int8, *several)
        pools = str(SCRIPTS / "thread_pools.py")
        measure("thread_pools", "python", pools, bundle)
        measure("thread_pools_load", "python", pools, bundle, "--load", "1", "--runs", "3")
        capture("soak", "python", str(SCRIPTS / "soak.py"), "--bundle", int8)


def load(name: str) -> Any:
    """Read a recorded result."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def table(header: list[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines: list[Sequence[object]] = [header, ["-"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def paragraph(text: str) -> str:
    """Return text as one wrapped paragraph."""
    return textwrap.fill(" ".join(text.split()), 100)


def figures_block() -> str:
    """Return the figures of docs/performance.md."""
    wide, bench = load("bench_tiny"), load("bench_tiny_int8")
    rungs, objects = load("rungs_tiny"), load("objects_tiny")
    export, export_int8 = load("export_tiny"), load("export_tiny_int8")
    models, soak = load("models"), load("soak")
    machine, loop, costs = bench["machine"], export["loop"], objects["object_costs"]
    sizes = table(
        ["network", "parameters", "memory tokens"],
        [
            [name, f"{row['parameters']['total'] / 1e6:.2f} M", row["budget_tokens"]]
            for name, row in models.items()
        ],
    )
    stages = table(
        [
            "Tiny at 480 px, 1280x720 video, one object",
            "INT8, p50 ms",
            "p95",
            "FP32, p50 ms",
            "p95",
        ],
        [
            [
                label,
                *(
                    f"{result['stages_ms'][stage][p]:.2f}"
                    for result in (bench, wide)
                    for p in ("p50", "p95")
                ),
            ]
            for stage, label in STAGES.items()
        ],
    )
    ladder = table(
        ["rung", "open, ms", "first frame, ms", "p50 ms", "memory so far, MB"],
        [
            [row["rung"], *(f"{row[key]:.0f}" for key in ("open_ms", "first_frame_ms")),
             f"{row['p50_ms']:.1f}", f"{row['rss_mb']:.0f}"]
            for row in rungs["rungs"]
        ],
    )  # fmt: skip
    several = table(
        ["objects", "p50 ms", "memory, MB"],
        [[row["objects"], f"{row['p50_ms']:.1f}", f"{row['rss_mb']:.0f}"] for row in costs["rows"]],
    )
    before, after = machine["load_average"]
    blocks = [
        paragraph(
            f"""{machine["model"]}, {machine["cores"]} cores, {bench["threads"]} threads, load
            average {before} before and {after} after; onnxruntime
            {machine["versions"]["onnxruntime"]}."""
        ),
        sizes,
        stages,
        paragraph(
            f"""Outside the graphs (preprocessing, motion signal, bookkeeping, full-size mask):
            {bench["outside_graphs_ms"]["p50"]:.1f} ms a frame. From opening the bundle to the first
            mask: {bench["startup_ms"]:.0f} ms. Peak memory: {bench["peak_rss_mb"]:.0f} MB in INT8,
            {wide["peak_rss_mb"]:.0f} MB in FP32. `sam2lite-bench --frames 300`; in INT8 with
            `--rungs`:"""
        ),
        ladder,
        "and with `--objects 4`:",
        several,
        paragraph(
            f"""A further object costs {costs["ms_per_object"]:.1f} ms,
            {costs["share_of_encoder"]:.2f} of the image encoder's time; 16 objects are the limit.
            Over {soak["frames"]} frames with {soak["objects"]} objects, corrections and changes of
            size the whole process went from {soak["first_rss_mb"]:.0f} MB at frame
            {soak["first_note"]} to {soak["last_rss_mb"]:.0f} MB (`make soak`)."""
        ),
        paragraph(
            f"""Export of Tiny with six rungs, everything verified: {export["seconds"]:.0f} s and
            {export["megabytes"]:.1f} MB in FP32; {export_int8["seconds"]:.0f} s, calibration
            included, and {export_int8["megabytes"]:.1f} MB in INT8, which is
            {export_int8["megabytes"] / export["megabytes"]:.2f} of it. Worst relative error of any
            graph against PyTorch: {export["worst_relative_error"]:.1e}. The exported loop in FP32
            against PyTorch's, over {loop["frames"]} frames with {loop["objects"]} objects, an
            occlusion, a correction and a rung switch: largest logit difference
            {loop["max_logit_difference"]:.1e}, lowest IoU {loop["min_iou"]:.4f}."""
        ),
        "![Procedural clips with their exact masks](images/clips.jpg)",
        "*Procedural clips with their exact masks: what tests, calibration and training use.*",
    ]
    return "\n\n".join(blocks)


def encoder_table() -> str:
    """Return ADR 0001's table."""
    rows: list[list[object]] = []
    for row in load("encoder_candidates"):
        for threads in (1, 2):
            result = row[f"threads_{threads}"]
            low, high = result["speedup_quartiles"]
            rows.append(
                [
                    row["size"],
                    row["candidate"],
                    row["params_m"],
                    threads,
                    result["fp32_ms"],
                    result["int8_ms"],
                    f"{result['speedup']}x",
                    f"{low}..{high}",
                ]
            )
    header = ["size", "encoder", "M params", "threads", "FP32 ms", "INT8 ms", "ratio", "quartiles"]
    return table(header, rows)


def pools_table(name: str) -> str:
    """Return a table of ADR 0003."""
    rows: list[list[object]] = []
    results = {row["setting"]: row["ms"] for row in load(name)}
    best = float(np.median(results["2 threads, one pool"]))
    for setting, values in results.items():
        middle = float(np.median(values))
        spread = f"{min(values):.1f}..{max(values):.1f}"
        rows.append([setting, f"{middle:.1f}", spread, f"{middle / best:.2f}x"])
    return table(["setting", "ms, median of runs", "min..max", "against one pool"], rows)


def fill(path: Path, name: str, text: str) -> None:
    """Put text between `<!-- name -->` and `<!-- /name -->`."""
    pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name.split(':')[0]} -->)", re.DOTALL)
    content, count = pattern.subn(
        lambda match: f"{match[1]}{text.strip()}\n{match[2]}", path.read_text()
    )
    if count != 1:
        raise SystemExit(f"{path} has no block {name!r}")
    path.write_text(content)


def draw_clips() -> None:
    """Draw the picture of procedural clips with their masks."""
    frames = []
    for seed in CLIP_SEEDS:
        clip = generate_clip(seed, ClipConfig(height=270, width=480, frames=24))
        for index in (0, 8, 16):
            labels = clip.labels_thw[index]
            masks = {key: labels == key for key in clip.object_ids}
            frame_bgr = np.ascontiguousarray(clip.frames_rgb_thwc[index][..., ::-1])
            frames += [draw_overlay(frame_bgr, masks)]
    path = ROOT / "docs" / "images" / "clips.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, contact_sheet(frames, 3, 960), [cv2.IMWRITE_JPEG_QUALITY, 85])


def main() -> None:
    """Measure unless told not to, then fill every block."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="use recorded results")
    if not parser.parse_args().keep:
        measure_all()
    draw_clips()
    fill(ROOT / "docs/performance.md", "figures", figures_block())
    fill(ROOT / "docs/adr/0001-encoder.md", "table: encoder_candidates", encoder_table())
    fill(ROOT / "docs/performance.md", "engines", (RESULTS / "cpu_int8_480.md").read_text())
    for name in ("cpu_int8", "operator_scaling"):
        text = (RESULTS / f"{name}.md").read_text()
        fill(ROOT / "docs/adr/0008-int8.md", f"table: {name}", text)
    for name in ("thread_pools", "thread_pools_load"):
        fill(ROOT / "docs/adr/0003-one-thread-pool.md", f"table: {name}", pools_table(name))


if __name__ == "__main__":
    run_app(main)
