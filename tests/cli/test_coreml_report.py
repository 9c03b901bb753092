"""What is said of Core ML packages, from the manifest alone."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from sam2lite.cli.main import app
from sam2lite.cli.reports.coreml import (
    function_table,
    operator_lines,
    package_lines,
    package_report,
    package_table,
    summary_rows,
)
from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.contracts.manifest import Manifest
from sam2lite.mil.inventory import read_inventory
from sam2lite.runtimes.bundle import read_manifest

GRAPHS = sorted(graph.name for graph in FAMILY.graphs)


@pytest.fixture(scope="module")
def manifest(ios_bundle: Path) -> Manifest:
    return read_manifest(str(ios_bundle))[0]


def shown(table: object) -> str:
    console = Console(width=200, file=io.StringIO())
    console.print(table)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_sizes_by_package(manifest: Manifest) -> None:
    report = package_report(manifest)
    assert list(report) == [f"graphs/{name}.mlpackage" for name in GRAPHS]
    assert sum(entry["megabytes"] for entry in report.values()) == pytest.approx(
        manifest.megabytes, abs=0.01
    )
    assert report["graphs/memory_select.mlpackage"]["worst_sqnr_db"] is None
    assert report["graphs/image_encoder.mlpackage"]["worst_sqnr_db"] >= 35.0
    assert report["graphs/image_encoder.mlpackage"]["graphs"] == [
        "image_encoder@240",
        "image_encoder@336",
    ]


def test_packages_and_functions_are_listed(manifest: Manifest) -> None:
    packages = shown(package_table(manifest))
    assert packages.count(".mlpackage") == len(GRAPHS)
    assert packages.count("r240, r336") == len(GRAPHS) - 1
    functions = shown(function_table(manifest))
    for key in manifest.graphs:
        assert key in functions
    assert "coordinates" in functions
    assert "Weights kept in FP16" in functions


def test_layers_whose_weights_stay_are_counted(manifest: Manifest) -> None:
    assert not any("stay in FP16" in line for line in package_lines(manifest))
    graphs = {key: dict(graph) for key, graph in manifest.verification["graphs"].items()}
    graphs["mask_decoder@240"]["float_layers"] = {"linear_3": "why", "linear_4": "why"}
    other = manifest._replace(verification={**manifest.verification, "graphs": graphs})
    assert "mask_decoder@240: weights of 2 layers stay in FP16" in package_lines(other)


def test_operators_are_those_of_the_packages(manifest: Manifest, ios_bundle: Path) -> None:
    lines = operator_lines(manifest)
    assert [line.partition(":")[0] for line in lines] == [
        *(f"{name}@336" for name in GRAPHS if name != "memory_select"),
        "memory_select",
    ]
    ops = read_inventory(ios_bundle / "graphs" / "image_encoder.mlpackage")["r336"].ops
    counted = dict(part.split()[::-1] for part in lines[0].partition(": ")[2].split(", "))
    assert counted == {op: str(count) for op, count in ops.items()}


def test_the_summary_says_what_hinders_the_neural_engine(manifest: Manifest) -> None:
    rows = dict(summary_rows(manifest))
    assert rows["Core ML"] == "specification 9, iOS 18 or newer"
    by_graph = dict(line.split(": ") for line in rows["not on the Neural Engine"].splitlines())
    assert "topk" in by_graph["memory_select"]
    assert by_graph["mask_decoder"] == "any in float32, cos, sin"
    assert by_graph["image_encoder"] == "nothing known"
    assert "mean IoU" in rows["clip, simulated"]


def test_inspect_shows_all_of_it(ios_bundle: Path) -> None:
    result = CliRunner().invoke(app, ["inspect", str(ios_bundle)])
    assert result.exit_code == 0, result.output
    for word in ("specification 9", "r240, r336", "Live MB", "layer_norm", "simulation"):
        assert word in result.stdout
    assert "opset" not in result.stdout
