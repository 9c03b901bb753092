"""Which image encoder quantises well? Three candidates for each size, random weights, whole loop.

Each candidate is exported at one rung, quantised quickly (onnxruntime's static quantiser, U8
activations, S8 per-channel weights, MinMax over three random inputs) and the four graphs are run
one after the other, FP32 and INT8 interleaved, in a worker process per thread count with one
thread pool for all sessions. Random weights say nothing about accuracy, only about time.

    .venv/bin/python benchmarks/encoder_candidates.py --json FILE
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from sam2lite.cli.app import run_app
from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.models.sam2lite.config import Sam2LiteConfig, StageConfig, size_config
from sam2lite.runtimes.commands.children import environment, running_file

HYBRID_POOL = 2  # keys and values of stride-16 attention are pooled 2x2

# `conv` is what the published sizes use; the other two are named here alone.
CANDIDATES: dict[str, dict[str, tuple[StageConfig, ...]]] = {
    "tiny": {
        "vit": (
            StageConfig(48, ""),
            StageConfig(80, ""),
            StageConfig(192, "a" * 8, mlp_ratio=4),
        ),
        "hybrid": (
            StageConfig(40, "cc"),
            StageConfig(80, "cc"),
            StageConfig(192, "c" * 7 + "a" * 6, kv_stride=HYBRID_POOL),
        ),
        "conv": size_config("tiny").stages,
    },
    "small": {
        "vit": (
            StageConfig(64, ""),
            StageConfig(128, ""),
            StageConfig(256, "a" * 12, mlp_ratio=4),
        ),
        "hybrid": (
            StageConfig(56, "cc"),
            StageConfig(112, "cc"),
            StageConfig(256, "c" * 9 + "a" * 10, kv_stride=HYBRID_POOL),
        ),
        "conv": size_config("small").stages,
    },
    "base": {
        "vit": (
            StageConfig(96, ""),
            StageConfig(192, ""),
            StageConfig(512, "a" * 10, mlp_ratio=4),
        ),
        "hybrid": (
            StageConfig(80, "cc"),
            StageConfig(160, "cc"),
            StageConfig(448, "c" * 10 + "a" * 11, kv_stride=HYBRID_POOL),
        ),
        "conv": size_config("base").stages,
    },
}


def candidate(size: str, kind: str) -> Sam2LiteConfig:
    """Return the published size with another image encoder."""
    return dataclasses.replace(size_config(size), stages=CANDIDATES[size][kind])


def quantise(source: Path, target: Path, feeds: list[dict[str, Any]]) -> None:
    """Quantise one graph statically: convolutions, linear layers and convolutional additions."""
    import onnx
    from onnxruntime import quantization

    model = onnx.load(source)
    matrices = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 2}
    colour_kernels = {t.name for t in model.graph.initializer if list(t.dims[1:]) == [3, 3, 3]}
    producer = {name: node.op_type for node in model.graph.node for name in node.output}
    convolutional = {"Conv", "Add", "Relu"}
    excluded = [
        node.name
        for node in model.graph.node
        # MatMuls without a weight matrix are attention; additions elsewhere than between
        # convolutions cost accuracy and save no time (both stay in float).
        if (node.op_type == "MatMul" and not matrices & set(node.input))
        # A kernel over three colours has too short a dot product to gain from INT8.
        or (node.op_type == "Conv" and node.input[1] in colour_kernels)
        or (
            node.op_type == "Add"
            and not all(producer.get(name) in convolutional for name in node.input)
        )
    ]

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.items = iter(feeds)

        def get_next(self) -> dict[str, Any] | None:
            return next(self.items, None)

    quantization.quantize_static(
        source,
        target,
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["Conv", "MatMul", "Gemm", "Add", "Relu"],
        nodes_to_exclude=excluded,
    )


def prepare(config: Sam2LiteConfig, rung: int, folder: Path) -> None:
    """Write the four graphs of a candidate, FP32 and INT8."""
    import onnx
    import onnxsim

    from sam2lite.exporter.onnx.trace import example_inputs, trace
    from sam2lite.models.sam2lite.network import build

    model = build(config).fused()
    for graph in FAMILY.graphs:
        spec = graph.bind(config.dims(rung))
        simplified, _ = onnxsim.simplify(trace(getattr(model, graph.name), spec, 17))
        for index, node in enumerate(simplified.graph.node):
            node.name = node.name or f"{node.op_type}_{index}"
        fp32 = folder / f"{graph.name}.fp32.onnx"
        int8 = folder / f"{graph.name}.int8.onnx"
        onnx.save(simplified, fp32)
        if graph.name == "memory_select":  # ranking stays in float
            onnx.save(simplified, int8)
            continue
        feeds = [
            {
                name: x.numpy()
                for name, x in zip(spec.input_names, example_inputs(spec, seed), strict=True)
            }
            for seed in range(3)
        ]
        quantise(fp32, int8, feeds)


def work(folder: Path, rung: int, config: Sam2LiteConfig, threads: int, rounds: int) -> None:
    """Time both precisions in turn, print one JSON object."""
    import onnxruntime as ort

    from sam2lite.exporter.onnx.trace import example_inputs

    ort.set_default_logger_severity(3)
    ort.set_global_thread_pool_sizes(threads, 1)
    sessions: dict[tuple[str, str], Any] = {}
    feeds: dict[str, Any] = {}
    for graph in FAMILY.graphs:
        spec = graph.bind(config.dims(rung))
        feeds[graph.name] = {
            name: ort.OrtValue.ortvalue_from_numpy(x.numpy())
            for name, x in zip(spec.input_names, example_inputs(spec), strict=True)
        }
        for precision in ("fp32", "int8"):
            options = ort.SessionOptions()
            options.use_per_session_threads = False
            path = str(folder / f"{graph.name}.{precision}.onnx")
            sessions[graph.name, precision] = ort.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
    times: dict[tuple[str, str], list[float]] = {key: [] for key in sessions}
    for round_index in range(rounds + 3):
        for precision in ("fp32", "int8"):
            for graph in FAMILY.graphs:
                session = sessions[graph.name, precision]
                start = time.perf_counter()
                session.run_with_ort_values(None, feeds[graph.name])
                if round_index >= 3:
                    times[graph.name, precision].append(1e3 * (time.perf_counter() - start))
    totals = {
        precision: [sum(frame) for frame in zip(*(times[g.name, precision] for g in FAMILY.graphs))]  # noqa: B905
        for precision in ("fp32", "int8")
    }
    ratios = [a / b for a, b in zip(totals["fp32"], totals["int8"], strict=True)]
    median = statistics.median
    print(
        json.dumps(
            {
                "threads": threads,
                "graph_ms": {
                    f"{name}.{precision}": round(median(values), 2)
                    for (name, precision), values in times.items()
                },
                "fp32_ms": round(median(totals["fp32"]), 2),
                "int8_ms": round(median(totals["int8"]), 2),
                "speedup": round(median(ratios), 2),
                "speedup_quartiles": [round(q, 2) for q in statistics.quantiles(ratios, n=4)[::2]],
            }
        )
    )


def study(size: str, kind: str, rung: int, rounds: int) -> dict[str, Any]:
    """Prepare one candidate and time it with 1 and 2 threads, each in its own process."""
    from sam2lite.models.sam2lite.network import build

    config = candidate(size, kind)
    row: dict[str, Any] = {"size": size, "candidate": kind, "rung": rung, "rounds": rounds}
    row["params_m"] = round(build(config).parameter_counts()["total"] / 1e6, 2)
    with tempfile.TemporaryDirectory() as temporary:
        prepare(config, rung, Path(temporary))
        for threads in (1, 2):
            command = [*running_file(__file__), "--size", size, "--kind", kind]
            command += ["--rung", str(rung), "--rounds", str(rounds)]
            command += ["--worker", temporary, str(threads)]
            done = subprocess.run(
                command, env=environment(), check=True, stdout=subprocess.PIPE, text=True
            )
            row[f"threads_{threads}"] = json.loads(done.stdout.splitlines()[-1])
    row["load_average"] = round(os.getloadavg()[0], 1)
    return row


def main() -> None:
    """Run the study and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=[*CANDIDATES, "all"], default="all")
    parser.add_argument("--kind", choices=["vit", "hybrid", "conv", "all"], default="all")
    parser.add_argument("--rung", type=int, default=480)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", nargs=2, metavar=("FOLDER", "THREADS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        folder, threads = Path(args.worker[0]), int(args.worker[1])
        work(folder, args.rung, candidate(args.size, args.kind), threads, args.rounds)
        return
    sizes = list(CANDIDATES) if args.size == "all" else [args.size]
    kinds = ["vit", "hybrid", "conv"] if args.kind == "all" else [args.kind]
    print("| size | encoder | M params | threads | FP32 ms | INT8 ms | speed-up | quartiles |")
    print("|-|-|-|-|-|-|-|-|")
    rows = []
    for size in sizes:
        for kind in kinds:
            row = study(size, kind, args.rung, args.rounds)
            rows.append(row)
            for threads in (1, 2):
                t = row[f"threads_{threads}"]
                low, high = t["speedup_quartiles"]
                print(
                    f"| {size} | {kind} | {row['params_m']} | {threads} | {t['fp32_ms']} "
                    f"| {t['int8_ms']} | {t['speedup']} | {low}..{high} |",
                    flush=True,
                )
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    run_app(main)
