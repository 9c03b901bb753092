"""SAM 2 on a CPU: seconds of a frame, whole and by graph, in Hugging Face's code and in ours.

Every contender and thread count is a process of its own; the parent lets them run frames in turn,
so that what else the machine does hits all alike. Memory is full: 7 frames and 16 pointers, all
made from one tracked frame, since time does not depend on what is in it. CPU seconds are those of
all threads of a process. A frame is 1280x720 in, mask of that size out. Published names have random
weights: that a mask is Hugging Face's says that the same was computed, and of INT8 it says little.
Hugging Face's mask decoder enlarges its masks, which our loop does beside the graph.

Contenders that are not installed are left out, and said so: pip install transformers openvino.

    .venv/bin/python benchmarks/sam2_cpu.py [--quick] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from figures import ROOT, fill, paragraph, table
from sam2_cpu_worker import CONTENDERS, SLOTS

from sam2lite.bench.machine_facts import describe_machine, load_average
from sam2lite.cli.app import run_app
from sam2lite.cli.progress import ShownProgress
from sam2lite.data.clips import ClipConfig, first_click, generate_clip
from sam2lite.exporter.backends import exporter_of
from sam2lite.exporter.bundle.writer import write_trial_bundle
from sam2lite.exporter.export import export
from sam2lite.exporter.precision.scheme import Float32
from sam2lite.exporter.recipe import Recipe
from sam2lite.models.registry import load_model
from sam2lite.models.sam2.config import PUBLISHED
from sam2lite.models.sam2.network import build
from sam2lite.runtimes.commands.children import environment, running_file
from sam2lite.targets.registry import host_target

WORKER = Path(__file__).with_name("sam2_cpu_worker.py")
MODELS = ("sam2.1_hiera_tiny", "sam2.1_hiera_small")
SIZES = (512, 1024)
THREADS = (1, 2)
QUICK = ("Hugging Face", "ours, FP32", "OpenVINO, our FP32 graphs")
BASE = "Hugging Face"
NEEDS = {name: "openvino" for name in CONTENDERS if "OpenVINO" in name}
NEEDS |= {name: "transformers" for name in CONTENDERS if "Hugging Face" in name}
# Bundles in FP32, and the passes that they are made without: by standard operators alone others can
# run them too.
FP32 = {"fp32": (), "standard": tuple(step.name for step in exporter_of("ort").closing_passes())}
PARTS = (
    "image_encoder",
    *(f"memory_attention_{count}" for count in SLOTS),
    "mask_decoder",
    "memory_encoder",
)


class Worker:
    """A process that runs frames and graphs when asked to."""

    def __init__(self, contender: str, folder: Path, threads: int) -> None:
        self.contender = contender
        command = [*running_file(str(WORKER)), contender, str(folder), str(threads)]
        self._process = subprocess.Popen(
            command,
            env=environment(OMP_NUM_THREADS=str(threads)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.times: dict[str, list[list[float]]] = {}
        self.peak_mb = 0.0

    def wait(self) -> bool:
        """Return whether the contender has loaded."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if line:
            self.peak_mb = json.loads(line)["peak_mb"]
        return bool(line)

    def run(self, frames: int, calls: int) -> None:
        """Run frames, then every graph, and keep their times."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"frames": frames, "calls": calls}) + "\n")
        self._process.stdin.flush()
        for name, times in json.loads(self._process.stdout.readline())["times"].items():
            self.times.setdefault(name, []).extend(times)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


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
    if not (folder.parent / "footage.npz").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        clip = generate_clip(5, ClipConfig(height=720, width=1280, frames=3))
        frames = np.ascontiguousarray(clip.frames_rgb_thwc[..., ::-1])
        click = first_click(clip, clip.object_ids[0])
        np.savez(folder.parent / "footage.npz", frames=frames, click=click)
    wanted = {CONTENDERS[name][0] for name in contenders}
    for source in sorted(source for source in wanted if not (folder / source).exists()):
        print(f"preparing {Path(model).name} at {size} px: {source}", file=sys.stderr)
        if source == "huggingface":
            from tests.oracles.hugging_face import hugging_face_model

            hugging_face_model(load_model(model).model, size).save_pretrained(folder / source)
        elif source in FP32:
            skip = FP32[source]
            write_trial_bundle(
                load_model(model), host_target(), size, Float32(), folder / source, skip
            )
        else:
            recipe = Recipe(
                model=model,
                precision=source,
                sizes=[size],
                output=folder / source,
                accept_drop=True,  # of random weights, which have no accuracy to lose
            )
            export(recipe, ShownProgress())


def measure(
    folder: Path, contenders: list[str], threads: int, rounds: int, frames: int
) -> list[dict[str, Any]]:
    """Run all contenders in turn; return a row for each."""
    with ExitStack() as stack:
        workers = []
        for contender in contenders:
            worker = Worker(contender, folder, threads)
            stack.callback(worker.close)
            if worker.wait():
                workers.append(worker)
            else:
                print(f"{contender} does not load", file=sys.stderr)
        for _ in range(rounds):
            for worker in workers:
                worker.run(frames, frames)
        return [row(worker, folder, threads) for worker in workers]


def row(worker: Worker, folder: Path, threads: int) -> dict[str, Any]:
    """Return medians and quartiles of one worker, seconds."""
    wall, cpu = (list(column) for column in zip(*worker.times["frame"], strict=True))
    return {
        "contender": worker.contender,
        "threads": threads,
        "frame_cpu_s": round(statistics.median(cpu), 4),
        "quartiles_cpu_s": quartiles(cpu),
        "frame_wall_s": round(statistics.median(wall), 4),
        "quartiles_wall_s": quartiles(wall),
        "part_cpu_s": medians(worker, 1),
        "part_wall_s": medians(worker, 0),
        "peak_mb": worker.peak_mb,
        "iou": agreement(folder, worker.contender),
    }


def quartiles(values: list[float]) -> list[float]:
    """Return the lower and the upper one."""
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return [round(low, 4), round(high, 4)]


def medians(worker: Worker, column: int) -> dict[str, float]:
    """Return the medians of every graph: of wall seconds (column 0) or CPU seconds (1)."""
    return {
        name: round(statistics.median(pair[column] for pair in worker.times[name]), 4)
        for name in PARTS
    }


def agreement(folder: Path, contender: str) -> float | None:
    """Return the IoU of the first mask with Hugging Face's; None if there is none of either."""
    if not (folder / f"{BASE}.npy").exists():
        return None
    mask, other = (np.load(folder / f"{name}.npy") for name in (contender, BASE))
    union = int((mask | other).sum())
    return round(int((mask & other).sum()) / union, 4) if union else None


