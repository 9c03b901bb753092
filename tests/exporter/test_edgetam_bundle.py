"""Bundles of EdgeTAM as they are exported, against the loops with the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor

from sam2lite.exporter.bundle.writer import export_float, write_trial_bundle
from sam2lite.exporter.precision.scheme import Float32
from sam2lite.exporter.verify.opening import open_here
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE
from sam2lite.models.edgetam.config import EdgeTamConfig
from sam2lite.models.edgetam.family import HOST
from sam2lite.models.edgetam.network import EdgeTam, build
from sam2lite.runtimes.bundle import Bundle
from sam2lite.targets.registry import get_target
from tests.oracles.clip import random_clip
from tests.oracles.comparing import check_telling, gap
from tests.oracles.edge_networks import CLIP_SEED, EDGE_SIDE, at_edge_side, small_edge_network
from tests.oracles.ours import run_ours
from tests.oracles.rules import run_bundle
from tests.oracles.scenarios import named

TARGET = get_target("x86-64")
SETTINGS = {"reference": "meta", "corrections": "conditioning", "memory_dtype": "float32"}
MOST_NODES = 350  # of the image encoder


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def network() -> EdgeTam:
    return small_edge_network()


@pytest.fixture(scope="module")
def bundle(network: EdgeTam, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("edgetam") / "bundle"
    loaded = HOST.untrained(network, network.config)
    write_trial_bundle(loaded, TARGET, EDGE_SIDE, Float32(), folder)
    return open_here(folder)


@pytest.fixture(scope="module")
def clip() -> list[Tensor]:
    return random_clip(CLIP_SEED, EDGE_SIDE)


def test_onnx_runtime_and_the_reference_loop(
    bundle: Bundle, network: EdgeTam, clip: list[Tensor]
) -> None:
    """Two objects, which the published code of Meta does not take, and one is prompted later."""
    scenario = at_edge_side(named("object added later"))
    expected = run_ours(network, clip, scenario, **SETTINGS)
    check_telling(expected)
    found = gap(run_bundle(bundle, clip, scenario, **SETTINGS), expected)
    assert found.min_iou == 1.0
    assert found.logit <= 1e-4


def test_what_is_remembered_has_no_input_for_what_the_network_has_not(bundle: Bundle) -> None:
    graphs = bundle.manifest.graphs
    attention = graphs[f"memory_attention_7@{EDGE_SIDE}"].spec
    assert "pointer_time_bq" not in attention.input_names
    assert attention.inputs[1].shape == (1, 7 * 512, 64)
    assert attention.inputs[-1].shape == (1, 1, 1, 7 * 512 + 80)
    encoder = graphs[f"memory_encoder@{EDGE_SIDE}"].spec
    assert encoder.input_names == ["pix_feat", "high_res_mask", "binarize"]


@pytest.mark.parametrize("opset", [13, 17])
def test_the_published_image_encoder_has_few_nodes(opset: int, tmp_path: Path) -> None:
    """Opset 13 is what TensorRT 8.2 reads, where a GELU takes five nodes."""
    config = EdgeTamConfig()
    loaded = HOST.untrained(build(config, 1), config)
    spec = loaded.family.image_encoder.bind(loaded.dims(EDGE_SIDE))
    exported = export_float(loaded, loaded.fused(), spec, EDGE_SIDE, opset)
    assert len(exported.model.graph.node) <= MOST_NODES
    kinds = {node.op_type for node in exported.model.graph.node}
    assert "BatchNormalization" not in kinds
    assert isinstance(exported.model, onnx.ModelProto)
    assert all(error.relative <= GRAPH_TOLERANCE for error in exported.parity.values())
