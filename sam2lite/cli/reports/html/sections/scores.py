"""How well objects were followed where the truth is known: the scores of `sam2lite eval`."""

from typing import Any

from sam2lite.cli.reports.html.bars import Bar, Part, draw_bars, legend
from sam2lite.cli.reports.html.markup import Html, table, tag

MOST_OBJECTS = 12
_COLUMNS = (
    ("first frame J", "first_frame_j"),
    ("J", "j"),
    ("F", "f"),
    ("J&F", "jf"),
    ("J, last 4", "j_last4"),
    ("lost, %", "lost_rate"),
)


def clips(scores: dict[str, Any]) -> list[Html]:
    """Return J&F by input size beside the baselines', and the objects that were followed worst."""
    own = {f"{rung} px, {scores['prompt']}": found for rung, found in scores["rungs"].items()}
    others = {
        f"{name.replace('_', ' ')}, {found.get('prompt', '')}": found
        for name, found in scores["baselines"].items()
    }
    bars = [
        Bar(name, _cell(found["jf"]), [Part(found["jf"] or 0.0, colour)])
        for colour, group in ((1, own), (2, others))
        for name, found in group.items()
    ]
    rows = [
        (name, *(_cell(found.get(field)) for _, field in _COLUMNS))
        for name, found in (own | others).items()
    ]
    parts = [
        tag(
            "p",
            f"{scores['clips']} clips, {scores['objects']} objects of {scores['source']}, prompted "
            f"by {scores['prompt']} on the first frame. J&F, of 100:",
        ),
        legend([Part(0, 1, "this bundle"), Part(0, 2, "without a network")]),
        draw_bars(bars, 100.0),
        table(("", *(name for name, _ in _COLUMNS)), rows),
    ]
    return parts + _worst(scores.get("per_object", []))


def pictures(scores: dict[str, Any]) -> list[Html]:
    """Return the mean IoU of objects of pictures, by their size."""
    everything = {
        **{f"{rung} px, {scores['prompt']}": each for rung, each in scores["rungs"].items()},
        **{name.replace("_", " "): each for name, each in scores["baselines"].items()},
    }
    sizes = list(dict.fromkeys(size for each in everything.values() for size in each["by_size"]))
    rows = [
        (name, *(_cell(each["by_size"].get(size, {}).get("miou")) for size in sizes))
        for name, each in everything.items()
    ]
    return [
        tag("p", f"Mean IoU on {scores['images']} pictures of {scores['source']}, of 100:"),
        table(("", *sizes), rows),
    ]


def _worst(objects: list[dict[str, Any]]) -> list[Html]:
    scored = [each for each in objects if each["jf"] is not None][:MOST_OBJECTS]
    if not scored:
        return []
    bars = [
        Bar(f"{each['clip']}, {each['object']}", f"{each['jf']:.1f}", [Part(each["jf"])])
        for each in scored
    ]
    return [tag("h3", "Worst objects, by J&F"), draw_bars(bars, 100.0)]


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
