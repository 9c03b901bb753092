"""One network through every CPU engine: milliseconds of a frame, whole and by graph.

Every engine and thread count is a process of its own, and they run in turn (`in_turn.py`). Inputs
are recorded from the frame loop with a full memory. Engines that are not installed are left out,
and said so: pip install openvino nncf.

    .venv/bin/python benchmarks/cpu_int8.py [--quick] [--model NAME|PATH]

Writes cpu_int8.json, .md and .png under benchmarks/results/; --quick prints a table only. `make
figures` copies the tables into docs/performance.md and ADR 0008.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from cpu_int8_worker import ENGINES
from figures import RESULTS, table
from in_turn import Worker, run_in_turn

from sam2lite.bench.machine_facts import describe_machine, load_average
from sam2lite.calibration.calibrate import CalibrationSettings, calibrate
from sam2lite.calibration.recorder import Recording
from sam2lite.cli.app import run_app
from sam2lite.cli.progress import ShownProgress
from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.evaluation.bars import Bar, plot_bars
from sam2lite.exporter.bundle.writer import write_bundle
from sam2lite.exporter.export import export
from sam2lite.exporter.footage import recordings
from sam2lite.exporter.onnx.trace import feeds_of, trace
from sam2lite.exporter.recipe import Recipe
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.registry import load_model
from sam2lite.runtimes.backends.openvino.loading import import_openvino
from sam2lite.targets.registry import host_target

WORKER = Path(__file__).with_name("cpu_int8_worker.py")
THREADS = (1, 2)
NEEDS = {"OpenVINO FP32": "openvino", "OpenVINO BF16": "openvino"}
NEEDS |= {name: "nncf" for name in ENGINES if "NNCF" in name}
BASE, FLOAT = "PyTorch eager", "ORT FP32, ours"


def prepare(loaded: LoadedModel, name: str, rungs: list[int], folder: Path) -> dict[int, Path]:
    """Write what the engines load: a folder for each rung."""
    target = host_target()
    settings = CalibrationSettings()
    recording = calibrate(loaded, loaded.config.rungs, settings, recordings()).recording
    write_bundle(loaded, target, folder / "fp32", rungs=rungs)
    export(Recipe(model=name, precision="int8", output=folder / "int8"), ShownProgress())
    folders = {}
    for rung in rungs:
        own = folders[rung] = folder / str(rung)
        (own / "inputs").mkdir(parents=True)
        (own / "exported").mkdir()
        (own / "model.txt").write_text(name)
        for graph in FAMILY.graphs:
            key = graph.key(rung)
            spec = graph.bind(loaded.config.dims(rung))
            *_, (_, tensors) = recording.calls(graph.name, rung)
            arrays = feeds_of(spec, tensors)
            np.savez(own / "inputs" / f"{graph.name}.npz", allow_pickle=False, **arrays)
            traced = trace(getattr(loaded.model.fused(), graph.name), spec, target.opset)
            onnx.save(traced, own / "exported" / f"{graph.name}.onnx")
            for precision in ("fp32", "int8"):
                graphs = own / precision / "graphs"
                graphs.mkdir(parents=True, exist_ok=True)
                for file in (f"{key}.onnx", "weights.bin"):
                    if not (graphs / file).exists():
                        shutil.copy(folder / precision / "graphs" / file, graphs)
        if find_spec("nncf"):
            quantize_with_nncf(own, recording, rung)
    return folders


def quantize_with_nncf(folder: Path, recording: Recording, rung: int) -> None:
    """Quantize the FP32 graphs with NNCF's defaults on the recorded calls."""
    ov = import_openvino()
    import nncf

    (folder / "nncf").mkdir()
    for graph in FAMILY.graphs:
        calls = [feeds_of(graph, tensors) for _, tensors in recording.calls(graph.name, rung)]
        path = next((folder / "fp32" / "graphs").glob(f"{graph.name}*.onnx"))
        model = ov.Core().read_model(str(path))
        if graph.name != "memory_select":  # ranking stays in float, as in ours
            model = nncf.quantize(model, nncf.Dataset(calls), subset_size=len(calls))
        ov.save_model(model, str(folder / "nncf" / f"{graph.name}.xml"), compress_to_fp16=False)


