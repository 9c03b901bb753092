"""Every example of docs/python.md runs, and its table says what the exporters say."""

import re
from pathlib import Path
from typing import Any

import pytest

from sam2lite.contracts.backends import get_backend
from sam2lite.exporter.backends import exporter_of
from sam2lite.exporter.recipe import FIELDS, Recipe
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.network import build
from tests.conftest import MINI

DOCUMENT = Path(__file__).parent.parent / "docs" / "python.md"
TARGETS = {"ort": "x86-64", "trt": "jetson-orin-nano", "coreml": "ios18", "onnx": None, "web": None}


def test_examples_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hundredth of Tiny stands in for it, which takes seconds instead of minutes."""
    save_checkpoint(build(MINI, 3), tmp_path / "mini")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "docs"}
    blocks = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    for number, block in enumerate(blocks):
        source = block.replace('"tiny"', f'"{tmp_path / "mini"}"')
        exec(compile(source, f"docs/python.md, block {number}", "exec"), names)
    said = capsys.readouterr().out
    assert "sam2lite fp32 (240,)" in said
    assert "keep_float - `keep_float` is not used by ort in fp32" in said
    assert "export: up to" in said
    assert {"bundle", "half", "again", "never"} & {path.name for path in tmp_path.iterdir()} == {
        "bundle",
        "half",
        "again",
    }


def field_rows() -> list[str]:
    """The rows of the table: what every backend uses in each precision, beside what all use."""
    rows = []
    for backend in TARGETS:
        exporter = exporter_of(backend)
        recipe = Recipe(backend=backend, target=TARGETS[backend])
        target = exporter.target(recipe)
        used: dict[str, list[str]] = {}
        for name, scheme in exporter.precisions(target).items():
            fields = exporter.uses(recipe, target, scheme)
            listed = ", ".join(f"`{field}`" for field in FIELDS if field in fields)
            used.setdefault(listed, []).append(name)
        for listed, precisions in used.items():
            rows.append(f"| {get_backend(backend).name} | {', '.join(precisions)} | {listed} |")
    return rows


def test_the_table_of_fields_is_true() -> None:
    begins = re.compile(r"\| (ort|trt|cor|onn|web)")
    rows = [row for row in DOCUMENT.read_text().splitlines() if begins.match(row)]
    assert [row for row in rows if "host" not in row] == field_rows()
