"""What a bundle for TensorRT has beside its graphs: the parser's consent, and the build plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2lite.contracts.build_plan import PLAN_FILE, BuildPlan, GraphPlan
from sam2lite.contracts.family import get_family
from sam2lite.errors import VerificationError
from sam2lite.exporter.tensorrt.calibration_cache import cache_text
from sam2lite.exporter.tensorrt.memory_estimate import estimate_memory
from sam2lite.exporter.tensorrt.precision import FLAGS, strongly_typed
from sam2lite.exporter.tensorrt.preflight import Finding, preflight

if TYPE_CHECKING:
    from sam2lite.contracts.manifest import Manifest
    from sam2lite.targets.profile import TargetProfile, TensorRt

# More workspace lets TensorRT try kernels that need it; what it does not use is not taken.
WORKSPACE_MB = 1024
CALIBRATION_FOLDER = "calibration"
WORKSPACE_SHARE = 8  # of the smallest board's memory, at most


def write_plan(folder: Path, target: TargetProfile, manifest: Manifest) -> dict[str, Any]:
    """Check the graphs against the target's parser and write `plan.json`.

    Args:
        folder: of the bundle; its graphs are there.
        target: with TensorRT.
        manifest: of the bundle so far; its verification says which nodes were pinned.

    Returns:
        what the manifest's `verification` says about it.

    Raises:
        VerificationError: the parser would not take a graph, or no board of the target has the
            memory for a rung.
    """
    import onnx

    reports = manifest.verification["graphs"]
    tensorrt = target.tensorrt
    assert tensorrt is not None  # by the backend
    findings = {
        key: preflight(onnx.load(folder / entry.file), tensorrt.version)
        for key, entry in manifest.graphs.items()
    }
    _require_taken(findings, target.id, tensorrt)
    typed = strongly_typed(tensorrt)
    workspace_mb = min([WORKSPACE_MB, *(size // WORKSPACE_SHARE for size in target.memory_mb)])
    plan = BuildPlan(
        tensorrt.version,
        typed,
        workspace_mb,
        {
            key: GraphPlan(
                entry.file,
                () if typed else FLAGS[entry.precision],
                () if typed else tuple(reports[key].get("pinned", ())),
                _write_cache(folder, key, reports[key], tensorrt.version),
            )
            for key, entry in manifest.graphs.items()
        },
    )
    (folder / PLAN_FILE).write_text(plan.dumps(), encoding="utf-8")
    memory = estimate_memory(
        [
            (key, onnx.load(folder / entry.file, load_external_data=False))
            for key, entry in manifest.graphs.items()
        ],
        {key: entry.precision for key, entry in manifest.graphs.items()},
        target,
        workspace_mb,
        kept=_kept(manifest),
    )
    memory.require_fit()
    return {
        "preflight": {"tensorrt": tensorrt.version, "graphs": len(findings), "findings": 0},
        "memory": memory.to_json(),
    }


def _kept(manifest: Manifest) -> set[str]:
    """Return the names of the tensors that the frame loop keeps for every object."""
    return {
        name
        for graph in get_family(manifest.model.family).graphs
        for name, tensor in graph.tensors.items()
        if tensor.kept
    }


def _write_cache(folder: Path, key: str, report: dict[str, Any], tensorrt: str) -> str | None:
    """Write a graph's calibration cache, if its report has scales; return its path."""
    scales = report.pop("tensor_scales", None)
    if scales is None:
        return None
    file = f"{CALIBRATION_FOLDER}/{key}.cache"
    (folder / CALIBRATION_FOLDER).mkdir(exist_ok=True)
    (folder / file).write_text(cache_text(scales, tensorrt), encoding="ascii")
    return file


def _require_taken(findings: Mapping[str, list[Finding]], target: str, tensorrt: TensorRt) -> None:
    found = [(key, finding) for key, listed in findings.items() for finding in listed]
    if found:
        key, first = found[0]
        raise VerificationError(
            f"TensorRT {tensorrt.version} of {target} would not take {len(found)} things in these "
            f"graphs; the first is {first.subject} at {first.where} in {key}: {first.why}. "
            f"{first.remedy[0].upper()}{first.remedy[1:]}"
        )
