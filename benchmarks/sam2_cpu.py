"""SAM 2 on a CPU: seconds of a frame, whole and by graph, in Hugging Face's code and in ours.

Every contender and thread count is a process of its own, and they run in turn (`in_turn.py`).
Memory is full: 7 frames and 16 pointers, all made from one tracked frame, since time does not
depend on what is in it. CPU seconds are those of all threads of a process. A frame is 1280x720 in,
mask of that size out. Published names have random weights: that a mask is Hugging Face's says that
the same was computed, and of INT8 it says little. Hugging Face's mask decoder enlarges its masks,
which our loop does beside the graph.

Contenders that are not installed are left out, and said so: pip install transformers openvino.

    .venv/bin/python benchmarks/sam2_cpu.py [--quick] [--json FILE]
"""

from __future__ import annotations

import statistics
import sys
from itertools import product
from pathlib import Path
from typing import Any

import torch
from figures import table
from fp32_bundles import IN_FP32, write_in_fp32
from frame_study import (
    agreement,
    conditions,
    planned,
    publish,
    recorded,
    study_parser,
    write_footage,
)
from in_turn import Worker, frame_row, run_in_turn
from sam2_cpu_worker import CONTENDERS, SLOTS

from sam2lite.bench.machine_facts import load_average
from sam2lite.cli.app import run_app
from sam2lite.cli.progress import ShownProgress
from sam2lite.exporter.export import export
from sam2lite.exporter.recipe import Recipe
from sam2lite.models.registry import load_model
from sam2lite.models.sam2.config import PUBLISHED
from sam2lite.models.sam2.network import build

WORKER = Path(__file__).with_name("sam2_cpu_worker.py")
MODELS = ("sam2.1_hiera_tiny", "sam2.1_hiera_small")
SIZES = (512, 1024)
QUICK = ("Hugging Face", "ours, FP32", "OpenVINO, our FP32 graphs")
BASE = "Hugging Face"
NEEDS = {name: "openvino" for name in CONTENDERS if "OpenVINO" in name}
NEEDS |= {name: "transformers" for name in CONTENDERS if "Hugging Face" in name}
PARTS = (
    "image_encoder",
    *(f"memory_attention_{count}" for count in SLOTS),
    "mask_decoder",
    "memory_encoder",
)


def checkpoint_of(model: str, folder: Path) -> str:
    """Return the path of a checkpoint: of a published size, one with random weights is written."""
    if model not in PUBLISHED:
        return model
    path = folder / f"{model}.pt"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        torch.save({"model": build(PUBLISHED[model]).state_dict()}, path)
    return str(path)


def prepare(model: str, size: int, contenders: list[str], folder: Path) -> None:
    """Write what contenders load, unless it is there from an earlier run."""
    write_footage(folder.parent)
    wanted = {CONTENDERS[name][0] for name in contenders}
    for source in sorted(source for source in wanted if not (folder / source).exists()):
        print(f"preparing {Path(model).name} at {size} px: {source}", file=sys.stderr)
        if source == "huggingface":
            from tests.oracles.hugging_face import hugging_face_model

            hugging_face_model(load_model(model).model, size).save_pretrained(folder / source)
        elif source in IN_FP32:
            write_in_fp32(source, load_model(model), size, folder / source)
        else:
            recipe = Recipe(
                model=model,
                precision=source,
                sizes=[size],
                output=folder / source,
                accept_drop=True,  # of random weights, which have no accuracy to lose
            )
            export(recipe, ShownProgress())


def row(worker: Worker, folder: Path) -> dict[str, Any]:
    """Return medians and quartiles of one worker, seconds."""
    return {
        **frame_row(worker),
        "part_cpu_s": medians(worker, 1),
        "part_wall_s": medians(worker, 0),
        "iou": agreement(folder, worker.contender, BASE),
    }


def medians(worker: Worker, column: int) -> dict[str, float]:
    """Return the medians of every graph: of wall seconds (column 0) or CPU seconds (1)."""
    return {
        name: round(statistics.median(pair[column] for pair in worker.times[name]), 4)
        for name in PARTS
    }


def markdown(result: dict[str, Any]) -> str:
    """Return a table for each model and size, and what was measured on."""
    text = f"""Medians of {result["frames"]} frames with a full memory; a process for every
        contender and thread count, in turn. Graphs are in CPU seconds; IoU is that of a mask
        with Hugging Face's. `{result["command"]}`"""
    parts = [conditions(result["machine"], result["packages"], text)]
    header = ["contender", "threads", "frame, CPU s", "quartiles", f"of {BASE}", "wall s"]
    header += [name.replace("_", " ") for name in PARTS] + ["peak MB", "IoU"]
    for subject in result["subjects"]:
        base = {r["threads"]: r["frame_cpu_s"] for r in subject["rows"] if r["contender"] == BASE}
        lines: list[list[object]] = []
        for found in subject["rows"]:
            low, high = found["quartiles_cpu_s"]
            share = base.get(found["threads"])
            iou = found["iou"]
            lines.append(
                [
                    found["contender"],
                    found["threads"],
                    f"{found['frame_cpu_s']:.3f}",
                    f"{low:.3f}..{high:.3f}",
                    f"{found['frame_cpu_s'] / share:.2f}x" if share else "",
                    f"{found['frame_wall_s']:.3f}",
                    *(f"{found['part_cpu_s'][name]:.3f}" for name in PARTS),
                    f"{found['peak_mb']:.0f}",
                    "" if iou is None else f"{iou:.4f}",
                ]
            )
        parts += [f"{subject['model']} at {subject['size']} px", table(header, lines)]
    return "\n\n".join(parts)


def main() -> None:
    """Prepare, measure, print."""
    parser = study_parser(__doc__, CONTENDERS, "tiny at 512 px, one thread, 3 frames")
    parser.add_argument("--models", nargs="+", help="published names or paths of checkpoints")
    parser.add_argument("--sizes", nargs="+", type=int, help="input sides, px")
    args = parser.parse_args()
    models = args.models or (MODELS[:1] if args.quick else MODELS)
    sizes = args.sizes or (SIZES[:1] if args.quick else SIZES)
    before, subjects = load_average(), []
    with planned(args, QUICK if args.quick else tuple(CONTENDERS), NEEDS) as plan:
        for model, size in product(models, sizes):
            folder = plan.cache / f"{Path(model).name}@{size}"
            prepare(checkpoint_of(model, plan.cache), size, plan.contenders, folder)
            told = {"frames": plan.frames, "calls": plan.frames}
            rows = [
                row(each, folder)
                for count in plan.threads
                for each in run_in_turn(WORKER, plan.contenders, folder, count, plan.rounds, **told)
            ]
            title = f"{Path(model).name}{' with random weights' * (model in PUBLISHED)}"
            subjects.append({"model": title, "size": size, "rows": rows})
    decided = ("models", "sizes", "threads", "contenders")
    result = {**recorded(__file__, args, decided, plan, before), "subjects": subjects}
    publish(args, result, markdown(result), "sam2")


if __name__ == "__main__":
    run_app(main)
