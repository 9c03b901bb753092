"""The tables of `sam2lite eval`."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from sam2lite.evaluation.report import RunScores

_ROWS = {
    "first frame J": "first_frame_j",
    "J": "j",
    "F": "f",
    "J&F": "jf",
    "J&F std. error": "jf_stderr",
    "J last 4": "j_last4",
    "J recall": "j_recall",
    "J decay": "j_decay",
    "drift, J per frame": "drift",
    "flicker": "flicker",
    "lost, %": "lost_rate",
    "absence found, %": "absence_found",
    "false absence, %": "false_absence",
    "J after return": "j_after_return",
}


def print_tables(title: str, source: str, prompt: str, scores: "RunScores") -> None:
    """Print one column for each rung and baseline, and the largest rung by object size."""
    from sam2lite.evaluation.baselines import BASELINES

    counts = f"{scores.clips} clips, {scores.main.objects} objects"
    table = Table("", title=f"{title} on {source}: {counts}", title_justify="left")
    columns = {f"{rung} px\n{prompt}": found for rung, found in scores.by_rung.items()}
    for name, found in scores.by_baseline.items():
        columns[f"{name.replace('_', ' ')}\n{BASELINES[name].prompt}"] = found
    for heading in columns:
        table.add_column(heading, justify="right")
    for label, field in _ROWS.items():
        table.add_row(label, *(_cell(getattr(found, field)) for found in columns.values()))
    sizes = Table("size", "objects", "first frame J", "J&F")
    for size, of_size in scores.main.by_size.items():
        sizes.add_row(size, str(of_size.objects), _cell(of_size.first_frame_j), _cell(of_size.jf))
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print(sizes)


def print_by_source(by_source: Mapping[str, Mapping[str, float]]) -> None:
    """Print the first-frame J of each source of a folder of stills, beside the baselines."""
    columns = list(next(iter(by_source.values())))
    table = Table("source", *columns, title="first frame J by source", title_justify="left")
    for source, found in by_source.items():
        table.add_row(source, *(f"{found[column]:g}" for column in columns))
    Console(markup=False, highlight=False).print(table)


def _cell(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"
