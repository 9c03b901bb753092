"""Where graphs are kept: alone, or with those that have the same parameters."""

import pytest
from torch import nn

from sam2lite.contracts.families.sam2 import FAMILY, LAYOUT, attention_name
from sam2lite.exporter.coreml.packages import place_of, shared_packages
from sam2lite.models.sam2.family import HOST
from sam2lite.targets.profile import CoreMl
from sam2lite.targets.registry import get_target
from tests.models.sam2.conftest import small


def core_ml(name: str) -> CoreMl:
    found = get_target(name).coreml
    assert found is not None
    return found


@pytest.mark.parametrize("of_2_1", [True, False])
def test_graphs_with_the_same_parameters_share_a_package(of_2_1: bool) -> None:
    fused = HOST.fused(small(of_2_1))
    names = shared_packages({spec.name: HOST.module(fused, spec.name) for spec in FAMILY.graphs})
    attention = {attention_name(slots) for slots in LAYOUT.slots}
    assert {graph for graph, name in names.items() if name == "memory_attention"} == attention
    assert all(names[graph] == graph for graph in names.keys() - attention)


def test_graphs_without_parameters_or_with_few_in_common_stay_alone() -> None:
    common = nn.Linear(4, 4)
    modules = {
        "first": nn.Sequential(common, nn.Linear(4, 4)),
        "second": nn.Sequential(common, nn.Linear(4, 4)),
        "none": nn.ReLU(),
        "nothing": nn.ReLU(),
    }
    assert shared_packages(modules) == {name: name for name in modules}


def test_a_shared_package_has_whole_words_for_a_name() -> None:
    layer = nn.Linear(4, 4)
    modules = {"head_small": layer, "head_single": layer}
    assert set(shared_packages(modules).values()) == {"head"}
    modules = {"left": layer, "right": layer}
    assert set(shared_packages(modules).values()) == {"left"}


def test_functions_of_a_shared_package_are_named_by_their_graph() -> None:
    spec = FAMILY.graph("memory_attention_7")
    place = place_of(spec, 512, core_ml("ios18"), "memory_attention")
    assert place == ("graphs/memory_attention.mlpackage", "memory_attention_7_r512")
    place = place_of(spec, 512, core_ml("ios18"), spec.name)
    assert place == ("graphs/memory_attention_7.mlpackage", "r512")
    place = place_of(spec, 512, core_ml("ios17"), "memory_attention")
    assert place == ("graphs/memory_attention_7_512.mlpackage", None)
