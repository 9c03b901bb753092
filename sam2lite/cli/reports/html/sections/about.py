"""What the bundle is: where its weights come from, its hashes, its target, and its files."""

from sam2lite.cli.reports.html.bars import Bar, Part, draw_bars
from sam2lite.cli.reports.html.markup import Html, facts, table, tag
from sam2lite.cli.reports.manifest_rows import graph_rows, summary_rows
from sam2lite.cli.reports.shown import MOST_ROWS
from sam2lite.contracts.manifest import Manifest

_IN_INT8 = ("calibrated", "layers", "accuracy", "masks against FP32's")


def provenance(manifest: Manifest, sha256: str) -> list[Html]:
    """Return what `inspect` says of the bundle as a whole, but for what INT8 cost."""
    rows = [row for row in summary_rows(manifest, sha256) if row[0] not in _IN_INT8]
    return [facts(rows)]


def stages(manifest: Manifest) -> list[Html]:
    """Return the graphs in the order in which a frame uses them: precision and parity of each."""
    order = {name: place for place, name in enumerate(manifest.stages)}
    rows = graph_rows(manifest)
    rows.sort(key=lambda row: order.get(row.key.partition("@")[0], len(order)))
    shown = [
        (tag("code", row.key), row.precision, row.error_text, row.sqnr_text)
        for row in rows[:MOST_ROWS]
    ]
    heading = ("Graph", "Precision", "Relative error in float", "SQNR to float")
    parts = [
        tag("p", "A frame goes through: ", ", ".join(manifest.stages[:64]), "."),
        table(heading, shown),
    ]
    if len(rows) > MOST_ROWS:
        parts.append(tag("p", f"and {len(rows) - MOST_ROWS} more"))
    return parts


def files(manifest: Manifest) -> list[Html]:
    """Return every file that the manifest lists, the largest first, with its size and hash."""
    entries = sorted(manifest.files.items(), key=lambda item: (-item[1].bytes, item[0]))
    bars = [
        Bar(name, size_text(entry.bytes), [Part(float(entry.bytes))])
        for name, entry in entries[:MOST_ROWS]
    ]
    hashes = [(tag("code", name), tag("code", entry.sha256)) for name, entry in entries[:MOST_ROWS]]
    parts = [
        tag("p", f"{len(entries)} files, {manifest.megabytes:.1f} MB."),
        draw_bars(bars),
        tag("details", tag("summary", "SHA-256 of every file"), table(("File", "SHA-256"), hashes)),
    ]
    if len(entries) > MOST_ROWS:
        parts.append(tag("p", f"and {len(entries) - MOST_ROWS} more"))
    return parts


def size_text(count: int) -> str:
    """Return a size for people."""
    for unit, size in (("MB", 1_000_000), ("kB", 1000)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
