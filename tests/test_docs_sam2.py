"""Every example of docs/sam2.md runs, and its tables say what the code says."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from sam2lite.contracts.families.sam2 import FAMILY, LAYOUT, attention_name
from sam2lite.contracts.tensors import TensorSpec
from sam2lite.runtimes.rules.sam2.rules import SlotBankRules
from tests.models.sam2.conftest import small

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "sam2.md").read_text()
SLOTS = {"N2": "s*N", "K2": "s*N + 80"}


def test_examples_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A small network at a small size, not even square, stands in for tiny at 512."""
    torch.save({"model": small().state_dict()}, tmp_path / "sam2.1_hiera_tiny.pt")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "docs"}
    blocks = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 5
    for number, block in enumerate(blocks):
        source = block.replace("[512]", '["160x128"]')
        exec(compile(source, f"docs/sam2.md, block {number}", "exec"), names)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("sam2 sam2.1_hiera_")
    assert float(said[1]) == 1.0
    assert [line.split()[0] for line in said[2:]] == ["7", "8", "0"]


def test_the_table_of_settings_is_true() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", TEXT, re.MULTILINE)
    parameters = inspect.signature(SlotBankRules).parameters
    known = {name: repr(parameters[name].default) for name in SlotBankRules.settings}
    assert {name: default.replace('"', "'") for name, default in rows} == known


def test_the_table_of_graphs_is_true() -> None:
    """Memory attention has one set of rows for all numbers of slots."""
    rows = []
    for graph in FAMILY.graphs:
        first, *others = map(attention_name, LAYOUT.slots)
        if graph.name in others:
            continue
        name = "memory_attention_s" if graph.name == first else graph.name
        for way, tensors in (("in", graph.inputs), ("out", graph.outputs)):
            for tensor in tensors:
                also = ", ".join(f"`{other}`" for other in graph.aliases.get(tensor.name, ()))
                cells = [f"`{name}`", way, f"`{tensor.name}`", tensor.dtype, shape(tensor), also]
                rows.append("| " + " | ".join(cells) + " |")
    assert [
        line for line in TEXT.splitlines() if re.match(r"\| `\w+` \| (in|out) \|", line)
    ] == rows


def shape(tensor: TensorSpec) -> str:
    if tensor.name == "memory_time_bs":
        return "1 x s"
    return " x ".join(SLOTS.get(str(side), str(side)) for side in tensor.shape)


def test_every_test_and_file_in_it_exists() -> None:
    paths = re.findall(r"`((?:tests|benchmarks)/[\w/.]+\.py)`", TEXT)
    assert len(paths) > 5
    sources = "".join((ROOT / path).read_text() for path in paths)
    for name in re.findall(r"`(test_\w+)`", TEXT):
        assert f"def {name}(" in sources, name
