"""What the export commands print about a bundle that was made: all of it is in the manifest."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from sam2lite.cli.json_output import put_json
from sam2lite.cli.reports.agreement import agreement_lines
from sam2lite.cli.reports.four_bits import four_bit_lines
from sam2lite.cli.reports.lowered import lowered
from sam2lite.cli.reports.shown import choices
from sam2lite.contracts.backends import get_backend
from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import ArgumentError
from sam2lite.targets.advice.same_graphs import same_graphs_text
from sam2lite.targets.registry import get_target


def worst_relative_error(verification: dict[str, Any]) -> float:
    """Return the largest relative error of any output of any graph."""
    return max(
        float(statistics["relative"])
        for graph in verification["graphs"].values()
        for statistics in graph["parity"].values()
    )


def print_result(
    output: Path,
    manifest: Manifest,
    started: float,
    as_json: str | None,
    more: Mapping[str, Any] | None = None,
    *,
    lines: Sequence[str] = (),
    next_step: str | None = None,
) -> None:
    """Print path, seconds, megabytes and worst parity error of an export.

    Args:
        output: the folder.
        manifest: of what was written.
        started: when the command began, by `time.perf_counter`.
        as_json: where the result goes as JSON, see `json_output`.
        more: goes into the JSON object.
        lines: to print before all others.
        next_step: what to do with the folder, `{}` its path; that of the backend if not given.
    """
    seconds = time.perf_counter() - started
    worst = worst_relative_error(manifest.verification)
    loop = manifest.verification.get("loop")
    for line in precision_lines(manifest):
        typer.echo(line, err=True)
    result = {
        "path": str(output),
        "seconds": round(seconds, 2),
        "megabytes": round(manifest.megabytes, 2),
        "worst_relative_error": worst,
        "loop": loop,
        "agreement": manifest.verification.get("agreement"),
        "graphs": sorted(manifest.graphs),
        **(more or {}),
    }
    if put_json(as_json, result):
        return
    for line in lines:
        typer.echo(line)
    if loop is not None:
        typer.echo(
            f"loop parity over {loop['frames']} frames, {loop['objects']} objects: largest logit "
            f"difference {loop['max_logit_difference']:.1e}, lowest IoU {loop['min_iou']:.4f}, "
            f"{loop['present']} present, {loop['absent']} absent"
        )
    same = _same_graphs(manifest)
    if same:
        typer.echo(same)
    step = next_step or get_backend(manifest.backend).next_step
    if step:
        typer.echo(f"next: {step.format(output)}")
    where = (
        "of a package in FP32 maths"
        if "simulation" in manifest.verification
        else "of a graph in float"
    )
    typer.echo(
        f"{output}: {manifest.precision}, {seconds:.1f} s, {manifest.megabytes:.1f} MB, worst "
        f"relative error {where} "
        f"{worst:.1e}"
    )


def _same_graphs(manifest: Manifest) -> str:
    """Return for which targets these graphs are as well; nothing where they are not as listed."""
    try:
        target = get_target(str(manifest.target.get("id")))
    except ArgumentError:
        return ""
    listed = target.tensorrt and target.tensorrt.version
    made_for = (manifest.target.get("tensorrt") or {}).get("version")
    if (manifest.opset, made_for) != (target.opset, listed):
        return ""
    return same_graphs_text(target, manifest.precision)


def precision_lines(manifest: Manifest) -> list[str]:
    """Return what the precision cost, and what it left alone; nothing where that was not asked."""
    lines = []
    drop, loop = (manifest.verification.get(name) for name in ("accuracy", "fp16_loop"))
    if loop is not None:
        lines.append(
            f"FP16 over {loop['frames']} frames, every value rounded to it: mean IoU with PyTorch "
            f"{loop['mean_iou']:.4f}, lowest {loop['min_iou']:.4f}, {loop['decisions_differ']} of "
            f"{loop['present'] + loop['absent']} decisions differ, "
            f"{choices(loop)}"
        )
    if drop is not None:
        before, after = drop["before"], drop["after"]
        lines.append(
            f"{manifest.precision.upper()} against FP32 on {drop['clips']} clips at {drop['rung']} "
            f"px: J&F {before['jf']:.2f} to {after['jf']:.2f}, first frame J "
            f"{before['first_frame_j']:.2f} to {after['first_frame_j']:.2f}"
        )
    agreement = agreement_lines(manifest.verification)
    if agreement:
        lines += [f"masks against FP32's: {agreement[0]}", *agreement[1:]]
    found = lowered(manifest.calibration or {})
    if found is not None:
        lines.append(f"layers: {found}")
        lines += [f"  {path}: {reason}" for path, reason in sorted(found.kept.items())]
    return [*lines, *four_bit_lines(manifest.verification)]


def fp16_lines(manifest: Manifest) -> list[str]:
    """Return how much of plain graphs stays in FP32 and why, and what the worst output lost."""
    graphs = manifest.verification["graphs"]
    lowered = {key: graph for key, graph in graphs.items() if "pinned" in graph}
    reasons = Counter(
        reason.partition(":")[0]
        for graph in lowered.values()
        for reason in graph["pinned"].values()
    )
    named = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    whole = [key for key in graphs if key not in lowered]
    ratio, key, name = min(
        (ratio, key, name)
        for key, graph in lowered.items()
        for name, ratio in graph["sqnr_db"].items()
        if ratio is not None
    )
    return [
        f"FP16: {reasons.total()} of {sum(graph['nodes'] for graph in lowered.values())} nodes "
        f"stay in FP32 ({named}), and so does {', '.join(whole)}",
        f"worst output: {name} of {key}, {ratio:.1f} dB of FP32's",
    ]
