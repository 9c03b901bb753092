"""What other packages call a tensor: one name for one tensor of a graph, where it is exact."""

import pytest

from sam2lite.contracts.family import family_names, get_family
from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.contracts.values import TensorInfo


def test_a_graph_has_those_of_its_own_tensors() -> None:
    known = {
        "x": TensorInfo("In.", aliases=("input", "pixels")),
        "y": TensorInfo("Out."),
        "z": TensorInfo("Of another graph.", aliases=("elsewhere",)),
    }
    x, y, w = (TensorSpec(name, "float32", (1,)) for name in "xyw")
    assert GraphSpec("g", (x, w), (y,), tensors=known).aliases == {"x": ("input", "pixels")}
    assert GraphSpec("g", (x,), (y,)).aliases == {}


@pytest.mark.parametrize("name", family_names())
def test_an_alias_means_one_tensor(name: str) -> None:
    for graph in get_family(name).graphs:
        taken = [*graph.input_names, *graph.output_names]
        taken += [other for others in graph.aliases.values() for other in others]
        assert len(taken) == len(set(taken)), graph.name


def test_names_differ_by_graph() -> None:
    family = get_family("sam2")
    called = {graph.name: graph.aliases.get("image_embed", ()) for graph in family.graphs}
    assert "feats2_no_mem" in called["image_encoder"]
    assert called["memory_attention_7"] == ("conditioned_feats",)
    assert "feats2_cond" in called["mask_decoder"]
    # Pixels are normalised in the graph, and others want them so already: not the same tensor.
    assert "image_bchw" not in family.graph("image_encoder").aliases


def test_the_first_family_has_none() -> None:
    assert not any(graph.aliases for graph in get_family("sam2lite").graphs)
