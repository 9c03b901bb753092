"""Graphs of EfficientTAM for Core ML: what they are made of, and how near to PyTorch they are."""

from pathlib import Path

import pytest

from sam2lite.exporter.coreml.convert import convert
from sam2lite.exporter.verify.parity import module_parity
from sam2lite.mil.inventory import read_inventory
from sam2lite.mil.package import load_package
from sam2lite.models.efficienttam.config import EfficientTamConfig
from sam2lite.models.efficienttam.family import HOST
from sam2lite.models.efficienttam.network import build
from sam2lite.targets.registry import get_target
from tests.exporter.coreml.test_sam2 import FOREIGN, LEAST_DB
from tests.oracles.efficienttam_networks import KEY_POOLED, LOGIT_POOLED

SIZE = 160  # px, of which windows reach beyond the grid


@pytest.mark.parametrize(
    ("variant", "graph", "pinned"),
    [
        (LOGIT_POOLED, "image_encoder", set()),
        (LOGIT_POOLED, "memory_attention_2", set()),
        pytest.param(KEY_POOLED, "memory_attention_2", set(), marks=pytest.mark.slow),
        pytest.param(KEY_POOLED, "mask_decoder", {"coordinates"}, marks=pytest.mark.slow),
    ],
)
def test_a_graph_in_fp16_is_near_the_network(
    variant: EfficientTamConfig, graph: str, pinned: set[str]
) -> None:
    loaded = HOST.untrained(build(variant, seed=3), variant)
    target = get_target("ios17").coreml
    assert target is not None
    spec = loaded.family.graph(graph).bind(loaded.dims(SIZE))
    fused = loaded.fused()
    converted = convert(fused.module(graph), spec, target, form=fused.core_ml_form)
    assert set(converted.pinned.values()) == pinned
    package = Path(converted.model.package_path)
    assert not FOREIGN & set(read_inventory(package)["main"].ops)
    run = load_package(package).function().run
    parity = module_parity(loaded.module(graph), lambda feeds: run(feeds), spec)
    assert min(error.sqnr_db for error in parity.values()) >= LEAST_DB
