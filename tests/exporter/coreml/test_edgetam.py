"""Graphs of EdgeTAM for Core ML: what they are made of, and how near to PyTorch they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from sam2lite.calibration.calibrate import CalibrationSettings, recorded
from sam2lite.exporter.coreml.bundle import write_coreml_bundle
from sam2lite.exporter.coreml.compress import PRECISIONS
from sam2lite.models.edgetam.config import EdgeTamConfig
from sam2lite.models.edgetam.family import HOST
from sam2lite.models.edgetam.network import build
from sam2lite.models.loaded import LoadedModel
from sam2lite.targets.registry import get_target
from tests.exporter.coreml.half_precision import LEAST_DB, check_in_half_precision
from tests.oracles.edge_networks import CONFIG

SIZE = 256
# Of the published trunk, whose 120 operators round one after the other: 50.8 were measured.
LEAST_DB_OF_M1 = 48.0


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
    check_in_half_precision(loaded, graph, SIZE, pinned)


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
