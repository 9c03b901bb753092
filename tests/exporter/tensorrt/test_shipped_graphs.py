"""Our graphs, as every TensorRT that a target can have is given them."""

from functools import cache

import pytest

from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.exporter.onnx.graph import ExportedGraph, export_graph
from sam2lite.exporter.onnx.metadata import GraphMetadata
from sam2lite.exporter.tensorrt.preflight import preflight
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE
from sam2lite.models.sam2lite.network import build
from sam2lite.targets.registry import list_targets
from sam2lite.targets.releases import tensorrts_of, with_jetpack
from tests.conftest import MINI

RUNG = 240
# Every board with every JetPack it had and every TensorRT of that, and GPUs in PCs.
CASES = [
    (target.id, release.name, version)
    for target in list_targets()
    if target.tensorrt is not None
    for release in target.tensorrt.jetpacks
    for version in tensorrts_of(release)
] + [
    (target.id, None, version)
    for target in list_targets()
    if target.tensorrt is not None
    for version in target.tensorrt.versions
]


@cache
def exported(opset: int) -> tuple[ExportedGraph, ...]:
    model = build(MINI, seed=3)
    fused = model.fused()
    return tuple(
        export_graph(
            getattr(fused, graph.name),
            graph.with_image("float32").bind(model.config.dims(RUNG)),
            opset,
            reference=getattr(model, graph.name),
            metadata=GraphMetadata("mini", "", "", RUNG),
        )
        for graph in FAMILY.graphs
    )


@pytest.mark.parametrize(("name", "jetpack", "version"), CASES)
def test_its_parser_takes_every_graph(name: str, jetpack: str | None, version: str) -> None:
    profile = next(target for target in list_targets() if target.id == name)
    if jetpack is not None:
        profile = with_jetpack(profile, jetpack, version)
    graphs = exported(profile.opset)
    assert len(graphs) == len(FAMILY.graphs)
    for graph in graphs:
        assert graph.opset == profile.opset
        assert preflight(graph.model, version) == []
        assert all(error.relative <= GRAPH_TOLERANCE for error in graph.parity.values())


def test_every_generation_is_there() -> None:
    assert {version.split(".")[0] for _, _, version in CASES} == {"8", "10", "11"}
