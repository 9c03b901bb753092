"""Targets that are said to have the same graphs, by exporting for them."""

import hashlib
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from sam2lite.calibration.calibrate import CalibrationSettings, calibrate
from sam2lite.exporter.backends import exporter_of
from sam2lite.exporter.bundle.writer import write_trial_bundle
from sam2lite.exporter.precision.int8 import all_layers, unmeasured
from sam2lite.exporter.precision.scheme import Float32, PrecisionScheme
from sam2lite.exporter.precision.schemes import Making
from sam2lite.models.loaded import LoadedModel
from sam2lite.targets.advice.same_graphs import (
    same_graphs_text,
    what_graphs_depend_on,
    with_same_graphs,
)
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.registry import get_target, list_targets


def test_boards_of_one_kind_share_their_graphs() -> None:
    assert with_same_graphs(get_target("arm64")) == ["raspberry-pi-5", "raspberry-pi-4"]
    assert with_same_graphs(get_target("intel-n100")) == ["intel-cpu", "intel-gpu"]
    assert with_same_graphs(get_target("jetson-nano")) == ["jetson-tx2"]
    assert not with_same_graphs(get_target("ios18"))
    assert not with_same_graphs(get_target("x86-64-vnni"))


def test_in_float_the_form_of_int8_does_not_matter() -> None:
    x86 = ["x86-64", "raspberry-pi-5", "raspberry-pi-4", "arm64"]
    assert with_same_graphs(get_target("x86-64-vnni"), "fp32") == x86
    assert with_same_graphs(get_target("x86-64-vnni"), "fp16") == x86
    assert not with_same_graphs(get_target("x86-64-vnni"), "int8")
    assert "x86-64, raspberry-pi-5" in same_graphs_text(get_target("x86-64-vnni"), "fp32")
    assert same_graphs_text(get_target("x86-64-vnni"), "int8") == ""


def test_another_opset_is_another_graph() -> None:
    old = get_target("arm64")._replace(opset=15)
    assert not with_same_graphs(old)


def of_cpus() -> list[TargetProfile]:
    return [each for each in list_targets() if each.backend in ("ort", "openvino")]


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (folder / "graphs").iterdir()
    }


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_exports_say_the_same(precision: str, mini_model: LoadedModel, tmp_path: Path) -> None:
    """Targets with equal answers have equal bytes, and those of one backend without have not."""
    ranges = calibrate(mini_model, (240,), CalibrationSettings(frames=8), tmp_path).ranges
    found = {}
    for target in of_cpus():
        scheme: PrecisionScheme = Float32()
        if precision == "int8":
            making = Making(mini_model, target, ranges=ranges)
            scheme = unmeasured(replace(making, assignment=all_layers(making)))
        folder = tmp_path / target.id
        write_trial_bundle(mini_model, target, 240, scheme, folder)
        found[target.id] = hashes(folder)
    for one, other in combinations(of_cpus(), 2):
        if one.backend == other.backend:
            alike = what_graphs_depend_on(one, precision) == what_graphs_depend_on(other, precision)
            assert (found[one.id] == found[other.id]) == alike, (one.id, other.id)


@pytest.mark.slow
def test_jetsons_of_one_release_share_graphs(mini_model: LoadedModel, tmp_path: Path) -> None:
    """What the engines of boards are built from differs in the plan's workspace alone."""
    found = {}
    for name in ("jetson-nano", "jetson-tx2", "jetson-orin-nano", "jetson-agx-orin"):
        target = get_target(name)
        making = Making(mini_model, target)
        scheme = exporter_of("trt").precisions(target)["fp32"].make(making)
        write_trial_bundle(mini_model, target, 240, scheme, tmp_path / name)
        found[name] = hashes(tmp_path / name)
    assert found["jetson-nano"] == found["jetson-tx2"]
    assert found["jetson-orin-nano"] == found["jetson-agx-orin"]
    assert found["jetson-nano"] != found["jetson-orin-nano"]
