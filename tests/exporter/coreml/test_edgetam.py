"""Graphs of EdgeTAM for Core ML: what they are made of, and how near to PyTorch they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from sam2lite.calibration.calibrate import CalibrationSettings, recorded
from sam2lite.contracts.families.edgetam import FAMILY
from sam2lite.exporter.coreml.bundle import write_coreml_bundle
from sam2lite.exporter.coreml.compress import PRECISIONS
from sam2lite.exporter.coreml.convert import convert
from sam2lite.exporter.verify.parity import module_parity
from sam2lite.mil.inventory import read_inventory
from sam2lite.mil.package import load_package
from sam2lite.models.edgetam.config import EdgeTamConfig
from sam2lite.models.edgetam.family import HOST
from sam2lite.models.edgetam.network import build
from sam2lite.models.loaded import LoadedModel
from sam2lite.targets.registry import get_target
from tests.oracles.edge_networks import CONFIG

SIZE = 256
LEAST_DB = 50.0  # of every output, each FP16 tensor rounded
# Of the published trunk: each of its some 120 operators rounds once more, and random weights
# double what is wrong before them.
LEAST_DB_OF_M1 = 35.0
# What the Neural Engine has not, and what works on whole numbers.
FOREIGN = {"gather", "gather_along_axis", "scatter", "select", "topk", "pad", "upsample_bilinear"}


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    network = build(CONFIG, seed=3)
    return HOST.untrained(network, network.config)


@pytest.mark.parametrize(
    ("graph", "pinned"),
    [
        ("image_encoder", set()),
        ("memory_attention_7", set()),
        ("mask_decoder", {"coordinates"}),
        ("memory_encoder", set()),
    ],
)
def test_a_graph_in_fp16_is_near_the_network(
    loaded: LoadedModel, graph: str, pinned: set[str]
) -> None:
    target = get_target("ios17").coreml
    assert target is not None
    spec = FAMILY.graph(graph).bind(loaded.dims(SIZE))
    fused = loaded.fused()
    converted = convert(fused.module(graph), spec, target, form=fused.core_ml_form)
    assert set(converted.pinned.values()) == pinned
    package = Path(converted.model.package_path)
    assert not FOREIGN & set(read_inventory(package)["main"].ops)
    run = load_package(package).function().run
    parity = module_parity(loaded.module(graph), lambda feeds: run(feeds), spec)
    assert min(error.sqnr_db for error in parity.values()) >= LEAST_DB


@pytest.mark.slow
@pytest.mark.parametrize("target", ["ios17", "ios18"])
def test_the_published_size_at_512_px(target: str, tmp_path: Path) -> None:
    config = EdgeTamConfig()
    loaded = HOST.untrained(build(config, 1), config)
    footage = recorded(loaded, (512,), CalibrationSettings(frames=12), tmp_path / "recordings")
    found = write_coreml_bundle(
        loaded,
        get_target(target),
        tmp_path / "bundle",
        PRECISIONS["fp16"],
        footage,
        rungs=(512,),
    ).verification
    for key, report in found["graphs"].items():
        least = LEAST_DB_OF_M1 if key.startswith("image_encoder") else LEAST_DB
        assert min(report["sqnr_db"].values()) >= least, key
    assert found["loop"]["frames"] == 12
    assert found["loop"]["non_empty"] > 0
    assert found["loop"]["mean_iou"] >= 0.99
