"""From a network to a bundle: export every graph, verify, write the directory in one piece."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite import __version__
from sam2lite.contracts.backends import get_backend
from sam2lite.contracts.build_plan import NOT_BUILT
from sam2lite.contracts.manifest import (
    GRAPHS_FOLDER,
    MANIFEST_FILE,
    FileEntry,
    GraphEntry,
    Manifest,
    ModelInfo,
    Postprocess,
)
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import UnknownNameError
from sam2lite.exporter.bundle.device_app import add_device_app
from sam2lite.exporter.precision.scheme import Float32, PrecisionScheme
from sam2lite.exporter.tensorrt.plan import write_plan
from sam2lite.runtimes.bundle import file_sha256, open_bundle
from sam2lite.staging import staged_folder
from sam2lite.targets.profile import TargetProfile

if TYPE_CHECKING:
    from sam2lite.exporter.onnx.graph import ExportedGraph
    from sam2lite.models.checkpoint import LoadedModel
    from sam2lite.models.sam2lite.network import Sam2Lite

PREPROCESS = {
    "geometry": "stretch",
    "resize": "halve an axis by averaging pairs while twice too long, then INTER_LINEAR",
    "colour": "RGB",
    "range": [0, 255],
    "normalisation": "in the graph",
}
TOOLS = ("torch", "onnx", "onnxruntime", "onnxsim", "numpy")

Report = Callable[[str], None]


@dataclass(frozen=True)
class ExportJob:
    """What to export: graph keys with their specs, in the order they are made."""

    keys: dict[str, tuple[GraphSpec, int]]

    @classmethod
    def plan(
        cls, checkpoint: LoadedModel, rungs: Sequence[int], backend: str = "onnx"
    ) -> ExportJob:
        """List the graphs of the rungs and the one that all rungs share.

        Args:
            checkpoint: the network.
            rungs: input sides, px.
            backend: that the graphs are for, as in the manifest.

        Raises:
            UnknownNameError: a rung that the network is not made for.
        """
        for rung in rungs:
            if rung not in checkpoint.config.rungs:
                raise UnknownNameError("rung", rung, checkpoint.config.rungs)
        dtype = get_backend(backend).image_dtype
        keys = {
            key: (graph.with_image(dtype).bind(checkpoint.config.dims(rung)), rung)
            for key, (graph, rung) in checkpoint.family.keyed(rungs).items()
        }
        return cls(keys)

    @property
    def rungs(self) -> tuple[int, ...]:
        """Input sides of the graphs, ascending, px."""
        return tuple(sorted({rung for _, rung in self.keys.values()}))


def export_graphs(
    checkpoint: LoadedModel,
    job: ExportJob,
    opset: int,
    folder: Path,
    report: Report,
    scheme: PrecisionScheme,
) -> tuple[dict[str, GraphEntry], dict[str, Any]]:
    """Export and verify every graph of a job into a folder, weights shared in one file.

    Args:
        checkpoint: the network and where it comes from.
        job: the graphs.
        opset: of ONNX.
        folder: an existing one; files go to `graphs/` below it.
        report: told the key of each graph when it is done.
        scheme: of the precision of the bundle.

    Returns:
        the manifest's entries and its `verification.graphs`.

    Raises:
        ExportError: a graph cannot be traced or rendered.
        VerificationError: a graph is further from PyTorch than the tolerance.
    """
    import onnx

    from sam2lite.exporter.onnx.weights import WeightStore

    (folder / GRAPHS_FOLDER).mkdir()
    fused = checkpoint.model.fused()
    entries: dict[str, GraphEntry] = {}
    verification: dict[str, Any] = {}
    with WeightStore(folder / GRAPHS_FOLDER) as store:
        for key, (spec, rung) in job.keys.items():
            exported = export_float(checkpoint, fused, spec, rung, opset)
            rendered = scheme.render(exported.model, spec, rung)
            store.externalise(rendered.model)
            file = f"{GRAPHS_FOLDER}/{key}.onnx"
            onnx.save(rendered.model, folder / file)
            entries[key] = GraphEntry(file, rendered.precision, spec)
            verification[key] = {**_graph_report(exported), **rendered.report}
            report(key)
    return entries, verification


def export_float(
    checkpoint: LoadedModel, fused: Sam2Lite, spec: GraphSpec, rung: int, opset: int
) -> ExportedGraph:
    """Export and verify one graph in float.

    Args:
        checkpoint: the network and where it comes from.
        fused: its `fused()`.
        spec: the graph's bound spec.
        rung: input side, px.
        opset: of ONNX.

    Raises:
        ExportError, VerificationError: as for `export_graph`.
    """
    from sam2lite.exporter.onnx.graph import export_graph
    from sam2lite.exporter.onnx.metadata import GraphMetadata

    return export_graph(
        getattr(fused, spec.name),
        spec,
        opset,
        reference=getattr(checkpoint.model, spec.name),
        metadata=GraphMetadata(checkpoint.config.name, checkpoint.sha256, checkpoint.licence, rung),
    )


def write_bundle(
    checkpoint: LoadedModel,
    target: TargetProfile,
    output: Path,
    *,
    rungs: Sequence[int] | None = None,
    scheme: PrecisionScheme | None = None,
    verification: Mapping[str, Any] | None = None,
    device_app: bool = False,
    force: bool = False,
    report: Report = lambda _: None,
) -> Manifest:
    """Write a verified bundle.

    Graphs for TensorRT are verified in ONNX Runtime: they are plain ONNX, and nothing of TensorRT
    works without a GPU. Their engines are built where they run.

    Args:
        checkpoint: the network and where it comes from.
        target: the device it is for.
        output: the directory; it appears whole or not at all.
        rungs: input sides, px; all of the network's if not given.
        scheme: of the precision of the bundle; FP32 if not given.
        verification: what is known about the bundle beside what is measured here.
        device_app: add the device code, so that the bundle runs where nothing is installed.
        force: replace what is there.
        report: told the name of each step when it is done.

    Raises:
        OutputError: the directory exists or cannot be written.
        ExportError: a graph cannot be exported.
        VerificationError: a graph in float, or the loop of a bundle in FP32 over a clip, is further
            from PyTorch than allowed.
    """
    from sam2lite.exporter.verify.loop_parity import loop_parity

    scheme = scheme or Float32()
    job = ExportJob.plan(checkpoint, rungs or checkpoint.config.rungs, target.backend)
    with staged_folder(output, force) as folder:
        manifest = _write_graphs(
            checkpoint, target, job, target.opset, folder, report, scheme, verification or {}
        )
        loop = loop_parity(open_bundle(str(folder), "ort"), checkpoint.model)
        report("loop parity")
        manifest.verification["loop"] = loop.to_json()
        if manifest.precision == "fp32":
            loop.check()
        if target.backend == "trt":
            manifest.verification.update(write_plan(folder, target, manifest))
            manifest = manifest._replace(status=NOT_BUILT)
        if device_app:
            add_device_app(folder, target.backend)
        manifest = manifest._replace(files=file_entries(folder))
        (folder / MANIFEST_FILE).write_text(manifest.dumps(), encoding="utf-8")
    return manifest


def write_trial_bundle(
    checkpoint: LoadedModel, target: TargetProfile, rung: int, scheme: PrecisionScheme, folder: Path
) -> None:
    """Write a bundle of one rung into a new folder, without comparing its loop with PyTorch's."""
    folder.mkdir(parents=True)
    job = ExportJob.plan(checkpoint, [rung], target.backend)
    _write_graphs(checkpoint, target, job, target.opset, folder, lambda _: None, scheme, {})


