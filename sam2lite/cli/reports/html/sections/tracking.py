"""One run of `sam2lite track`: every object over time, and the worst frames as pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sam2lite.cli.reports.html.markup import Html, facts, table, tag
from sam2lite.cli.reports.html.plots import Band, Plot, Series
from sam2lite.cli.reports.html.scales import Axis
from sam2lite.cli.reports.html.sections.timing import traced
from sam2lite.cli.reports.html.tracked import (
    Followed,
    Picture,
    followed,
    gone,
    least_sure,
    pictures,
    shown_ms,
)
from sam2lite.runtimes.commands.track_writer import OVERLAY_FILE

MOST_BANDS = 200
_MOST_CHARTS = 16


def run(results: dict[str, Any], folder: Path) -> list[Html]:
    """Return what a run found.

    Args:
        results: its `results.json`.
        folder: with its overlay video.

    Raises:
        VideoError: the overlay video cannot be read.
    """
    frames = results["frames"]
    objects = followed(frames)
    parts = [
        facts(_subject(results)),
        *(tag("p", warning, class_="warning") for warning in results.get("warnings", ())),
        tag("h3", "Objects"),
        tag(
            "p",
            "This is the network's own opinion of its masks: nobody knows the truth of this video, "
            "and a network may be sure of the wrong thing.",
        ),
        _objects(objects),
    ]
    for each in objects[:_MOST_CHARTS]:
        parts += [tag("h4", f"Object {each.name}: predicted IoU"), _chart(each, len(frames))]
    parts += _pictures(folder, objects, shown_ms(results))
    return parts + _times(results)


def _subject(results: dict[str, Any]) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [
        ("video", results.get("video", "unknown")),
        ("frames", len(results["frames"])),
    ]
    if results.get("dropped_frames"):
        rows.append(("dropped frames", results["dropped_frames"]))
    return rows


def _objects(objects: Sequence[Followed]) -> Html:
    rows = []
    for each in objects:
        values = sorted(value for _, value in each.iou if value is not None)
        rows.append(
            (
                f"{each.name}",
                each.frames,
                f"{each.visible / each.frames:.1%}",
                len(each.gaps()),
                each.lost,
                f"{values[len(values) // 2]:.2f}" if values else "-",
                f"{values[0]:.2f}" if values else "-",
            )
        )
    heading = ("Object", "Frames", "Seen", "Gaps", "Not finite", "Median IoU", "Lowest IoU")
    return table(heading, rows)


def _chart(each: Followed, length: int) -> Html:
    gaps = sorted(each.gaps(), key=lambda gap: gap[0] - gap[1])[:MOST_BANDS]
    return Plot(
        Axis(0.0, max(1.0, length - 1.0), "frame", whole=True),
        Axis(0.0, 1.0),
        f"Predicted IoU of object {each.name} by frame",
        [Series("", each.iou)],
        bands=[Band("not seen", *gap) for gap in gaps],
    ).draw()


def _pictures(folder: Path, objects: Sequence[Followed], times_ms: Sequence[float]) -> list[Html]:
    unsure, absent = least_sure(objects, len(times_ms)), gone(objects)
    shown = pictures(folder, [*unsure, *absent], times_ms)
    if shown is None:
        return [tag("p", f"There is no {OVERLAY_FILE} in the folder, so that no frame is shown.")]
    parts = []
    for title, moments in (
        ("Where the network is least sure", unsure),
        ("Where an object begins not to be seen", absent),
    ):
        chosen = [picture for picture in shown if picture.moment in moments]
        if chosen:
            parts += [tag("h3", title), tag("div", *map(_picture, chosen), class_="pictures")]
    return parts


def _picture(picture: Picture) -> Html:
    words = f"frame {picture.moment.frame}, {picture.moment.words}"
    image = tag("img", src=picture.address, alt=words, loading="lazy")
    return tag("figure", image, tag("figcaption", words))


def _times(results: dict[str, Any]) -> list[Html]:
    frames = results["frames"]
    if results.get("simulated") or not all("rung" in frame for frame in frames):
        return []
    points = [
        # Results of schema 1 call it latency_ms.
        (float(index), frame.get("compute_ms", frame.get("latency_ms")), float(frame["rung"]))
        for index, frame in enumerate(frames)
    ]
    if all(spent is None for _, spent, _ in points):
        return []
    return [tag("h3", "Time and input size"), traced(points, results.get("budget_ms"))]