def markdown(result: dict[str, Any]) -> str:
    """Return a table for each model and size, and what was measured on."""
    machine = result["machine"]
    before, after = machine["load_average"]
    versions = {"onnxruntime": machine["versions"]["onnxruntime"], **result["packages"]}
    used = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    parts = [
        paragraph(
            f"""{machine["model"]}, {machine["cores"]} cores, load average {before} before and
            {after} after; {used}. Medians of {result["frames"]} frames with a full
            memory; a process for every contender and thread count, in turn. Graphs are in CPU
            seconds; IoU is that of a mask with Hugging Face's. `{result["command"]}`"""
        )
    ]
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


def chosen(quick: bool, only: list[str] | None) -> list[str]:
    """Return the contenders that run, and say which are left out for want of a package."""
    wanted = only or [name for name in CONTENDERS if not quick or name in QUICK]
    missing = sorted({NEEDS[n] for n in wanted if n in NEEDS and not find_spec(NEEDS[n])})
    if missing:
        print(f"left out, for want of a package: {', '.join(missing)}", file=sys.stderr)
    return [name for name in wanted if NEEDS.get(name) not in missing]


def main() -> None:
    """Prepare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny at 512 px, one thread, 3 frames")
    parser.add_argument("--models", nargs="+", help="published names or paths of checkpoints")
    parser.add_argument("--sizes", nargs="+", type=int, help="input sides, px")
    parser.add_argument("--threads", nargs="+", type=int)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--cache", type=Path, help="keep what is prepared there for the next run")
    parser.add_argument("--json", type=Path, help="write every figure there")
    parser.add_argument("--docs", action="store_true", help="put the tables into docs/sam2.md")
    args = parser.parse_args()
    models = args.models or (MODELS[:1] if args.quick else MODELS)
    sizes = args.sizes or (SIZES[:1] if args.quick else SIZES)
    threads = args.threads or (THREADS[:1] if args.quick else THREADS)
    rounds, frames = args.rounds or (3 if args.quick else 6), 1 if args.quick else 2
    contenders = chosen(args.quick, args.contenders)
    os.environ.update(HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_OFFLINE="1")  # here and in workers
    before = load_average()
    subjects = []
    with tempfile.TemporaryDirectory() as temporary:
        for model in models:
            for size in sizes:
                cache = args.cache or Path(temporary)
                folder = cache / f"{Path(model).name}@{size}"
                prepare(checkpoint_of(model, cache), size, contenders, folder)
                rows = [
                    each
                    for count in threads
                    for each in measure(folder, contenders, count, rounds, frames)
                ]
                random = model in PUBLISHED
                title = f"{Path(model).name}{' with random weights' * random}"
                subjects.append({"model": title, "size": size, "rows": rows})
    result = {
        "command": " ".join(["benchmarks/sam2_cpu.py", *options(args)]),
        "machine": {**describe_machine(), "load_average": [before, load_average()]},
        "packages": {name: version(name) for name in ("torch", "transformers", "openvino")},
        "frames": rounds * frames,
        "subjects": subjects,
    }
    print(markdown(result))
    if args.docs:
        fill(ROOT / "docs" / "sam2.md", "sam2", markdown(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


def options(args: argparse.Namespace) -> list[str]:
    """Return the options that decide what is measured, as they were given."""
    given = ["--quick"] if args.quick else []
    for name in ("models", "sizes", "threads", "contenders"):
        values = [Path(str(value)).name for value in getattr(args, name) or ()]
        given += [f"--{name}", *values] if values else []
    return given + (["--rounds", str(args.rounds)] if args.rounds else [])


def version(package: str) -> str | None:
    """Return the version of an installed package."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    run_app(main)
