"""The table of docs/efficienttam.md says what the code says."""

import re
from pathlib import Path

from sam2lite.contracts.families.efficienttam import LAYOUT
from sam2lite.models.efficienttam.config import PUBLISHED

TEXT = (Path(__file__).parent.parent / "docs" / "efficienttam.md").read_text()


def test_the_table_of_variants_is_true() -> None:
    rows = re.findall(r"^\| (`\w+`), (`\w+`) \| .* \| (\d+) \| multiples of (\d+) \|$", TEXT, re.M)
    told = {}
    for *names, size, step in rows:
        told.update({name.strip("`"): (int(size), int(step)) for name in names})
    assert told == {name: (each.sizes[-1], each.size_step) for name, each in PUBLISHED.items()}


def test_the_slots_are_true() -> None:
    *few, last = LAYOUT.slots
    assert f"s is {', '.join(map(str, few))} or {last}." in TEXT
    for keys in (7 * 4096 + 80, 7 * 1024 + 80):
        assert f"{keys:,}" in TEXT
