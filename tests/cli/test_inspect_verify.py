import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sam2lite.cli.main import app
from sam2lite.contracts.provenance import LINES, SMOKE_TEST, UNSTATED
from sam2lite.errors import BundleError

runner = CliRunner()


def test_inspect_json_is_the_manifest_and_its_hash(tiny_bundle: Path) -> None:
    result = runner.invoke(app, ["inspect", str(tiny_bundle), "--json"])
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    sha256 = data.pop("bundle_sha256")
    assert len(sha256) == 64
    assert data == json.loads((tiny_bundle / "manifest.json").read_text())


def test_inspect_shows_graphs_and_tensors(tiny_bundle: Path) -> None:
    result = runner.invoke(app, ["inspect", str(tiny_bundle)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    for text in ("mask_decoder@336", "features_s16_bchw", "untrained", "240, 336, 480"):
        assert text in result.stdout


def test_inspect_says_where_the_weights_come_from(shipped_bundle: Path, tmp_path: Path) -> None:
    result = runner.invoke(app, ["inspect", str(shipped_bundle)], env={"COLUMNS": "200"})
    assert LINES[SMOKE_TEST] in result.stdout
    data = json.loads((shipped_bundle / "manifest.json").read_text())
    del data["model"]["weights"]  # as bundles were before
    (tmp_path / "manifest.json").write_text(json.dumps(data))
    result = runner.invoke(app, ["inspect", str(tmp_path)], env={"COLUMNS": "200"})
    assert UNSTATED in result.stdout


def test_inspect_shows_what_tensors_are_called_elsewhere(tiny_bundle: Path, tmp_path: Path) -> None:
    plain = runner.invoke(app, ["inspect", str(tiny_bundle)], env={"COLUMNS": "200"})
    assert "Also called" not in plain.stdout
    data = json.loads((tiny_bundle / "manifest.json").read_text())
    data["graphs"]["image_encoder@480"]["aliases"] = {"features_s16_bchw": ["feats2", "pix_raw"]}
    (tmp_path / "manifest.json").write_text(json.dumps(data))
    result = runner.invoke(app, ["inspect", str(tmp_path)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "Also called" in result.stdout
    (line,) = (row for row in result.stdout.splitlines() if "feats2" in row)
    assert "features_s16_bchw" in line
    assert "feats2, pix_raw" in line


def test_inspect_of_something_else(tmp_path: Path) -> None:
    result = runner.invoke(app, ["inspect", str(tmp_path)])
    assert isinstance(result.exception, BundleError)
    assert "has no manifest.json" in str(result.exception)


def test_verify_repeats_the_loop_parity(shipped_bundle: Path) -> None:
    result = runner.invoke(app, ["verify", str(shipped_bundle), "--json"])
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["graphs"] == "4 open and run by ort"
    assert data["loop"]["max_logit_difference"] <= 1e-3


def test_verify_finds_a_flipped_byte(tiny_bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_bundle, copy)
    weights = copy / "graphs" / "weights.bin"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(bytes(data))
    result = runner.invoke(app, ["verify", str(copy)])
    assert isinstance(result.exception, BundleError)
    assert "weights.bin was changed since it was exported" in str(result.exception)


@pytest.mark.parametrize("model", ["small"])
def test_verify_against_another_network(tiny_bundle: Path, model: str) -> None:
    result = runner.invoke(app, ["verify", str(tiny_bundle), "--model", model])
    assert isinstance(result.exception, BundleError)
    assert "small is not what" in str(result.exception)


def test_models_prints_totals_near_the_published_ones() -> None:
    result = runner.invoke(app, ["models", "--json"])
    assert result.exit_code == 0, result.output
    for row in json.loads(result.stdout).values():
        total_m = row["parameters"]["total"] / 1e6
        assert abs(total_m / row["published_millions"] - 1.0) <= 0.03
    assert json.loads(result.stdout)["tiny"]["weights"] == SMOKE_TEST


def test_models_says_where_the_weights_come_from() -> None:
    result = runner.invoke(app, ["models", "tiny"], env={"COLUMNS": "200"})
    assert f"tiny: weights {LINES[SMOKE_TEST]}" in result.stdout.splitlines()
