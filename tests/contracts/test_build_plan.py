"""The plan survives its file, and a damaged file is one sentence."""

import json

import pytest

from sam2lite.contracts.build_plan import BuildPlan, GraphPlan, loads
from sam2lite.errors import BundleError

PLAN = BuildPlan(
    "8.2.1",
    strongly_typed=False,
    workspace_mb=256,
    graphs={
        "mask_decoder@240": GraphPlan(
            "graphs/mask_decoder@240.onnx", ("FP16",), ("/norm/Div",), None
        ),
        "memory_select": GraphPlan("graphs/memory_select.onnx"),
    },
)


def test_a_plan_is_read_as_it_was_written() -> None:
    read = loads(PLAN.dumps().encode(), "plan.json")
    assert read == PLAN
    assert list(read.graphs) == ["mask_decoder@240", "memory_select"]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"plan_version": 1, "graphs": []}'])
def test_a_damaged_plan_is_named(text: str) -> None:
    with pytest.raises(BundleError, match=r"B/plan\.json is no.* export the bundle"):
        loads(text.encode(), "B/plan.json")


def test_a_plan_of_another_version_is_refused() -> None:
    data = {**PLAN.to_json(), "plan_version": 2}
    with pytest.raises(BundleError, match=r"has version 2, this SAM2-Lite reads 1"):
        loads(json.dumps(data).encode(), "plan.json")
