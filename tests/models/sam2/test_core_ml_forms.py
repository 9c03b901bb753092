"""What Core ML takes of each graph computes what the graph computes."""

import copy
import dataclasses

import pytest
import torch
from torch import Tensor, nn

from sam2lite.contracts.families.sam2 import FAMILY, IMAGE_ENCODER, LAYOUT
from sam2lite.exporter.onnx.trace import example_inputs
from sam2lite.models.sam2.config import PUBLISHED, Sam2Config
from sam2lite.models.sam2.family import HOST
from sam2lite.models.sam2.graphs import ImageEncoderGraph, graph_module
from sam2lite.models.sam2.network import Sam2, build
from tests.models.sam2.conftest import small

SIZE = 128
TOLERANCE = 1e-5  # relative to the greatest number of an output
NARROW = 8  # channels a head

Inputs = tuple[Tensor, ...]


def inputs_of(graph: str, size: int) -> Inputs:
    return tuple(example_inputs(FAMILY.graph(graph).bind(LAYOUT.dims(size)), seed=1))


def form_of(network: Sam2, graph: str, inputs: Inputs) -> nn.Module:
    return HOST.core_ml_form(copy.deepcopy(graph_module(HOST.fused(network), graph)), inputs).eval()


@torch.no_grad()
def largest_error(network: Sam2, graph: str, size: int) -> float:
    inputs = inputs_of(graph, size)
    found = form_of(network, graph, inputs)(*inputs)
    expected = graph_module(network, graph)(*inputs)
    assert len(found) == len(expected)
    assert all(tensor.abs().max() > 0 for tensor in expected)
    return max(
        float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("of_2_1", [True, False])
@pytest.mark.parametrize("graph", [spec.name for spec in FAMILY.graphs])
def test_a_form_computes_the_same(graph: str, of_2_1: bool) -> None:
    assert largest_error(small(of_2_1), graph, SIZE) <= TOLERANCE


@pytest.mark.parametrize(("published", "size"), [("base_plus", 160), ("large", 192)])
def test_a_form_of_a_published_trunk_computes_the_same(published: str, size: int) -> None:
    trunk = PUBLISHED[f"sam2.1_hiera_{published}"].trunk
    narrow = dataclasses.replace(trunk, embed_dim=NARROW * trunk.heads)
    network = build(Sam2Config(published, narrow), seed=1)
    assert largest_error(network, IMAGE_ENCODER, size) <= TOLERANCE


def test_a_form_leaves_the_network_as_it_was(network: Sam2) -> None:
    fused = HOST.fused(network)
    before = {name: tensor.clone() for name, tensor in fused.state_dict().items()}
    for graph in (spec.name for spec in FAMILY.graphs):
        HOST.core_ml_form(copy.deepcopy(graph_module(fused, graph)), inputs_of(graph, SIZE))
    after = fused.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_whole_numbers_are_taken_from_pixels_and_nothing_else_is_done(network: Sam2) -> None:
    form = form_of(network, IMAGE_ENCODER, inputs_of(IMAGE_ENCODER, SIZE))
    assert isinstance(form, ImageEncoderGraph)
    assert form.pixel_mean.flatten().tolist() == [124.0, 116.0, 104.0]
    assert form.pixel_std.flatten().tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("scores", [1, 5000, 12345])
def test_some_queries_at_a_time_see_the_same(
    network: Sam2, scores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sam2lite.models.sam2.core_ml_forms._MOST_SCORES", scores)
    assert largest_error(network, "memory_attention_2", SIZE) <= TOLERANCE
