"""Rows of numbers as CSV files that survive a resume."""

from __future__ import annotations

import csv
from pathlib import Path


class CsvLog:
    """Appends rows with fixed columns, the first of which is `step`."""

    def __init__(self, path: Path, columns: list[str], steps: int) -> None:
        """Open a log; rows beyond so many steps, of a run that was cut off later, are dropped."""
        kept: list[dict[str, str]] = []
        if steps and path.is_file():
            with path.open(newline="") as file:
                kept = [row for row in csv.DictReader(file) if int(row["step"]) <= steps]
        self._file = path.open("w", newline="")
        self._writer = csv.DictWriter(self._file, columns, restval="", extrasaction="ignore")
        self._writer.writeheader()
        self._writer.writerows(kept)
        self._file.flush()

    def write(self, row: dict[str, object]) -> None:
        """Append a row; columns without a value stay empty."""
        self._writer.writerow(row)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
