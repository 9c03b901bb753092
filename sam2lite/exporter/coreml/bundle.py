"""A bundle for Core ML: packages, each reloaded, evaluated and compared with PyTorch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.contracts.manifest import GRAPHS_FOLDER, MANIFEST_FILE, GraphEntry, Manifest
from sam2lite.errors import VerificationError
from sam2lite.exporter.bundle.job import ExportJob
from sam2lite.exporter.bundle.kind import BUNDLE
from sam2lite.exporter.bundle.manifest import file_entries, manifest_of
from sam2lite.exporter.coreml.compress import Compressed, compress
from sam2lite.exporter.coreml.convert import Converted, convert
from sam2lite.exporter.coreml.kept_float import within_bound
from sam2lite.exporter.coreml.metadata import Provenance, describe
from sam2lite.exporter.coreml.overflow import overflowing_in
from sam2lite.exporter.coreml.packages import (
    SUFFIX,
    merge,
    place_of,
    settle_identifiers,
    shared_packages,
)
from sam2lite.exporter.coreml.shared_constants import share_constants
from sam2lite.exporter.coreml.verify import GraphReport, verify_function
from sam2lite.exporter.onnx.trace import example_inputs, feeds_of
from sam2lite.exporter.verify.loop_parity import LoopParity, loop_parity
from sam2lite.exporter.verify.recorded_calls import recorded_calls
from sam2lite.files.staging import staged_folder
from sam2lite.mil.archive import read_specification, write_specification
from sam2lite.mil.session import open_simulated
from sam2lite.runtimes.bundle import Bundle, open_bundle

if TYPE_CHECKING:
    from sam2lite.calibration.ranges import Provenance as RecordingProvenance
    from sam2lite.calibration.recorder import Recording
    from sam2lite.contracts.tensors import GraphSpec
    from sam2lite.exporter.verify.selection import Arrays
    from sam2lite.models.loaded import LoadedModel
    from sam2lite.targets.profile import CoreMl, TargetProfile

Report = Callable[[str], None]

TOOLS = ("torch", "coremltools", "numpy")
MOST_CALLS = 4  # that a graph is run on, spread over those recorded at its rung
# Random weights amplify rounding: Small's image encoder is at 53 dB in FP16, and at 57 after 25
# minutes of training.
UNTRAINED_ALLOWANCE_DB = 10.0
SIMULATION = {
    "what": "simulation: MIL operators computed by torch; no Core ML has run these packages",
    "rounding": "every FP16 tensor after its operator; sums inside an operator are FP32",
}


def steps(graphs: int) -> int:
    """Return how often `write_coreml_bundle` reports, by the number of graphs."""
    return 2 * graphs + 1


def write_coreml_bundle(
    checkpoint: LoadedModel,
    target: TargetProfile,
    output: Path,
    precision: Compressed,
    recording: tuple[Recording, RecordingProvenance],
    *,
    rungs: Sequence[int],
    calibration: Mapping[str, Any] | None = None,
    compare: Callable[[Bundle, Report], Mapping[str, Any]] | None = None,
    force: bool = False,
    report: Report = lambda _: None,
) -> Manifest:
    """Write a bundle of Core ML packages that were read again and found near PyTorch.

    Args:
        checkpoint: the network and where it comes from.
        target: with Core ML.
        output: the directory; it appears whole or not at all.
        precision: one that the target serves.
        recording: of the network at the rungs, and where it comes from.
        rungs: input sides, px.
        calibration: what the manifest says of it beside where the recording comes from.
        compare: measures more on the bundle as it is simulated, for its `verification`.
        force: replace what is there.
        report: told the name of each step when it is done.

    Raises:
        CalibrationError: nothing was recorded at a rung.
        DependencyError, SessionError: coremltools is missing, or of an untested version.
        ExportError: a graph cannot be converted or compressed.
        OutputError: the directory exists or cannot be written.
        VerificationError: a saved package, or the loop over a clip, is further from PyTorch than
            the precision may be.
    """
    assert target.coreml is not None  # by the backend
    job = ExportJob.of(checkpoint, rungs, target.backend)
    with staged_folder(output, force, BUNDLE) as folder:
        maker = _Maker(checkpoint, target.coreml, precision, recording[0], folder)
        entries = maker.make(job, report)
        reports = maker.verify(job, entries, report)
        manifest = manifest_of(checkpoint, target, job.rungs, entries, TOOLS)._replace(
            files=file_entries(folder),
            calibration={**dataclasses.asdict(recording[1]), **(calibration or {})},
            verification={
                "graphs": {
                    key: {
                        **found.to_json(),
                        "pinned": maker.pinned[key],
                        "float_layers": maker.float_layers[key],
                    }
                    for key, found in reports.items()
                },
                "simulation": SIMULATION,
            },
        )
        (folder / MANIFEST_FILE).write_text(manifest.dumps(), encoding="utf-8")
        bundle = open_bundle(str(folder), simulate=open_simulated)
        loop = _simulated_loop(bundle, checkpoint, precision)
        manifest.verification["loop"] = loop.to_json()
        report("clip")
        if compare is not None:
            manifest.verification.update(compare(bundle, report))
        (folder / MANIFEST_FILE).write_text(manifest.dumps(), encoding="utf-8")
    return manifest


class _Maker:
    """Makes the packages of one bundle."""

    def __init__(
        self,
        checkpoint: LoadedModel,
        target: CoreMl,
        precision: Compressed,
        recording: Recording,
        folder: Path,
    ) -> None:
        self._checkpoint, self._target, self._precision = checkpoint, target, precision
        self._recording, self._folder = recording, folder
        self._fused = checkpoint.fused()
        self._bound = precision.least_sqnr_db
        if self._bound is not None:
            self._bound = min(self._bound, checkpoint.host.half_precision_db)
            self._bound -= 0.0 if checkpoint.trained else UNTRAINED_ALLOWANCE_DB
        self.pinned: dict[str, dict[str, str]] = {}
        self.float_layers: dict[str, dict[str, str]] = {}
        self._kept: dict[str, dict[str, str]] = {}  # by what graphs with the same weights share

    def make(self, job: ExportJob, report: Callable[[str], None]) -> dict[str, GraphEntry]:
        """Save the package of every graph; return the manifest's entries."""
        (self._folder / GRAPHS_FOLDER).mkdir()
        entries: dict[str, GraphEntry] = {}
        parts: dict[str, dict[str, Path]] = {}
        graphs = [spec.name for spec, _ in job.keys.values()]
        shared = shared_packages({graph: self._fused.module(graph) for graph in graphs})
        for key, (spec, rung) in job.keys.items():
            place = place_of(spec, rung, self._target, shared[spec.name])
            converted = self._converted(key, rung, job, shared[spec.name])
            self.pinned[key] = converted.pinned
            saved = self._folder / place.package
            if place.function is not None:
                saved = saved.with_name(f"{spec.name}.{place.function}{SUFFIX}")
                parts.setdefault(place.package, {})[place.function] = saved
            converted.model.save(str(saved))
            entries[key] = GraphEntry(
                place.package, converted.precision, spec, place.function, spec.aliases
            )
            report(key)
        for package, functions in parts.items():
            merge(functions, self._folder / package)
        for package in dict.fromkeys(entry.file for entry in entries.values()):
            self._finish([entry for entry in entries.values() if entry.file == package])
        return entries

    def verify(
        self, job: ExportJob, entries: dict[str, GraphEntry], report: Callable[[str], None]
    ) -> dict[str, GraphReport]:
        """Read every package again, and compare it with PyTorch."""
        reports = {}
        for key, entry in entries.items():
            module = self._checkpoint.module(entry.spec.name)
            found = verify_function(
                self._folder / entry.file,
                entry.function,
                module,
                entry.spec,
                self._target,
                self._calls(*job.keys[key]),
            )
            if self._bound is not None:
                found.check(self._bound, key, len(self.float_layers[key]))
            reports[key] = found
            report(f"{key} evaluated")
        return reports

    def _converted(self, key: str, rung: int, job: ExportJob, shared: str) -> Converted:
        """Convert one graph, again with more in FP32 if something overflows, and compress it.

        Args:
            key: of the graph.
            rung: input side, px.
            job: what is exported.
            shared: name that graphs with the same weights have in common.
        """
        spec = job.keys[key][0]
        module, form = self._fused.module(spec.name), self._fused.core_ml_form
        converted = convert(module, spec, self._target, form=form)
        self.float_layers[key] = {}
        if spec.ranks:
            return converted
        calls = self._calls(spec, rung)
        overflowing = overflowing_in(converted.model, calls)
        if overflowing:
            converted = convert(module, spec, self._target, overflowing, form)
        if self._bound is None or not self._precision.chooses:
            model = compress(converted, self._precision, calls, key)
        else:
            known = self._kept.setdefault(shared, {})
            reference = self._checkpoint.module(spec.name)
            model, kept = within_bound(
                converted, self._precision, self._bound, reference, spec, calls, known
            )
            known.update(kept)
            self.float_layers[key] = kept
        return dataclasses.replace(converted, model=model, precision=self._precision.name)

    def _calls(self, spec: GraphSpec, rung: int) -> list[Arrays]:
        """Return what a graph was fed in the float loop.

        What is ranked is made up: in a loop, empty slots tie exactly.
        """
        if spec.ranks:
            return [feeds_of(spec, example_inputs(spec, seed)) for seed in range(MOST_CALLS)]
        return recorded_calls(self._recording, spec, rung, MOST_CALLS)

    def _finish(self, entries: Sequence[GraphEntry]) -> None:
        """Share what is equal in a saved package, and say in it what it is.

        Args:
            entries: of its functions.
        """
        graphs = {entry.spec.name: entry.spec for entry in entries}
        provenance = Provenance(
            self._checkpoint.name,
            self._checkpoint.sha256,
            self._checkpoint.licence,
            ", ".join(graphs),
            entries[0].precision,
        )
        package = self._folder / entries[0].file
        specification = read_specification(package)
        share_constants(specification)
        describe(specification, provenance, list(graphs.values()))
        write_specification(specification, package)
        settle_identifiers(package)


def _simulated_loop(bundle: Bundle, checkpoint: LoadedModel, precision: Compressed) -> LoopParity:
    """Track a clip through the packages, and check what the precision promises."""
    loop = loop_parity(bundle, checkpoint)
    least = precision.least_iou
    # Masks of random weights mean nothing: their logits are near 0 everywhere.
    if checkpoint.trained and least is not None and not loop.mean_iou >= least:
        raise VerificationError(
            f"over a clip of {loop.frames} frames the mean IoU with PyTorch is "
            f"{loop.mean_iou:.4f}, by simulation; {least:g} is asked for"
        )
    return loop
