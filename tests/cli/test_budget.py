"""`sam2lite budget` on a few short clips; the weights are random, so no score is expected."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sam2lite.bench.ablations.pruning_sweep import HIDDEN_FRAMES, MIN_FRAMES, hiding_clips
from sam2lite.cli.main import app
from sam2lite.errors import ArgumentError, UnknownNameError

FEW = ["--clips", "1", "--frames", str(MIN_FRAMES), "--rung", "240"]


def run(bundle: Path, *arguments: str) -> str:
    command = ["budget", "--bundle", str(bundle), *arguments]
    return CliRunner().invoke(app, command, catch_exceptions=False).stdout


def test_each_policy_is_scored_at_each_budget(tiny_bundle: Path) -> None:
    which = ["--policy", "learned", "--policy", "fifo", "--tokens", "64", "--tokens", "128"]
    report = json.loads(run(tiny_bundle, *FEW, *which, "--json"))
    assert report["window"] is None
    assert report["trained"] is False
    found = [(row["policy"], row["budget"]) for row in report["rows"]]
    assert found == [("learned", 64), ("learned", 128), ("fifo", 64), ("fifo", 128)]
    for row in report["rows"]:
        assert row["bank_bytes"] == row["budget"] * 2048
        assert 0 <= row["jf"] <= 100
        assert 0 <= row["hidden_jf"] <= 100
        assert 0 <= row["returned_jf"] <= 100
        assert row["jf_stderr"] is None  # one clip has no spread


def test_the_table_names_policy_and_budget(tiny_bundle: Path) -> None:
    table = run(tiny_bundle, *FEW, "--policy", "anchor-fifo", "--tokens", "96", "--window", "4")
    row = next(line for line in table.splitlines() if "anchor-fifo" in line)
    assert [cell.strip() for cell in row.split("│")[1:4]] == ["anchor-fifo", "96", "192"]


def test_the_object_of_a_hiding_clip_hides_and_returns() -> None:
    for clip in hiding_clips(3, seed=0, frames=MIN_FRAMES):
        visible_t = (clip.labels_thw == 1).any((1, 2))
        changes = np.flatnonzero(np.diff(visible_t.astype(int)))
        assert clip.prompted_ids() == [1]
        assert np.diff(changes).max() >= HIDDEN_FRAMES
        assert set(np.unique(clip.labels_thw)) == {0, 1}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--policy", "lifo"], UnknownNameError, "pruning policy 'lifo'; known: learned, fifo"),
        (["--tokens", "512"], ArgumentError, "budget is 512 tokens; choose 32"),
        (["--window", "12"], ArgumentError, "window is 12 stored frames; choose 2 to 8"),
        (["--frames", "20"], ArgumentError, "--frames is 20; choose 36 or more"),
        (["--prompt", "scribble"], UnknownNameError, "unknown prompt 'scribble'"),
        (["--rung", "100"], UnknownNameError, "unknown rung 100"),
    ],
)
def test_settings_out_of_range_are_refused(
    tiny_bundle: Path, arguments: list[str], error: type[ArgumentError], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(tiny_bundle, *arguments)
