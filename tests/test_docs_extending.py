"""What docs/extending.md says that an extension takes is what its examples take."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "extending.md"


def test_the_examples_have_as_many_lines_as_it_says() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (\d+) \|", DOCUMENT.read_text(), re.MULTILINE)
    assert len(rows) >= 10
    said = {path: int(lines) for path, lines in rows}
    assert said == {path: len((ROOT / path).read_text().splitlines()) for path in said}


def test_every_file_and_name_in_it_exists() -> None:
    text = DOCUMENT.read_text()
    rooms = "sam2lite|tests|exporter|runtimes|contracts|targets|cli|models"
    paths = [p for p in re.findall(rf"`((?:{rooms})/[\w/.]+)`", text) if "NAME" not in p]
    assert len(paths) > 15
    for path in paths:
        assert (ROOT / path).exists() or (ROOT / "sam2lite" / path).exists(), path
    source = "\n".join(file.read_text() for file in (ROOT / "sam2lite").rglob("*.py"))
    for name in re.findall(r"`(register_\w+|[A-Z][a-z]+[A-Z]\w+)\b", text):
        assert re.search(rf"(class|def) {name}\b", source), name