def measure(folder: Path, engines: list[str], rounds: int, frames: int) -> list[dict[str, Any]]:
    """Run all engines at all thread counts in turn; return a row for each."""
    return [
        row(worker)
        for threads in THREADS
        for worker in run_in_turn(WORKER, engines, folder, threads, rounds, frames=frames)
    ]


def row(worker: Worker) -> dict[str, Any]:
    """Return medians and quartiles of one worker."""
    totals = [sum(frame) for frame in zip(*worker.times.values(), strict=True)]
    low, median, high = statistics.quantiles(totals, n=4)
    return {
        "engine": worker.contender,
        "threads": worker.threads,
        "frame_ms": round(median, 2),
        "quartiles_ms": [round(low, 2), round(high, 2)],
        "graph_ms": {
            graph: round(statistics.median(times), 3) for graph, times in worker.times.items()
        },
    }


def markdown(result: dict[str, Any]) -> str:
    """Return a table for each rung, and what was measured on."""
    machine = result["machine"]
    before, after = machine["load_average"]
    parts = [
        f"{machine['model']}, {machine['cores']} cores, load average {before} before and {after} "
        f"after. {result['model']}, medians of {result['frames']} frames; a process for every "
        "engine and thread count, in turn."
    ]
    for rung, rows in result["rungs"].items():
        lines: list[list[object]] = []
        for threads in THREADS:
            own = {r["engine"]: r for r in rows if r["threads"] == threads}
            for engine, found in own.items():
                low, high = found["quartiles_ms"]
                ratios = [
                    f"{own[base]['frame_ms'] / found['frame_ms']:.2f}x" if base in own else ""
                    for base in (BASE, FLOAT)
                ]
                graphs = [f"{ms:.2f}" for ms in found["graph_ms"].values()]
                cells = [engine, threads, f"{found['frame_ms']:.1f}", f"{low:.1f}..{high:.1f}"]
                lines.append([*cells, *ratios, *graphs])
        header = ["engine", "threads", "frame, ms", "quartiles", "of eager", "of ORT FP32"]
        header += [graph.name.replace("_", " ") for graph in FAMILY.graphs]
        parts += [f"{rung} px", table(header, lines)]
    return "\n\n".join(parts)


def main() -> None:
    """Prepare, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the largest rung, few frames")
    parser.add_argument("--model", default="tiny")
    args = parser.parse_args()
    loaded = load_model(args.model)
    rungs = [loaded.config.rungs[-1]] if args.quick else list(loaded.config.rungs)
    engines = [name for name in ENGINES if find_spec(NEEDS.get(name, "torch"))]
    if args.quick:
        engines.remove("torch.compile")
    missing = sorted({NEEDS[name] for name in set(ENGINES) - set(engines) if name in NEEDS})
    if missing:
        print(f"left out, for want of {', '.join(missing)}: OpenVINO", file=sys.stderr)
    rounds, frames = (4, 8) if args.quick else (8, 8)
    before = load_average()
    with tempfile.TemporaryDirectory() as temporary:
        folders = prepare(loaded, args.model, rungs, Path(temporary))
        found = {rung: measure(path, engines, rounds, frames) for rung, path in folders.items()}
    result = {
        "machine": {**describe_machine(), "load_average": [before, load_average()]},
        "model": args.model,
        "rounds": rounds,
        "frames": rounds * frames,
        "missing": missing,
        "rungs": {str(rung): rows for rung, rows in found.items()},
    }
    print(markdown(result))
    if not args.quick:
        save(result)


def save(result: dict[str, Any]) -> None:
    """Write JSON, tables and the plot of the largest rung."""
    rung, rows = list(result["rungs"].items())[-1]
    (RESULTS / "cpu_int8.json").write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / "cpu_int8.md").write_text(markdown(result) + "\n")
    largest = markdown({**result, "rungs": {rung: rows}})
    (RESULTS / "cpu_int8_480.md").write_text(largest + "\n")
    threads = {1: "1 thread", 2: "2 threads"}
    bars = [
        Bar(f"{row['engine']}, {threads[row['threads']]}", row["frame_ms"], str(row["threads"]))
        for row in rows
    ]
    title = f"Whole frame at {rung} px, {result['machine']['model']}"
    plot_bars(bars, title, "ms").savefig(RESULTS / "cpu_int8.png")


if __name__ == "__main__":
    run_app(main)
