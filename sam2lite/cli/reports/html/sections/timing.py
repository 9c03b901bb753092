"""How long frames took: by stage, as a distribution, one after the other, and what was spent."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sam2lite.cli.reports.html.bars import Bar, Part, draw_bars, legend
from sam2lite.cli.reports.html.markup import Html, facts, table, tag
from sam2lite.cli.reports.html.plots import Band, Mark, Plot, Series
from sam2lite.cli.reports.html.scales import Axis, axis_to

_COLUMNS = 48
_PERCENTILES = ("p50", "p95", "p99")
_LOAD = "competing load"
_FAR = 2.5  # times the 95th percentile: what is later is drawn at the edge


def loop(bench: dict[str, Any]) -> list[Html]:
    """Return what a benchmark of the frame loop measured."""
    parts = [facts(_subject(bench)), *_warnings(bench), tag("h3", "By stage"), _stages(bench)]
    frame_ms = bench.get("frame_ms")
    if frame_ms:
        parts += [tag("h3", "Distribution"), distribution(frame_ms, _budget_ms(bench))]
    trace = bench.get("controller")
    if trace:
        parts += [tag("h3", "Controller"), *_controller(bench, trace)]
    elif frame_ms:
        parts += [tag("h3", "Frame by frame"), one_after_another(frame_ms, _budget_ms(bench))]
    return parts


def rungs(bench: dict[str, Any]) -> list[Html]:
    """Return what a benchmark of every input size measured."""
    rows = bench["rungs"]
    bars = [
        Bar(
            f"{row['rung']:g} px",
            f"{row['p50_ms']:.1f} ms, {row['rss_mb']:.0f} MB so far",
            [Part(row["p50_ms"])],
        )
        for row in rows
    ]
    return [
        facts(_subject(bench)),
        *_warnings(bench),
        tag("p", "Median time of a frame by input size."),
        draw_bars(bars),
    ]


def distribution(frame_ms: Sequence[float], budget_ms: float | None) -> Html:
    """Return a histogram of frame times with their percentiles.

    The latest are gathered in the last column, so that they do not squeeze all others together.

    Args:
        frame_ms: of every frame.
        budget_ms: what a frame might take, if that was asked for.
    """
    p50, p95, p99 = (float(value) for value in np.percentile(frame_ms, (50, 95, 99)))
    low = max(0.0, min(frame_ms) - 0.1 * (p99 - min(frame_ms)))
    high = min(p99, _FAR * p95)
    x = axis_to(max(1.15 * high, min(1.3 * high, budget_ms or 0.0)), "ms", _floor(low, high))
    counts, edges = np.histogram(np.clip(frame_ms, x.low, x.high), _COLUMNS, (x.low, x.high))
    marks = [Mark(f"p50 {p50:.1f}", p50, True), Mark(f"p95 {p95:.1f}", p95, True)]
    if p99 <= x.high:
        marks.append(Mark(f"p99 {p99:.1f}", p99, True))
    if budget_ms is not None and x.low <= budget_ms <= x.high:
        marks.append(Mark(f"budget {budget_ms:g}", budget_ms, True))
    columns = list(zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True))
    y = axis_to(float(counts.max()), "frames")
    title = f"{len(frame_ms)} frames by their time"
    plot = Plot(x, y, title, columns=columns, marks=marks).draw()
    return tag("div", plot, *_beyond(frame_ms, x, "in the last column"))


def one_after_another(frame_ms: Sequence[float], budget_ms: float | None) -> Html:
    """Return frame times in order."""
    y = _time_axis(frame_ms, budget_ms)
    x = Axis(0.0, max(1.0, len(frame_ms) - 1.0), "frame", whole=True)
    line = Series("", list(enumerate(frame_ms)))
    plot = Plot(x, y, "Time of every frame", [line], marks=_budget_mark(budget_ms)).draw()
    return tag("div", plot, *_beyond(frame_ms, y, "at the top"))


def traced(
    trace: Sequence[tuple[float, float | None, float]],
    budget_ms: float | None,
    bands: Sequence[Band] = (),
) -> Html:
    """Return time and input size of every frame of a run whose input size may change.

    Args:
        trace: frame, milliseconds (None where not known) and input size in px of each.
        budget_ms: that was held, or not.
        bands: stretches that are shaded.
    """
    times = [each[1] for each in trace if each[1] is not None]
    y = _time_axis(times, budget_ms)
    second = axis_to(1.1 * max(each[2] for each in trace), "px")
    x = Axis(trace[0][0], max(trace[0][0] + 1.0, trace[-1][0]), "frame", whole=True)
    plot = Plot(
        x,
        y,
        "Time and input size of every frame",
        [Series("frame time, ms", [(frame, spent) for frame, spent, _ in trace], 1)],
        bands=bands,
        marks=_budget_mark(budget_ms),
        second=second,
        on_second=[Series("input size, px", [(f, rung) for f, _, rung in trace], 2, stepped=True)],
    )
    return tag("div", plot.draw(), *_beyond(times, y, "at the top"))


def _subject(bench: dict[str, Any]) -> Iterator[tuple[str, object]]:
    machine = bench.get("machine")
    if machine is not None:
        load = machine.get("load_average")
        told = " and ".join(map(str, load)) if isinstance(load, list) else ""
        busy = f", load average {told}" if told else ""
        yield (
            "machine",
            f"{machine.get('model', 'unknown')}, {machine.get('cores', '?')} cores, "
            f"{machine.get('system', '')}{busy}",
        )
        versions = machine.get("versions", {})
        yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items())
    video = bench.get("video")
    if isinstance(video, dict):
        yield "video", f"{video.get('name')}, {video.get('width')}x{video.get('height')}"
    elif video is not None:
        yield "video", f"{video}, {bench.get('width')}x{bench.get('height')}"
    for name, field in (("threads", "threads"), ("objects", "objects")):
        if field in bench:
            yield name, bench[field]
    if "fps" not in bench:
        return
    yield "frames", f"{bench['frames']}, {bench['fps']:.1f} a second with decoding"
    if "startup_ms" in bench:
        yield "start", f"{bench['startup_ms']:.0f} ms from opening the bundle to the first mask"
    age = bench.get("age_ms")
    if age is not None:
        yield "age of masks", f"{age['p50']:.1f} ms from capture (p95 {age['p95']:.1f})"
    if bench.get("peak_rss_mb") is not None:
        yield "memory", f"{bench['peak_rss_mb']:.0f} MB resident at the peak"
    for name, field in (("dropped frames", "dropped_frames"), ("lost frames", "lost_frames")):
        if bench.get(field):
            yield name, bench[field]
    power = bench.get("power") or {}
    if power.get("mean_w") is not None and power.get("joules_per_frame") is not None:
        yield "power", f"{power['mean_w']:.2f} W, {power['joules_per_frame']:.3f} J a frame"
    for zone, celsius in bench.get("temperature_c", {}).items():
        yield "temperature", f"{celsius:.1f} °C in {zone}"


def _warnings(bench: dict[str, Any]) -> list[Html]:
    return [tag("p", warning, class_="warning") for warning in bench.get("warnings", ())]


def _stages(bench: dict[str, Any]) -> Html:
    rows = dict(bench["stages_ms"])
    if "outside_graphs_ms" in bench:
        rows["outside the graphs"] = bench["outside_graphs_ms"]
    stages = [name for name in bench["stages_ms"] if name not in ("total", "decode")]
    parts = [
        Part(rows[name]["p50"], 1 + place % 7, f"{name} {rows[name]['p50']:.2f} ms")
        for place, name in enumerate(stages)
    ]
    whole = sum(part.value for part in parts)
    shown = [
        (name, *(f"{values[each]:.2f}" for each in _PERCENTILES)) for name, values in rows.items()
    ]
    return tag(
        "div",
        legend([part._replace(name=name) for part, name in zip(parts, stages, strict=True)]),
        draw_bars([Bar("medians", f"{whole:.1f} ms", parts)]),
        table(("Stage", "p50, ms", "p95, ms", "p99, ms"), shown),
    )


def _controller(bench: dict[str, Any], trace: Sequence[dict[str, Any]]) -> list[Html]:
    load, budget = bench.get("load"), bench.get("budget") or {}
    bands = [] if not load else [Band(_LOAD, load["first_frame"], load["end_frame"])]
    points = [(each["frame"], each["latency_ms"], float(each["rung"])) for each in trace]
    parts = [traced(points, _budget_ms(bench), bands)]
    if "within_budget" in budget:
        parts.insert(
            0,
            tag(
                "p",
                f"Budget {budget['budget_ms']:g} ms: {budget['within_budget']:.0%} of the frames "
                f"within it, at the end {budget.get('status', 'unknown')}.",
            ),
        )
    return parts


def _budget_ms(bench: dict[str, Any]) -> float | None:
    budget = bench.get("budget")
    found = budget["budget_ms"] if budget else bench.get("budget_ms")
    return None if found is None else float(found)


def _budget_mark(budget_ms: float | None) -> list[Mark]:
    return [] if budget_ms is None else [Mark(f"budget {budget_ms:g} ms", budget_ms)]


def _time_axis(times: Sequence[float], budget_ms: float | None) -> Axis:
    """Return an axis for times, on which a few very late frames do not flatten all others."""
    late = float(np.percentile(times, 95))
    return axis_to(1.05 * max(min(max(times), _FAR * late), budget_ms or 0.0), "ms")


def _beyond(times: Sequence[float], axis: Axis, where: str) -> list[Html]:
    count = sum(each > axis.high for each in times)
    if not count:
        return []
    words = f"{count} of {len(times)} frames took longer than the chart shows, up to "
    return [tag("p", f"{words}{max(times):.0f} ms; they are {where}.", class_="note")]


def _floor(low: float, high: float) -> float:
    """Return a round number at or below a value, to begin an axis that ends at `high`."""
    step = 10.0 ** np.floor(np.log10(max(high, 1e-9)))
    return float(step / 10 * np.floor(low / (step / 10)))
