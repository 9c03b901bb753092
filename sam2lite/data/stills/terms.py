"""Under which terms a source may be used: the table in `SOURCES.md`, whose last column decides."""

from pathlib import Path

from sam2lite.errors import VideoError
from sam2lite.files.reading import MEBIBYTE, read_text

_MOST_BYTES = MEBIBYTE
SOURCES_FILE = "SOURCES.md"
RELEASABLE = ("permissive", "customary")  # classes that weights for others may be trained on
UNCLEAR = "unclear"  # of a source that the table does not name


def read_terms(root: Path) -> dict[str, str]:
    """Return the class of every source that the table names, lower case, by its name.

    Raises:
        VideoError: the file is missing or has no such table.
    """
    path = root / SOURCES_FILE
    remedy = (
        "it must say under which terms each source may be used, in a table with the columns source "
        "and class"
    )
    lines = read_text(str(path), _MOST_BYTES, VideoError, remedy).splitlines()
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in lines
        if line.startswith("|")
    ]
    named = {cells[0]: cells[-1].lower() for cells in rows[2:] if len(cells) > 1}
    if not named:
        raise VideoError(
            f"'{path}' has no table of sources; add one with the columns source and class, and "
            f"one of {', '.join(RELEASABLE)} or {UNCLEAR} in the last"
        )
    return named


def may_be_released(terms: str) -> bool:
    """Return whether weights for others may be trained on a source of that class.

    A class that is qualified ("permissive annotations: fine at low weight") counts as its first
    word; anything that says "research" does not count.
    """
    return terms.startswith(RELEASABLE) and "research" not in terms
