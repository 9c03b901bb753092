"""A benchmark's result as tables for people; every number is one of `report`'s."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table

from sam2lite.device.sensors import sampled

Report = dict[str, Any]


def print_loop(report: Report, console: Console) -> None:
    """Print the result of a run of the frame loop."""
    _print_subject(report, console)
    console.print(_stages(report))
    for line in _summary(report):
        console.print(line)
    if report["object_costs"] is not None:
        _print_objects(report["object_costs"], console)
    if report["budget"] is not None:
        _print_controller(report, console)


def print_rungs(report: Report, console: Console) -> None:
    """Print what every rung costs."""
    _print_subject(report, console)
    table = _numbers("Rung", "Open, ms", "First frame, ms", "p50, ms", "Memory so far, MB")
    for cost in report["rungs"]:
        table.add_row(
            str(cost["rung"]),
            f"{cost['open_ms']:.0f}",
            f"{cost['first_frame_ms']:.1f}",
            f"{cost['p50_ms']:.2f}",
            f"{cost['rss_mb']:.0f}",
        )
    console.print(table)
    console.print("The first row's times include what all rungs share.")
    console.print("The last row's memory is that with all rungs open.")


def _print_subject(report: Report, console: Console) -> None:
    machine, bundle, video = report["machine"], report["bundle"], report["video"]
    before, after = machine["load_average"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    table = Table(show_header=False, box=None)
    rows = {
        "Machine": f"{machine['model']}, {machine['cores']} cores, {machine['system']}",
        "Load average": f"{before} before, {after} after",
        "Versions": versions,
        "Bundle": f"{bundle['name']}: {bundle['model']}"
        f"{'' if bundle['trained'] else ' (untrained)'}, {_backend(bundle)}, "
        f"{bundle['precision']}, {bundle['megabytes']} MB, SHA-256 {report['bundle_sha256'][:12]}",
        "Threads": str(report["threads"]),
        "Objects": f"{report['objects']}, present on every frame",
        "Video": f"{video['name']}, {video['width']}x{video['height']}{_cuts(video['passes'])}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)


def _backend(bundle: Report) -> str:
    """Return what ran the bundle, and what it was made for where that is something else."""
    ran, made_for = str(bundle["backend"]), bundle["made_for"]
    return ran if ran == made_for else f"{ran} (made for {made_for})"


def _cuts(passes: int) -> str:
    return "" if passes == 1 else f", too short: begun {passes} times, which is a cut each time"


def _stages(report: Report) -> RenderableType:
    table = _numbers("Stage", "p50, ms", "p95, ms", "p99, ms")
    rows = {**report["stages_ms"], "outside the graphs": report["outside_graphs_ms"]}
    for name, values in rows.items():
        table.add_row(name, *(f"{value:.2f}" for value in values.values()))
    return table


def _summary(report: Report) -> Iterator[str]:
    rung = "" if report["rung"] is None else f" at rung {report['rung']}"
    yield (
        f"{report['fps']:.1f} frames a second{rung}, decoding included "
        f"({report['frames']} frames, {report['warmup']} of warm-up)"
    )
    yield f"{report['startup_ms']:.0f} ms from opening the bundle to the first mask"
    peak, end = report["peak_rss_mb"], report["rss_mb"]
    yield f"{peak:.0f} MB resident at the peak, {end:.0f} MB at the end"
    if report["age_ms"] is not None:
        yield "{p50:.1f} ms from capture to mask, {p95:.1f} at p95".format(**report["age_ms"])
    if report["dropped_frames"]:
        yield f"{report['dropped_frames']} frames of the source came too fast and were dropped"
    if report["lost_frames"]:
        yield f"{report['lost_frames']} frames had numbers that are not finite, and cost less"
    yield from sampled.lines(report)
    for warning in report["warnings"]:
        yield f"Warning: {warning}"


def _print_objects(costs: Report, console: Console) -> None:
    table = _numbers("Objects", "p50, ms", "Memory, MB")
    for row in costs["rows"]:
        table.add_row(str(row["objects"]), f"{row['p50_ms']:.2f}", f"{row['rss_mb']:.1f}")
    console.print(table)
    console.print(
        f"A further object: {costs['ms_per_object']:.2f} ms, {costs['share_of_encoder']:.2f} of "
        f"the image encoder's {costs['image_encoder_p50_ms']:.2f} ms, and "
        f"{costs['mb_per_object']:.2f} MB"
    )


def _print_controller(report: Report, console: Console) -> None:
    budget = report["budget"]
    events = Table("Frame", "Event")
    for frame, event in _events(report):
        events.add_row(str(frame), event)
    console.print(events)
    table = _numbers("Load", "Frames", "Rung", "Settled", "Changes", "p50, ms", "Within", "Status")
    for phase in budget["phases"]:
        table.add_row(
            phase["load"],
            f"{phase['first_frame']}..{phase['end_frame'] - 1}",
            str(phase["rung"]),
            str(phase["settled_frame"]),
            str(phase["rung_changes"]),
            f"{phase['p50_ms']:.2f}",
            f"{phase['within_budget']:.0%}",
            phase["status"],
        )
    console.print(table)
    console.print(
        f"Budget {budget['budget_ms']:g} ms, preset {budget['preset']}: "
        f"{budget['within_budget']:.0%} of the frames within it, p50 of the last third "
        f"{budget['last_third_p50_ms']:.2f} ms, {budget['status']}"
    )


def _events(report: Report) -> list[tuple[int, str]]:
    """Return what happened in a run with a controller, in order: frame and words."""
    trace, load = report["controller"], report["load"]
    events = [(0, f"starts at rung {trace[0]['rung']}")]
    if load is not None:
        events.append((load["first_frame"], f"load on: {load['processes']} processes"))
        events.append((load["end_frame"], "load off"))
    events += [
        (after["frame"], f"rung {before['rung']} -> {after['rung']}")
        for before, after in pairwise(trace)
        if before["rung"] != after["rung"]
    ]
    return sorted(events, key=lambda event: event[0])


def _numbers(first: str, *others: str) -> Table:
    table = Table(first)
    for name in others:
        table.add_column(name, justify="right")
    return table
