"""The table of `sam2lite eval --coco`."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from sam2lite.evaluation.coco import InstanceScore


def print_coco_table(title: str, columns: Mapping[str, Iterable["InstanceScore"]]) -> None:
    """Print the mean IoU of every size, one column for each run.

    Args:
        title: above the table.
        columns: the scores of each run by its heading.
    """
    from sam2lite.evaluation.coco import mean_ious

    means = {heading: mean_ious(scores) for heading, scores in columns.items()}
    counts = {tuple(each.objects for each in found.values()) for found in means.values()}
    shared = len(counts) == 1
    table = Table("mIoU", title=title, title_justify="left")
    if shared:
        table.add_column("objects", justify="right")
    for heading in means:
        table.add_column(heading, justify="right")
    for size, first in next(iter(means.values())).items():
        cells = [str(first.objects)] * shared
        for found in means.values():
            value = f"{found[size].miou:.1f}" if found[size].objects else "-"
            cells.append(value if shared else f"{value} of {found[size].objects}")
        table.add_row(size, *cells)
    Console(markup=False, highlight=False).print(table)
