"""From a network to a bundle: export every graph, verify, write the directory in one piece.

Nothing here knows which backend a bundle is for: what differs is asked of its exporter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.contracts.backends import get_backend
from sam2lite.contracts.manifest import GRAPHS_FOLDER, MANIFEST_FILE, GraphEntry, Manifest
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.exporter.backends import BackendExporter, exporter_of
from sam2lite.exporter.bundle.device_app import add_device_app
from sam2lite.exporter.bundle.job import ExportJob
from sam2lite.exporter.bundle.kind import BUNDLE
from sam2lite.exporter.bundle.manifest import file_entries, manifest_of
from sam2lite.exporter.onnx.passes.graph_pass import without
from sam2lite.exporter.precision.scheme import Float32, PrecisionScheme
from sam2lite.exporter.verify.opening import open_here
from sam2lite.files.staging import staged_folder
from sam2lite.targets.profile import TargetProfile

if TYPE_CHECKING:
    from sam2lite.exporter.onnx.graph import ExportedGraph
    from sam2lite.exporter.onnx.passes.checked import PassReport
    from sam2lite.exporter.onnx.passes.graph_pass import GraphPass
    from sam2lite.models.loaded import LoadedModel
    from sam2lite.runtimes.bundle import Bundle

Report = Callable[[str], None]


def export_graphs(
    loaded: LoadedModel,
    job: ExportJob,
    folder: Path,
    report: Report,
    scheme: PrecisionScheme,
    exporter: BackendExporter,
    target: TargetProfile,
    skip: Collection[str] = (),
) -> tuple[dict[str, GraphEntry], dict[str, Any]]:
    """Export and verify every graph of a job into a folder, weights shared in one file.

    Args:
        loaded: the network and where it comes from.
        job: the graphs.
        folder: an existing one; files go to `graphs/` below it.
        report: told the key of each graph when it is done.
        scheme: of the precision of the bundle.
        exporter: knows the passes beside the ordinary ones.
        target: that they are for.
        skip: names of passes that do not run.

    Returns:
        the manifest's entries and its `verification.graphs`.

    Raises:
        ExportError: a graph cannot be traced or rendered.
        VerificationError: a graph is further from PyTorch than the tolerance.
    """
    import onnx

    from sam2lite.exporter.onnx.passes.closing import close
    from sam2lite.exporter.onnx.weights import WeightStore

    (folder / GRAPHS_FOLDER).mkdir()
    fused = loaded.fused()
    passes = exporter.passes_for(target)
    last = {step.name: step for step in exporter.closing_passes()}
    closing = without(last.values(), last.keys() & set(skip))
    skip = set(skip) - last.keys()
    entries: dict[str, GraphEntry] = {}
    verification: dict[str, Any] = {}
    with WeightStore(folder / GRAPHS_FOLDER) as store:
        for key, (spec, rung) in job.keys.items():
            exported = export_float(loaded, fused, spec, rung, target.opset, passes, skip)
            rendered = scheme.render(exported.model, exported.spec, rung)
            model, closed = close(rendered.model, exported.spec, closing)
            store.externalise(model)
            file = f"{GRAPHS_FOLDER}/{key}.onnx"
            onnx.save(model, folder / file)
            entries[key] = GraphEntry(file, rendered.precision, exported.spec, aliases=spec.aliases)
            verification[key] = {**_graph_report(exported, closed), **rendered.report}
            report(key)
    return entries, verification


def export_float(
    loaded: LoadedModel,
    fused: LoadedModel,
    spec: GraphSpec,
    rung: int,
    opset: int,
    target_passes: Sequence[GraphPass] = (),
    skip: Collection[str] = (),
) -> ExportedGraph:
    """Export and verify one graph in float.

    Args:
        loaded: the network and where it comes from.
        fused: its `fused()`.
        spec: the graph's bound spec.
        rung: input side, px.
        opset: of ONNX.
        target_passes: that the target needs beside the ordinary ones.
        skip: names of passes that do not run.

    Raises:
        ExportError, UnknownNameError, VerificationError: as for `export_graph`.
    """
    from sam2lite.exporter.onnx.graph import export_graph
    from sam2lite.exporter.onnx.metadata import GraphMetadata

    return export_graph(
        fused.module(spec.name),
        spec,
        opset,
        reference=loaded.module(spec.name),
        metadata=GraphMetadata(loaded.name, loaded.sha256, loaded.licence, rung),
        target_passes=target_passes,
        skip=skip,
    )


def write_bundle(
    loaded: LoadedModel,
    target: TargetProfile,
    output: Path,
    *,
    rungs: Sequence[int] | None = None,
    scheme: PrecisionScheme | None = None,
    verification: Mapping[str, Any] | None = None,
    compare: Callable[[Bundle, Report], Mapping[str, Any]] | None = None,
    beside: Callable[[Path], None] = lambda _: None,
    device_app: bool = False,
    skip: Collection[str] = (),
    force: bool = False,
    report: Report = lambda _: None,
) -> Manifest:
    """Write a verified bundle of ONNX graphs; of graphs alone, for other tools, no loop is run.

    Graphs for a board are verified here, as the plain ONNX that they are. What is built from them
    is built where it runs.

    Args:
        loaded: the network and where it comes from.
        target: the device it is for.
        output: the directory; it appears whole or not at all.
        rungs: input sides, px; all of the network's if not given.
        scheme: of the precision of the bundle; FP32 if not given.
        verification: what is known about the bundle beside what is measured here.
        compare: measures more on the bundle as it runs here, for its `verification`.
        beside: adds what else lies in the folder, before its files are listed and hashed.
        device_app: add the device code, so that the bundle runs where nothing is installed.
        skip: names of graph passes that do not run.
        force: replace what is there.
        report: told the name of each step when it is done.

    Raises:
        OutputError: the directory exists or cannot be written.
        ExportError: a graph cannot be exported.
        ArgumentError: the network does not take a size, or there is no pass of a name.
        VerificationError: a graph in float, or the loop of a bundle in FP32 over a clip, is further
            from PyTorch than allowed, or the target would not take the bundle.
    """
    from sam2lite.exporter.verify.loop_parity import loop_parity

    scheme = scheme or Float32()
    exporter = exporter_of(target.backend)
    job = ExportJob.of(loaded, rungs or loaded.sizes, target.backend)
    with staged_folder(output, force, BUNDLE) as folder:
        manifest = _write_graphs(
            loaded, target, exporter, job, folder, report, scheme, verification or {}, skip
        )
        if get_backend(target.backend).run_by:
            bundle = open_here(folder)
            exact = {entry.precision for entry in manifest.graphs.values()} == {"fp32"}
            loop = loop_parity(bundle, loaded, exact=exact)
            report("loop parity")
            manifest.verification["loop"] = loop.to_json()
            if exact:
                loop.check()
            if compare is not None:
                manifest.verification.update(compare(bundle, report))
        manifest = exporter.finish(folder, target, manifest)
        beside(folder)
        if device_app:
            add_device_app(folder, exporter.readme)
        manifest = manifest._replace(files=file_entries(folder))
        (folder / MANIFEST_FILE).write_text(manifest.dumps(), encoding="utf-8")
    return manifest


def write_trial_bundle(
    loaded: LoadedModel,
    target: TargetProfile,
    rung: int,
    scheme: PrecisionScheme,
    folder: Path,
    skip: Collection[str] = (),
) -> None:
    """Write a bundle of one rung into a new folder, without comparing its loop with PyTorch's."""
    folder.mkdir(parents=True)
    exporter = exporter_of(target.backend)
    job = ExportJob.of(loaded, [rung], target.backend)
    _write_graphs(loaded, target, exporter, job, folder, lambda _: None, scheme, {}, skip)


def _write_graphs(
    loaded: LoadedModel,
    target: TargetProfile,
    exporter: BackendExporter,
    job: ExportJob,
    folder: Path,
    report: Report,
    scheme: PrecisionScheme,
    verification: Mapping[str, Any],
    skip: Collection[str],
) -> Manifest:
    entries, graphs = export_graphs(loaded, job, folder, report, scheme, exporter, target, skip)
    manifest = manifest_of(loaded, target, job.rungs, entries)._replace(
        files=file_entries(folder),
        calibration=scheme.calibration,
        verification={"graphs": graphs, **verification},
    )
    (folder / MANIFEST_FILE).write_text(manifest.dumps(), encoding="utf-8")
    return manifest


def _graph_report(exported: ExportedGraph, closed: Sequence[PassReport]) -> dict[str, Any]:
    return {
        "nodes": exported.nodes,
        "parity": {name: error.to_json() for name, error in exported.parity.items()},
        "passes": [asdict(entry) for entry in (*exported.passes, *closed)],
    }
