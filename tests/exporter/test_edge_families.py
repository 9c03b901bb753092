"""EdgeTAM and EfficientTAM for TensorRT and with weights in FP16, by graph, on small networks."""

from collections.abc import Callable
from functools import cache

import pytest

from sam2lite.exporter.backends import exporter_of
from sam2lite.exporter.bundle.job import ExportJob
from sam2lite.exporter.bundle.writer import export_float
from sam2lite.exporter.onnx.graph import ExportedGraph
from sam2lite.exporter.precision.fp16_storage import LEAST_SQNR_DB, Fp16Storage
from sam2lite.exporter.tensorrt.preflight import preflight
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE
from sam2lite.models.edgetam.family import HOST as EDGETAM
from sam2lite.models.edgetam.network import build as build_edgetam
from sam2lite.models.efficienttam.config import EfficientTamConfig
from sam2lite.models.efficienttam.family import HOST as EFFICIENTTAM
from sam2lite.models.efficienttam.network import build as build_efficienttam
from sam2lite.models.loaded import LoadedModel
from sam2lite.targets.registry import get_target
from tests.oracles.edge_networks import CONFIG as EDGE_CONFIG
from tests.oracles.edge_networks import EDGE_SIDE
from tests.oracles.efficienttam_networks import KEY_POOLED, LOGIT_POOLED, PLAIN

VIT_SIDE = 160  # px, of which windows reach beyond the grid


def efficienttam(variant: EfficientTamConfig) -> LoadedModel:
    return EFFICIENTTAM.untrained(build_efficienttam(variant, seed=3), variant)


# What makes each, and the side of its input, px.
NETWORKS: dict[str, tuple[Callable[[], LoadedModel], int]] = {
    "edgetam": (
        lambda: EDGETAM.untrained(build_edgetam(EDGE_CONFIG, seed=3), EDGE_CONFIG),
        EDGE_SIDE,
    ),
    "plain": (lambda: efficienttam(PLAIN), VIT_SIDE),
    "pooled-1": (lambda: efficienttam(LOGIT_POOLED), VIT_SIDE),
    "pooled-2": (lambda: efficienttam(KEY_POOLED), VIT_SIDE),
}
# What a family has of its own; memory attention with one slot and with several has two rules where
# memory is pooled. EdgeTAM's heads are SAM 2's.
GRAPHS = [
    ("edgetam", "image_encoder"),
    ("edgetam", "memory_attention_2"),
    ("edgetam", "memory_encoder"),
    ("plain", "image_encoder"),
    ("plain", "mask_decoder"),
    ("pooled-1", "memory_attention_1"),
    ("pooled-1", "memory_attention_2"),
    ("pooled-2", "memory_attention_2"),
]
# Of TensorRT 8.2, whose graphs are of opset 13, and of today.
TARGETS = ("jetson-nano", "jetson-orin-nano", "x86-64")


@cache
def loaded(network: str) -> LoadedModel:
    return NETWORKS[network][0]()


@cache
def exported(network: str, graph: str, target: str) -> ExportedGraph:
    profile, side = get_target(target), NETWORKS[network][-1]
    spec, _ = ExportJob.of(loaded(network), [side], profile.backend).keys[f"{graph}@{side}"]
    passes = exporter_of(profile.backend).passes_for(profile)
    return export_float(loaded(network), loaded(network).fused(), spec, side, profile.opset, passes)


@pytest.mark.parametrize("target", TARGETS[:2])
@pytest.mark.parametrize(("network", "graph"), GRAPHS)
def test_tensorrt_takes_a_graph_that_is_the_network(network: str, graph: str, target: str) -> None:
    found, profile = exported(network, graph, target), get_target(target)
    assert profile.tensorrt is not None
    assert found.opset == profile.opset
    assert preflight(found.model, profile.tensorrt.version) == []
    assert max(error.relative for error in found.parity.values()) <= GRAPH_TOLERANCE


@pytest.mark.parametrize(("network", "graph"), GRAPHS)
def test_weights_in_fp16_are_near_fp32(network: str, graph: str) -> None:
    found, side = exported(network, graph, "x86-64"), NETWORKS[network][-1]
    size = found.model.ByteSize()
    rendered = Fp16Storage().render(found.model, found.spec, side)
    assert rendered.precision == "fp16"
    assert rendered.model.ByteSize() < 0.7 * size
    assert min(rendered.report["sqnr_db"].values()) >= LEAST_SQNR_DB
