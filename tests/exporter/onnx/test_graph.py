import json

import pytest
import torch

import sam2lite
from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import VerificationError
from sam2lite.exporter.onnx.graph import ExportedGraph, export_graph
from sam2lite.exporter.onnx.metadata import GraphMetadata
from sam2lite.exporter.onnx.passes.pipeline import REGISTRY
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE
from sam2lite.models.sam2lite.config import TINY
from sam2lite.models.sam2lite.network import Sam2Lite, build
from tests.exporter.conftest import Specs

METADATA = GraphMetadata("nano", "00ff", "Apache-2.0", 240)


def exported(network: Sam2Lite, fused: Sam2Lite, spec: GraphSpec, opset: int = 17) -> ExportedGraph:
    return export_graph(
        getattr(fused, spec.name),
        spec,
        opset,
        reference=getattr(network, spec.name),
        metadata=METADATA,
    )


def test_export_reports_what_it_did(network: Sam2Lite, fused: Sam2Lite, bound: Specs) -> None:
    spec = bound("mask_decoder", 240)
    graph = exported(network, fused, spec, opset=13)
    assert graph.opset == 13
    assert graph.nodes == len(graph.model.graph.node)
    assert [report.name for report in graph.passes] == list(REGISTRY)
    assert list(graph.parity) == spec.output_names
    assert max(error.relative for error in graph.parity.values()) <= GRAPH_TOLERANCE


@pytest.mark.parametrize(("name", "rung"), [("memory_encoder", 240), ("memory_select", None)])
def test_a_graph_says_where_it_comes_from(
    network: Sam2Lite, fused: Sam2Lite, bound: Specs, name: str, rung: int | None
) -> None:
    model = exported(network, fused, bound(name, 240)).model
    found = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert all(key.startswith("sam2lite.") for key in found)
    assert found["sam2lite.model"] == "nano"
    assert found["sam2lite.checkpoint_sha256"] == "00ff"
    assert found["sam2lite.licence"] == "Apache-2.0"
    assert found["sam2lite.graph"] == model.graph.name == name
    assert found["sam2lite.rung"] == rung
    assert found["sam2lite.opset"] == 17
    assert found["sam2lite.version"] == model.producer_version == sam2lite.__version__
    assert found["sam2lite.traced_by"].startswith("pytorch ")
    assert model.producer_name == "sam2lite"
    assert found["sam2lite.inputs"][0]["layout"] in ("bchw", "bnc")
    assert found["sam2lite.outputs"][0]["shape"] == list(bound(name, 240).outputs[0].shape)


def test_a_graph_of_other_weights_is_refused(network: Sam2Lite, bound: Specs) -> None:
    other = build(network.config, seed=7).fused()
    with pytest.raises(VerificationError, match="image_encoder@240 at opset 17: features_"):
        exported(network, other, bound("image_encoder", 240))


@pytest.mark.slow
@pytest.mark.parametrize("opset", [13, 17, 18])
@pytest.mark.parametrize("rung", TINY.rungs)
def test_tiny_is_within_the_tolerance_at_every_rung(rung: int, opset: int) -> None:
    network = build(TINY)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.uniform_(-0.3, 0.3, generator=generator)
                module.running_var.uniform_(0.5, 2.0, generator=generator)
    fused = network.fused()
    for spec in FAMILY.graphs:
        graph = exported(network, fused, spec.bind(TINY.dims(rung)), opset)
        assert graph.opset == opset
