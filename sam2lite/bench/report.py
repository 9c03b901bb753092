"""The result of a benchmark as plain data: what is printed and what the JSON file holds."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sam2lite.bench.controller_trace import last_third_p50_ms, phases, trace
from sam2lite.bench.frame_feed import Footage
from sam2lite.bench.frame_loop import LoopRun
from sam2lite.bench.machine_facts import describe_machine, load_average
from sam2lite.bench.object_costs import ObjectCosts
from sam2lite.bench.rung_costs import RungCost
from sam2lite.bench.startup import LoopSettings
from sam2lite.files.names import public_name
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.measuring.percentiles import percentiles
from sam2lite.runtimes.measuring.resident_memory import peak_rss_mb, rss_mb

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Subject:
    """What is measured, with what, and how busy the machine was before.

    Attributes:
        bundle: the bundle.
        settings: how it is run.
        footage: what it is shown.
        objects: how many are followed.
        load_average: of the machine, before.
    """

    bundle: Bundle
    settings: LoopSettings
    footage: Footage
    objects: int
    load_average: float

    def describe(self) -> dict[str, Any]:
        """Return what all results begin with. Call it when the work is done."""
        manifest = self.bundle.manifest
        return {
            "schema_version": SCHEMA_VERSION,
            "machine": {
                **describe_machine(),
                "load_average": [self.load_average, load_average()],
            },
            "bundle_sha256": self.bundle.sha256,
            "bundle": {
                "name": public_name(self.bundle.path),
                "model": manifest.model.name,
                "trained": manifest.model.trained,
                "backend": self.bundle.backend,
                "made_for": manifest.backend,
                "precision": manifest.precision,
                "target": manifest.target.get("id"),
                "megabytes": round(manifest.megabytes, 1),
            },
            "threads": self.settings.threads or self.bundle.default_threads(),
            "video": {
                "name": public_name(self.footage.name),
                "width": self.footage.width,
                "height": self.footage.height,
                "passes": self.footage.passes,
            },
            "objects": self.objects,
            "presence": "forced",
            "rss_mb": rss_mb(),
            "peak_rss_mb": peak_rss_mb(),
        }


def loop_report(
    subject: Subject,
    run: LoopRun,
    *,
    startup_ms: float,
    dropped_frames: int,
    load: int,
    object_costs: ObjectCosts | None,
    sensors: dict[str, Any],
) -> dict[str, Any]:
    """Return the result of a run of the frame loop.

    Args:
        subject: what was measured.
        run: what the loop did.
        startup_ms: from the path of the bundle to the first mask.
        dropped_frames: of a live source, since the first frame that counts.
        load: processes of the competing load.
        object_costs: what further objects cost, if measured.
        sensors: power, warmth and clocks over the frames that count, of `device.sampled`.
    """
    measured = run.measured
    ages_ms = [record.age_ms for record in measured if record.age_ms is not None]
    return {
        **subject.describe(),
        "frames": len(measured),
        "warmup": run.warmup,
        "rung": measured[0].rung if subject.settings.budget_ms is None else None,
        "startup_ms": round(startup_ms, 1),
        "stages_ms": {
            stage: percentiles([record.stage_ms[stage] for record in measured])
            for stage in measured[0].stage_ms
        },
        "outside_graphs_ms": percentiles([record.outside_graphs_ms for record in measured]),
        "fps": round(run.fps, 2),
        "age_ms": percentiles(ages_ms) if ages_ms else None,
        "dropped_frames": dropped_frames,
        "lost_frames": sum(record.lost for record in measured),
        "load": _load(load, run),
        "object_costs": None if object_costs is None else _object_costs(object_costs),
        "budget": _budget(subject.settings, run),
        "controller": trace(run),
        **sensors,
    }


def rungs_report(subject: Subject, costs: Sequence[RungCost]) -> dict[str, Any]:
    """Return the result of a measurement of every rung."""
    return {**subject.describe(), "rungs": [asdict(cost) for cost in costs]}


def _load(processes: int, run: LoopRun) -> dict[str, Any] | None:
    if run.load_frames is None:
        return None
    first, end = run.load_frames
    return {"processes": processes, "first_frame": first, "end_frame": end}


def _object_costs(costs: ObjectCosts) -> dict[str, Any]:
    return {**asdict(costs), "share_of_encoder": costs.share_of_encoder}


def _budget(settings: LoopSettings, run: LoopRun) -> dict[str, Any] | None:
    if settings.budget_ms is None:
        return None
    measured = run.measured
    within = sum(record.total_ms <= settings.budget_ms for record in measured)
    state = measured[-1].controller
    return {
        "budget_ms": settings.budget_ms,
        "preset": settings.preset,
        "within_budget": round(within / len(measured), 4),
        "last_third_p50_ms": last_third_p50_ms(run),
        "status": None if state is None else state.status,
        "phases": [asdict(phase) for phase in phases(run, settings.budget_ms)],
    }
