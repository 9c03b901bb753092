"""A target's rewrites inside the ordinary pipeline: a module that an old parser refuses."""

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.contracts.values import TensorInfo, Values
from sam2lite.errors import UnknownNameError
from sam2lite.exporter.onnx.graph import ExportedGraph, export_graph
from sam2lite.exporter.onnx.metadata import GraphMetadata
from sam2lite.exporter.onnx.passes import pipeline
from sam2lite.exporter.onnx.passes.pipeline import run_passes
from sam2lite.exporter.onnx.trace import trace
from sam2lite.exporter.tensorrt.backend import EXPORTER
from sam2lite.exporter.tensorrt.passes.table import REWRITES
from sam2lite.exporter.tensorrt.preflight import preflight
from sam2lite.targets.registry import get_target
from sam2lite.targets.tensorrt.ops import read_version

NANO = get_target("jetson-nano")
LABELS = 5
SPEC = GraphSpec(
    "toy",
    (TensorSpec("x_bnc", "float32", (1, 12, 8)), TensorSpec("labels_bn", "int64", (1, 12))),
    (TensorSpec("y_bnn", "float32", (1, 12, 12)),),
    tensors={"labels_bn": TensorInfo("", Values("label", labels=LABELS))},
)


class Modern(nn.Module):
    """What parsers of 2021 lack: Einsum with an ellipsis, OneHot, Mod, Reciprocal, IsInf, INT64.

    GELU and LayerNorm are traced as operators from opset 20 and 17 on, Trilu and HardSwish exist
    from 14 on.
    """

    def __init__(self, opset: int = 13) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.newer = opset > 13
        self.norm, self.act = nn.LayerNorm(8), nn.Hardswish() if self.newer else nn.ReLU()
        self.label = nn.Linear(LABELS, 8)

    def forward(self, x_bnc: Tensor, labels_bn: Tensor) -> tuple[Tensor]:
        shifted = torch.fmod(labels_bn + 3, LABELS)
        hot = nn.functional.one_hot(shifted, LABELS).to(x_bnc.dtype)
        x = self.act(self.norm(nn.functional.gelu(x_bnc))) + self.label(hot)
        product = torch.einsum("...nc,...mc->...nm", x, x)
        scaled = product * torch.reciprocal(1.0 + product.abs())
        lower = torch.tril(scaled) if self.newer else scaled
        return (torch.where(torch.isinf(scaled), 0.0, lower),)


def exported(opset: int, skip: tuple[str, ...] = ()) -> ExportedGraph:
    module = Modern(opset).eval().requires_grad_(False)
    return export_graph(
        module,
        SPEC,
        opset,
        reference=module,
        metadata=GraphMetadata("toy", "0", "none", 240),
        target_passes=EXPORTER.passes_for(NANO),
        skip=skip,
    )


@pytest.fixture(scope="module")
def version() -> str:
    assert NANO.tensorrt is not None
    return NANO.tensorrt.version


@pytest.mark.parametrize("opset", [13, 20])
def test_a_module_of_today_is_taken_by_jetpack_4(opset: int, version: str) -> None:
    plain = run_passes(trace(Modern(opset).eval(), SPEC, opset), SPEC, feeds())[0]
    refused = {found.subject for found in preflight(plain, version) if found.kind != "opset"}
    newer = {"Gelu", "LayerNormalization", "Trilu", "HardSwish"} if opset == 20 else set()
    assert refused == {"Mod", "OneHot", "Reciprocal", "IsInf", "Einsum", "INT64"} | newer
    graph = exported(opset)
    left = [found for found in preflight(graph.model, version) if found.kind != "opset"]
    assert left == []
    assert max(error.relative for error in graph.parity.values()) <= 1e-5
    onnx.checker.check_model(graph.model, full_check=True)


def test_what_changed_something_is_reported_with_its_parity() -> None:
    reports = {report.name: report for report in exported(13).passes}
    ran = [name for name in reports if name not in pipeline.REGISTRY]
    assert ran == ["int32_border", "mod", "one_hot", "reciprocal", "is_inf", "einsum"]
    assert list(reports)[2:-4] == ran  # after `constants` and `simplify`, before all others
    assert max(report.relative for report in reports.values()) <= 1e-5
    assert reports["einsum"].operators["Einsum"] == -1  # type: ignore[attr-defined]


def test_the_graph_says_in_which_types_it_is_fed() -> None:
    graph = exported(13)
    assert [tensor.dtype for tensor in graph.spec.inputs] == ["float32", "int32"]
    assert SPEC.inputs[1].dtype == "int64"


def feeds() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 12, 8)).astype(np.float32)
    return {"x_bnc": x, "labels_bn": rng.integers(0, LABELS, (1, 12))}


def test_what_needs_nothing_is_left_byte_for_byte() -> None:
    module = nn.Sequential(nn.Linear(8, 12), nn.ReLU()).eval()
    spec = SPEC._replace(inputs=SPEC.inputs[:1])
    given = {"x_bnc": feeds()["x_bnc"]}
    plain, reports = run_passes(trace(module, spec, 13), spec, given)
    passes = EXPORTER.passes_for(NANO)
    same, with_target = run_passes(trace(module, spec, 13), spec, given, passes)
    assert same.SerializeToString() == plain.SerializeToString()
    assert with_target == reports


def test_a_pass_is_skipped_by_name(version: str) -> None:
    graph = exported(13, skip=("einsum",))
    assert "Einsum" in {node.op_type for node in graph.model.graph.node}
    with pytest.raises(UnknownNameError, match=r"constants, simplify, float_image, .* static"):
        exported(13, skip=("einsums",))


def test_all_are_given_to_the_oldest_version(version: str) -> None:
    names = [step.name for step in EXPORTER.passes_for(NANO)]
    assert names == [rewrite.apply.__name__ for rewrite in REWRITES]
    orin = get_target("jetson-orin-nano")
    assert orin.tensorrt is not None
    newer = [r for r in REWRITES if r.applies_to(read_version(orin.tensorrt.version))]
    assert len(EXPORTER.passes_for(orin)) == len(newer) < len(names)
