"""A bundle for TensorRT as the exporter lays it out, with ONNX files of a node or two."""

import hashlib
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from sam2lite.contracts.build_plan import NOT_BUILT, PLAN_FILE, BuildPlan, GraphPlan
from sam2lite.contracts.families.sam2lite import FAMILY, MEMORY_SELECT
from sam2lite.contracts.manifest import (
    MANIFEST_FILE,
    FileEntry,
    GraphEntry,
    Manifest,
    ModelInfo,
    Postprocess,
)
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.exporter.bundle.device_app import add_device_app
from sam2lite.exporter.tensorrt.backend import EXPORTER
from sam2lite.runtimes.backends.tensorrt.engines import read_plan
from sam2lite.runtimes.bundle import read_manifest

RUNGS = (240, 336)
KEYS = [graph.key(rung) for rung in RUNGS for graph in FAMILY.per_size]
KEYS.append(MEMORY_SELECT.name)
PLAN = BuildPlan("8.2.1", False, 512, {})
GRAPH = GraphPlan("", ("FP16",))
NODES = ("/Softmax", "/Add", "/Add_1")


def write_trt_bundle(
    folder: Path,
    plan: BuildPlan = PLAN,
    graph: GraphPlan = GRAPH,
    nodes: tuple[str, ...] = NODES,
    target: str = "jetson-nano",
) -> Path:
    """Write a bundle of seven graphs.

    Args:
        folder: for it; made here.
        plan: its versions and workspace; the graphs come from `graph`.
        graph: how each is built; its file is filled in.
        nodes: names of the nodes of every graph.
        target: id of the target.
    """
    (folder / "graphs").mkdir(parents=True)
    (folder / "graphs" / "weights.bin").write_bytes(b"weights")
    if graph.calibration_cache:
        (folder / graph.calibration_cache).write_text("TRT-8201-EntropyCalibration2\n")
    graphs = {}
    for key in KEYS:
        file = f"graphs/{key}.onnx"
        onnx.save(_model(key, nodes), folder / file)
        graphs[key] = graph._replace(onnx=file)
    (folder / PLAN_FILE).write_text(plan._replace(graphs=graphs).dumps())
    add_device_app(folder, EXPORTER.readme)
    write_manifest(folder, target)
    return folder


def write_manifest(folder: Path, target: str = "jetson-nano") -> None:
    """Write the manifest for the files that are there."""
    graphs = sorted((folder / "graphs").glob("*.onnx"))
    manifest = Manifest(
        sam2lite_version="0",
        model=ModelInfo("sam2lite", "tiny", "0" * 64, "none", True, 1, {}),
        backend="trt",
        target={"id": target, "title": "A board", "python": "3.6"},
        opset=13,
        rungs=RUNGS,
        graphs={
            path.stem: GraphEntry(f"graphs/{path.name}", "fp16", _spec(path.stem))
            for path in graphs
        },
        preprocess={},
        dims={},
        stages=tuple(graph.name for graph in FAMILY.graphs),
        postprocess=Postprocess(FAMILY.mask_stride, 0.0, 0.0, "INTER_LINEAR"),
        memory={"budget": 256, "channels": 256, "window_saves_time": False},
        calibration=None,
        verification={},
        tools={},
        files={
            path.relative_to(folder).as_posix(): FileEntry(
                hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size
            )
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != MANIFEST_FILE and path.parent.name != "engines"
        },
        status=NOT_BUILT,
    )
    (folder / MANIFEST_FILE).write_text(manifest.dumps())


def opened(folder: Path) -> tuple[Manifest, BuildPlan]:
    """Return what is needed to look for engines."""
    return read_manifest(str(folder))[0], read_plan(str(folder))


def _spec(key: str) -> GraphSpec:
    name, at, _ = key.partition("@")
    return GraphSpec(name, (), (), per_size=bool(at))


def _model(key: str, nodes: tuple[str, ...]) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    last = helper.make_tensor_value_info(nodes[-1], TensorProto.FLOAT, [1])
    chain = [
        helper.make_node("Relu", [before], [name], name=name)
        for before, name in zip(("x", *nodes), nodes, strict=False)
    ]
    return helper.make_model(helper.make_graph(chain, key, [x], [last]))
