"""What a lower precision cost: scores before and after, agreement, and what each layer loses."""

from collections.abc import Sequence
from typing import Any

from sam2lite.cli.reports.html.bars import Bar, Part, draw_bars, legend
from sam2lite.cli.reports.html.markup import Html, facts, table, tag
from sam2lite.cli.reports.manifest_rows import graph_rows, summary_rows
from sam2lite.cli.reports.shown import MOST_ROWS
from sam2lite.contracts.manifest import Manifest

_ROWS = ("calibrated", "FP16 ranges seen on", "masks against FP32's")
_FULL_DB = 60.0  # of SQNR: what is above it is exact for all that masks show
_SCORES = (("J&F", "jf"), ("J on the first frame", "first_frame_j"))
MOST_LAYERS = 40


def lost(manifest: Manifest) -> list[Html]:
    """Return what INT8 or FP16 cost, as the export has measured it; nothing of FP32."""
    parts: list[Html] = []
    drop = manifest.verification.get("accuracy")
    if drop is not None:
        parts.append(
            tag(
                "p",
                f"Scores on {drop['clips']} clips at {drop['rung']} px, of 100, in FP32 and in "
                "lower precision:",
            )
        )
        parts.append(_before_and_after(drop))
    rows = [row for row in summary_rows(manifest, "") if row[0] in _ROWS]
    if rows:
        parts.append(facts(rows))
    parts += _graphs(manifest)
    parts += _float_layers(manifest)
    return parts


def sensitivity(rows: Sequence[dict[str, Any]]) -> list[Html]:
    """Return what each graph and each layer loses in INT8 alone, the worst first.

    Args:
        rows: of `sam2lite sensitivity --json`.
    """
    ordered = sorted(rows, key=lambda row: ("." in row["name"], row["sqnr_db"]))
    layers = [row for row in ordered if "." in row["name"]]
    shown = [row for row in ordered if "." not in row["name"]] + layers[:MOST_LAYERS]
    bars = [
        Bar(
            row["name"],
            f"{row['sqnr_db']:.1f} dB"
            + ("" if row.get("clip_iou") is None else f", IoU {row['clip_iou']:.3f}"),
            [Part(row["sqnr_db"], 1 if "." in row["name"] else 2)],
        )
        for row in shown
    ]
    parts = [
        tag(
            "p",
            "One layer, or one whole graph, in INT8 and all the rest in float: SQNR of the graph's "
            "worst output. Short bars lose most.",
        ),
        legend([Part(0, 2, "a graph"), Part(0, 1, "a layer")]),
        draw_bars(bars, _FULL_DB),
    ]
    if len(layers) > MOST_LAYERS:
        parts.append(tag("p", f"{len(layers) - MOST_LAYERS} layers that lose less are left out."))
    return parts


def _before_and_after(drop: dict[str, Any]) -> Html:
    before, after = drop["before"], drop["after"]
    bars = []
    for name, field in _SCORES:
        if field in before and field in after:
            change = after[field] - before[field]
            bars += [
                Bar(f"{name}, FP32", f"{before[field]:.2f}", [Part(before[field], 1)]),
                Bar(f"{name}, now", f"{after[field]:.2f} ({change:+.2f})", [Part(after[field], 2)]),
            ]
    return draw_bars(bars, 100.0)


def _graphs(manifest: Manifest) -> list[Html]:
    measured = [row for row in graph_rows(manifest) if row.sqnr_db is not None][:MOST_ROWS]
    if not measured:
        return []
    bars = [
        Bar(row.key, row.sqnr_text, [Part(max(0.0, row.sqnr_db or 0.0), 1)]) for row in measured
    ]
    return [
        tag("h3", "Each graph against its float form"),
        tag("p", "SQNR of the worst output; 20 dB is an error of a tenth, 40 dB of a hundredth."),
        draw_bars(bars, _FULL_DB),
    ]


def _float_layers(manifest: Manifest) -> list[Html]:
    made = manifest.calibration or {}
    kept = made.get("float_layers") or {}
    if "int8_layers" not in made:
        return []
    parts = [
        tag("h3", "Layers"),
        tag("p", f"{len(made['int8_layers'])} in INT8, {len(kept)} kept in float."),
    ]
    if kept:
        rows = [(tag("code", path), why) for path, why in list(kept.items())[:MOST_ROWS]]
        parts.append(table(("In float", "Why"), rows))
    return parts
