"""Graphs of SAM 2 for Core ML: what they are made of, and how near to PyTorch they are."""

from pathlib import Path

import pytest

from sam2lite.calibration.calibrate import CalibrationSettings, recorded
from sam2lite.contracts.families.sam2 import LAYOUT, attention_name
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.exporter.coreml.bundle import write_coreml_bundle
from sam2lite.exporter.coreml.compress import PRECISIONS
from sam2lite.mil.archive import read_specification
from sam2lite.mil.inventory import read_inventory
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2.family import HOST
from sam2lite.targets.registry import get_target
from tests.exporter.coreml.half_precision import LEAST_DB, check_in_half_precision
from tests.models.sam2.conftest import small

SIZE, WIDE = 128, Aspect(3, 2)


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    network = small()
    return HOST.untrained(network, network.config)


@pytest.mark.parametrize(
    ("graph", "aspect", "pinned"),
    [
        ("image_encoder", WIDE, set()),
        ("memory_attention_2", SQUARE, {"coordinates"}),
        ("mask_decoder", WIDE, {"coordinates"}),
        ("memory_encoder", SQUARE, set()),
    ],
)
def test_a_graph_in_fp16_is_near_the_network(
    loaded: LoadedModel, graph: str, aspect: Aspect, pinned: set[str]
) -> None:
    check_in_half_precision(loaded, graph, SIZE, pinned, aspect)


@pytest.mark.slow
def test_a_bundle_stores_memory_attention_once(loaded: LoadedModel, tmp_path: Path) -> None:
    target = get_target("ios18")
    footage = recorded(loaded, (SIZE,), CalibrationSettings(frames=24), tmp_path / "recordings")
    bundle = tmp_path / "bundle"
    manifest = write_coreml_bundle(
        loaded, target, bundle, PRECISIONS["fp16"], footage, rungs=(SIZE,)
    )
    package = "graphs/memory_attention.mlpackage"
    places = {key: (entry.file, entry.function) for key, entry in manifest.graphs.items()}
    for slots in LAYOUT.slots:
        graph = attention_name(slots)
        assert places[f"{graph}@{SIZE}"] == (package, f"{graph}_r{SIZE}")
    stored = sum(
        file.bytes for name, file in manifest.files.items() if name.startswith(package + "/")
    )
    weights = {name: found.weight_bytes for name, found in read_inventory(bundle / package).items()}
    assert len(weights) == len(LAYOUT.slots)
    assert stored < 1.1 * max(weights.values())
    description = read_specification(bundle / package).description
    assert description.metadata.userDefined["sam2lite.graph"] == ", ".join(
        attention_name(slots) for slots in LAYOUT.slots
    )
    assert all(
        feature.shortDescription
        for function in description.functions
        for feature in (*function.input, *function.output)
    )
    found = manifest.verification
    for report in found["graphs"].values():
        assert min(report["sqnr_db"].values()) >= LEAST_DB
    assert found["loop"]["non_empty"] > 0
    assert found["loop"]["mean_iou"] >= 0.99
