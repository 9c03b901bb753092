"""One engine in a process of its own, for cpu_int8.py: loads, then runs frames when told to.

{"frames": 20} is answered by {"graph": [ms, ...], ...}; see `in_turn.py`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from in_turn import answer

from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.runtimes.backends.openvino.loading import import_openvino
from sam2lite.runtimes.measuring.resident_memory import peak_rss_mb

Arrays = dict[str, np.ndarray]
Runner = Callable[[], Any]


def load_inputs(folder: Path) -> dict[str, Arrays]:
    """Return what each graph is fed, in the order of a frame."""
    return {graph.name: dict(np.load(folder / f"{graph.name}.npz")) for graph in FAMILY.graphs}


def graph_file(folder: Path, name: str) -> Path:
    """Return the file of a graph: OpenVINO's or ONNX's."""
    return next(path for path in folder.glob(f"{name}*") if path.suffix in (".xml", ".onnx"))


def eager(
    folder: Path, inputs: dict[str, Arrays], threads: int, compiled: bool
) -> dict[str, Runner]:
    """PyTorch as it is, or through torch.compile."""
    import torch

    from sam2lite.models.registry import load_model

    torch.set_num_threads(threads)
    model = load_model((folder / "model.txt").read_text()).model.fused()

    def runner(name: str) -> Runner:
        module = getattr(model, name)
        tensors = [torch.from_numpy(array) for array in inputs[name].values()]
        if compiled:
            module = torch.compile(module)

        def run() -> Any:
            with torch.inference_mode():
                return module(*tensors)

        return run

    return {name: runner(name) for name in inputs}


def onnxruntime(
    folder: Path, inputs: dict[str, Arrays], threads: int, graphs: str
) -> dict[str, Runner]:
    """ONNX Runtime on one thread pool, as our runtime sets it up."""
    from sam2lite.runtimes.backends.ort import session as ort

    ort.share_threads(threads)
    import onnxruntime as engine

    def runner(name: str) -> Runner:
        options = ort.session_options(threads, threads)
        options.enable_cpu_mem_arena = False
        path = graph_file(folder / graphs, name)
        session = engine.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        values = {
            key: engine.OrtValue.ortvalue_from_numpy(array) for key, array in inputs[name].items()
        }
        return lambda: session.run_with_ort_values(None, values)

    return {name: runner(name) for name in inputs}


def openvino(
    folder: Path, inputs: dict[str, Arrays], threads: int, graphs: str, hint: str
) -> dict[str, Runner]:
    """OpenVINO, tuned for latency, in the arithmetic of the hint."""
    ov = import_openvino()
    core = ov.Core()
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": hint,
    }

    def runner(name: str) -> Runner:
        path = graph_file(folder / graphs, name)
        request = core.compile_model(str(path), "CPU", settings).create_infer_request()
        for key, array in inputs[name].items():
            request.set_tensor(key, ov.Tensor(array))
        return request.infer  # type: ignore[no-any-return]

    return {name: runner(name) for name in inputs}


ENGINES: dict[str, Callable[[Path, dict[str, Arrays], int], dict[str, Runner]]] = {
    "PyTorch eager": lambda f, i, t: eager(f, i, t, compiled=False),
    "torch.compile": lambda f, i, t: eager(f, i, t, compiled=True),
    "ORT FP32, as exported": lambda f, i, t: onnxruntime(f, i, t, "exported"),
    "ORT FP32, ours": lambda f, i, t: onnxruntime(f, i, t, "fp32/graphs"),
    "ORT INT8, ours": lambda f, i, t: onnxruntime(f, i, t, "int8/graphs"),
    "OpenVINO FP32": lambda f, i, t: openvino(f, i, t, "fp32/graphs", "f32"),
    "OpenVINO BF16": lambda f, i, t: openvino(f, i, t, "fp32/graphs", "bf16"),
    "OpenVINO INT8 (NNCF)": lambda f, i, t: openvino(f, i, t, "nncf", "f32"),
    "OpenVINO INT8 (NNCF), BF16": lambda f, i, t: openvino(f, i, t, "nncf", "bf16"),
}


def main() -> None:
    """Load the engine, say so, then answer requests until standard input ends."""
    engine, folder, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    os.environ["OMP_NUM_THREADS"] = str(threads)
    runners = ENGINES[engine](folder, load_inputs(folder / "inputs"), threads)
    for run in runners.values():
        for _ in range(3):
            run()

    def measured(request: dict[str, int]) -> dict[str, list[float]]:
        times: dict[str, list[float]] = {name: [] for name in runners}
        for _ in range(request["frames"]):
            for name, run in runners.items():
                started_s = time.perf_counter()
                run()
                times[name].append(1e3 * (time.perf_counter() - started_s))
        return times

    answer(measured, peak_rss_mb())


if __name__ == "__main__":
    main()
