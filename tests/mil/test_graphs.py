"""Whole graphs, converted, saved, reloaded and evaluated, against PyTorch."""

from pathlib import Path

import pytest

from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE, ErrorStatistics, module_parity
from sam2lite.mil.dtypes import Precision
from sam2lite.mil.package import MINIMUM_OS, SimulatedPackage, load_package
from sam2lite.models.registry import load_model
from sam2lite.models.sam2lite.network import Sam2Lite
from tests.mil.conftest import Packages
from tests.mil.conversion import bound_spec, converted, saved

NAMES = [spec.name for spec in FAMILY.graphs]
TARGETS = ("iOS16", "iOS17", "iOS18")
# Here all of it is FP16. Prompt coordinates and ages need FP32: near column 60 FP16 has steps of
# 1/32, near 201 rad (the fastest octave of an age) of 1/8. With those two, Tiny reaches 62 dB.
FP16_DB = {"mask_decoder": 40.0}


def parity(
    network: Sam2Lite, graph: str, package: SimulatedPackage, precision: Precision, rung: int = 240
) -> dict[str, ErrorStatistics]:
    run = package.function().run
    spec = bound_spec(network, graph, rung)
    return module_parity(getattr(network, graph), lambda feeds: run(feeds, precision), spec)


@pytest.mark.parametrize(("graph", "rung"), [*((name, 240) for name in NAMES), (NAMES[0], 480)])
def test_an_fp32_package_is_the_network(
    network: Sam2Lite, packages: Packages, graph: str, rung: int
) -> None:
    package = load_package(packages(graph, "float32", rung=rung))
    errors = parity(network, graph, package, "fp32", rung)
    assert max(error.relative for error in errors.values()) <= GRAPH_TOLERANCE


@pytest.mark.parametrize("graph", NAMES)
def test_an_fp16_package_is_near_the_network(
    network: Sam2Lite, packages: Packages, graph: str
) -> None:
    package = load_package(packages(graph))
    rounded = parity(network, graph, package, "fp16")
    assert min(error.sqnr_db for error in rounded.values()) >= FP16_DB.get(graph, 55.0)


@pytest.mark.slow
@pytest.mark.parametrize("graph", NAMES)
@pytest.mark.parametrize("target", TARGETS)
def test_tiny_for_every_ios(tmp_path: Path, graph: str, target: str) -> None:
    network = load_model("tiny").model.eval()
    full = saved(converted(network, graph, 240, target, "float32"), tmp_path / "full.mlpackage")
    package = load_package(full)
    assert package.minimum_os == f"iOS {target[3:]}" == MINIMUM_OS[package.specification_version]
    errors = parity(network, graph, package, "fp32")
    assert max(error.relative for error in errors.values()) <= GRAPH_TOLERANCE

    half = saved(converted(network, graph, 240, target, "float16"), tmp_path / "half.mlpackage")
    rounded = parity(network, graph, load_package(half), "fp16")
    assert min(error.sqnr_db for error in rounded.values()) >= FP16_DB.get(graph, 55.0)