def write_onnx_folder(
    checkpoint: LoadedModel,
    opset: int,
    output: Path,
    *,
    rungs: Sequence[int] | None = None,
    scheme: PrecisionScheme | None = None,
    force: bool = False,
    report: Report = lambda _: None,
) -> Manifest:
    """Write the verified graphs alone, for tools other than ours; see `write_bundle`."""
    scheme = scheme or Float32()
    job = ExportJob.plan(checkpoint, rungs or checkpoint.config.rungs)
    with staged_folder(output, force) as folder:
        return _write_graphs(checkpoint, None, job, opset, folder, report, scheme, {})


def _write_graphs(
    checkpoint: LoadedModel,
    target: TargetProfile | None,
    job: ExportJob,
    opset: int,
    folder: Path,
    report: Report,
    scheme: PrecisionScheme,
    verification: Mapping[str, Any],
) -> Manifest:
    entries, graphs = export_graphs(checkpoint, job, opset, folder, report, scheme)
    manifest = manifest_of(checkpoint, target, opset, job.rungs, entries)._replace(
        files=file_entries(folder),
        calibration=scheme.calibration,
        verification={"graphs": graphs, **verification},
    )
    (folder / MANIFEST_FILE).write_text(manifest.dumps(), encoding="utf-8")
    return manifest


def manifest_of(
    checkpoint: LoadedModel,
    target: TargetProfile | None,
    opset: int,
    rungs: tuple[int, ...],
    entries: dict[str, GraphEntry],
    tools: Sequence[str] = TOOLS,
) -> Manifest:
    """Return the manifest of a bundle, without its files, calibration and verification.

    Args:
        checkpoint: the network and where it comes from.
        target: the device it is for; None for graphs alone.
        opset: of the graphs.
        rungs: input sides, ascending, px.
        entries: the graphs by key.
        tools: packages whose versions are noted.
    """
    config = checkpoint.config
    backend = "onnx" if target is None else target.backend
    return Manifest(
        sam2lite_version=__version__,
        model=ModelInfo(
            family=checkpoint.family.name,
            name=config.name,
            checkpoint_sha256=checkpoint.sha256,
            licence=checkpoint.licence,
            trained=checkpoint.trained,
            parameters=checkpoint.model.parameter_counts()["total"],
            config=config.to_json(),
        ),
        backend=backend,
        target={} if target is None else target.to_json(),
        opset=opset,
        rungs=rungs,
        graphs=entries,
        dims={str(rung): config.dims(rung) for rung in rungs},
        stages=tuple(graph.name for graph in checkpoint.family.graphs),
        preprocess={**PREPROCESS, "dtype": get_backend(backend).image_dtype},
        postprocess=Postprocess(
            mask_stride=checkpoint.family.mask_stride,
            mask_threshold=0.0,
            object_score_threshold=0.0,
            upsampling="INTER_LINEAR",
        ),
        memory=config.memory(),
        calibration=None,
        verification={},
        tools={"python": platform.python_version(), **{t: metadata.version(t) for t in tools}},
        files={},
        status="complete",
    )


def file_entries(folder: Path) -> dict[str, FileEntry]:
    """Return hash and size of every file of a bundle but the manifest."""
    return {
        path.relative_to(folder).as_posix(): FileEntry(file_sha256(str(path)), path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST_FILE
    }


def _graph_report(exported: ExportedGraph) -> dict[str, Any]:
    return {
        "nodes": exported.nodes,
        "parity": {name: error.to_json() for name, error in exported.parity.items()},
        "passes": [asdict(entry) for entry in exported.passes],
    }
