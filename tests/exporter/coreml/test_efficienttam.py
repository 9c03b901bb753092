"""Graphs of EfficientTAM for Core ML: what they are made of, and how near to PyTorch they are."""

import pytest

from sam2lite.models.efficienttam.config import EfficientTamConfig
from sam2lite.models.efficienttam.family import HOST
from sam2lite.models.efficienttam.network import build
from tests.exporter.coreml.half_precision import check_in_half_precision
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
    check_in_half_precision(loaded, graph, SIZE, pinned)
