"""Build the engines of a bundle on this machine, compare each, and mend those in FP16 that fail."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.contracts.build_plan import ENGINES_FOLDER
from sam2lite.contracts.family import get_family
from sam2lite.contracts.manifest import Manifest
from sam2lite.device.tensorrt.graph_build import Job, build_graph, is_built
from sam2lite.errors import SessionError, VerificationError
from sam2lite.exporter.bundle.writer import export_float
from sam2lite.exporter.onnx.passes.pipeline import steps_with
from sam2lite.exporter.tensorrt.bisect import Subject, bisect_engine
from sam2lite.exporter.tensorrt.engine_check import EngineCheck, EngineTest, engine_runner
from sam2lite.exporter.tensorrt.passes.table import passes_of
from sam2lite.exporter.tensorrt.polygraphy_build import build_with_polygraphy
from sam2lite.files.atomic import write_atomically
from sam2lite.runtimes.backends.tensorrt.engines import (
    VERIFICATION_FILE,
    EngineEntry,
    engine_path,
    read_engines,
    read_plan,
    write_engines,
)
from sam2lite.runtimes.bundle import read_manifest
from sam2lite.targets.tensorrt.ops import read_version

if TYPE_CHECKING:
    from sam2lite.device.tensorrt.board import Board
    from sam2lite.device.tensorrt.graph_build import Build
    from sam2lite.exporter.precision.bisect_fp16 import Bisection
    from sam2lite.models.loaded import LoadedModel

VERIFICATION_VERSION = 1

Report = Callable[[str], None]
# Writes the bundle again, its engines left out, with more nodes pinned, by graph, with the reason.
Rewrite = Callable[[Mapping[str, Mapping[str, str]]], object]


@dataclass(frozen=True)
class MadeEngine:
    """An engine that was built and compared.

    Attributes:
        entry: of `engines.json`.
        check: how far it is off.
    """

    entry: EngineEntry
    check: EngineCheck


class EngineMaker:
    """Builds, compares and mends the engines of one bundle."""

    def __init__(
        self,
        bundle: Path,
        board: Board,
        checkpoint: LoadedModel,
        test: EngineTest,
        *,
        build: Build = build_with_polygraphy,
        report: Report = lambda text: None,
        step: Report = lambda key: None,
    ) -> None:
        """Take over what is needed.

        Args:
            bundle: for this machine.
            board: what builds and runs engines.
            checkpoint: the network that the bundle was made from.
            test: what engines are compared with.
            build: makes an engine.
            report: told what happens, a line each.
            step: told the key of a graph whose engine is built and compared.
        """
        self._bundle, self._board, self._checkpoint = bundle, board, checkpoint
        self._test, self._build, self._report, self._step = test, build, report, step
        self._bisections: dict[str, Bisection] = {}

    def make(self, rewrite: Rewrite | None) -> dict[str, MadeEngine]:
        """Build all engines, and write how far each is off to `verification.json`.

        Args:
            rewrite: writes the bundle with more pins; None where that would not help.

        Returns:
            the engines by the key of their graph.

        Raises:
            SessionError: an engine cannot be built or run.
            VerificationError: one is out of its bound, and pinning layers does not mend it; it is
                taken out of `engines.json`, so that nothing loads it.
            OutputError: `engines/` cannot be written.
        """
        made = self._build_all()
        job = self._job()
        pins = {}
        for key in [key for key, engine in made.items() if not engine.check.holds]:
            if rewrite is not None and job.manifest.graphs[key].precision == "fp16":
                pins.update(self._pins_for(job, key, made[key].check))
        if pins and rewrite is not None:
            with _kept_engines(self._bundle):
                rewrite(pins)
            made = self._build_all()
        self._write(made)
        self._require(made)
        return made

    def _job(self) -> Job:
        bundle = str(self._bundle)
        plan = read_plan(bundle)
        manifest = _with_values(read_manifest(bundle)[0])
        return Job(bundle, manifest, plan, self._board, plan.workspace_mb, verbose=False)

    def _build_all(self) -> dict[str, MadeEngine]:
        job, made = self._job(), {}
        for key in job.plan.graphs:
            if not is_built(job, key):
                try:
                    build_graph(job, key, self._build)
                except SessionError as error:
                    raise SessionError(
                        f"{error}. What is built so far stays; in {self._bundle}, `python3 "
                        "device.pyz build` goes on from there, and takes these options"
                    ) from error
            entry = read_engines(job.bundle)[key]
            check = self._checked(job.manifest, key, engine_path(job.bundle, entry.file))
            made[key] = MadeEngine(entry, check)
            self._step(key)
        return made

    def _checked(self, manifest: Manifest, key: str, path: str) -> EngineCheck:
        entry = manifest.graphs[key]
        file = self._bundle / entry.file
        with engine_runner(entry.spec, path) as run:
            return self._test.check(entry.spec, _rung(manifest, key), entry.precision, run, file)

    def _pins_for(self, job: Job, key: str, check: EngineCheck) -> dict[str, dict[str, str]]:
        """Return what must stay in FP32 as well, by graph; nothing if that does not mend it."""
        self._report(f"{key}: {_off(check)}; looking for the layers that FP16 breaks")
        subject = self._subject(job, key)
        found = bisect_engine(job, subject, self._test, self._build, self._report)
        self._bisections[key] = found
        if not found.pinned:
            return {}
        self._report(
            f"{key}: holds after {found.builds} builds with {len(found.nodes)} more nodes in FP32: "
            + ", ".join(group[0] for group in found.pinned)
        )
        device = self._board.device.name
        reason = f"engine: TensorRT {self._board.version} on {device} is wrong with it in FP16"
        return {key: dict.fromkeys(sorted(found.nodes), reason)}

    def _subject(self, job: Job, key: str) -> Subject:
        import onnx

        manifest = job.manifest
        entry, rung = manifest.graphs[key], _rung(manifest, key)
        if job.plan.strongly_typed:
            fused = self._checkpoint.fused()
            passes = passes_of(read_version(job.plan.tensorrt))
            ran = {applied["name"] for applied in manifest.verification["graphs"][key]["passes"]}
            skip = {step.name for step in steps_with(passes)} - ran
            model = export_float(
                self._checkpoint, fused, entry.spec, rung, manifest.opset, passes, skip
            ).model
        else:
            model = onnx.load(self._bundle / entry.file)
        pinned = frozenset(manifest.verification["graphs"][key]["pinned"])
        return Subject(key, entry, rung, model, pinned)

    def _write(self, made: Mapping[str, MadeEngine]) -> None:
        report: dict[str, Any] = {}
        for key, engine in made.items():
            report[key] = {"engine_key": engine.entry.key, **engine.check.to_json()}
            if key in self._bisections:
                found = self._bisections[key]
                report[key]["bisection"] = {
                    "builds": found.builds,
                    "mended": bool(found.pinned) and engine.check.holds,
                    "least": found.least,
                    "pinned": sorted(found.nodes),
                }
        data = {"verification_version": VERIFICATION_VERSION, "engines": report}
        text = json.dumps(data, indent=1) + "\n"
        write_atomically(engine_path(str(self._bundle), VERIFICATION_FILE), text.encode())

    def _require(self, made: Mapping[str, MadeEngine]) -> None:
        bad = {key: engine.check for key, engine in made.items() if not engine.check.holds}
        if not bad:
            return
        bundle = str(self._bundle)
        entries = read_engines(bundle)
        write_engines(bundle, {key: entry for key, entry in entries.items() if key not in bad})
        key = next(iter(bad))
        why = self._why(key, read_manifest(bundle)[0].graphs[key].precision)
        raise VerificationError(
            f"the engine of {key}: {_off(bad[key])}; {why}. "
            f"{len(bad)} of {len(made)} engines fail and are not used; "
            f"{engine_path(bundle, VERIFICATION_FILE)} has the figures of all"
        )

    def _why(self, key: str, precision: str) -> str:
        """Return why pinning layers does not mend an engine, and what to do."""
        other = f"try another TensorRT than {self._board.version}"
        if precision == "fp32":
            return f"its graph is in FP32, so precision is not what breaks it: {other}"
        if key not in self._bisections:
            return "only bundles in FP16 are bisected: export with --fp16, or with --keep-float"
        pinned = self._bisections[key].pinned
        if pinned is None:
            return f"with every node in FP32 it fails as well, so FP16 is not at fault: {other}"
        if not pinned:
            return "built a second time it held, with other kernels: export again"
        return "with the layers pinned it held, and in the bundle it does not: export again"


def _off(check: EngineCheck) -> str:
    return (
        f"{check.describe()} against {check.reference} over {check.calls} calls, and "
        f"{check.least_db:g} dB are asked for"
    )


def _rung(manifest: Manifest, key: str) -> int:
    """Return the input side of a graph; of one that all sizes share, the largest, px."""
    side = key.partition("@")[2]
    return int(side) if side else max(manifest.rungs)


def _with_values(manifest: Manifest) -> Manifest:
    """Return a manifest whose specs know which example values their tensors take."""
    family = get_family(manifest.model.family)
    graphs = {
        key: entry._replace(spec=entry.spec._replace(tensors=family.graph(entry.spec.name).tensors))
        for key, entry in manifest.graphs.items()
    }
    return manifest._replace(graphs=graphs)


@contextmanager
def _kept_engines(bundle: Path) -> Iterator[None]:
    """Put `engines/` back after the bundle was written again: some may still be current."""
    with tempfile.TemporaryDirectory() as scratch:
        kept = Path(scratch) / ENGINES_FOLDER
        shutil.copytree(bundle / ENGINES_FOLDER, kept)
        yield
        shutil.copytree(kept, bundle / ENGINES_FOLDER)
