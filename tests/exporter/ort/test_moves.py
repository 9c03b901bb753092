"""What only moves numbers about becomes one Gather, and the values stay what they were."""

from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.exporter.onnx.passes.constants import constants
from sam2lite.exporter.onnx.passes.simplify import simplify
from sam2lite.exporter.onnx.trace import trace
from sam2lite.exporter.ort.passes.moves import moves
from sam2lite.exporter.verify.parity import run_onnx


class Windows(nn.Module):
    """Cells in windows and heads, keys turned round, and back."""

    def __init__(self, height: int, width: int, window: int, heads: int, channels: int) -> None:
        super().__init__()
        self.sides, self.window, self.heads = (height, width), window, heads
        self.beyond = torch.arange(channels) + 0.5

    def forward(self, x_bnc: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys, and the cells after a softmax."""
        (height, width), window = self.sides, self.window
        channels = int(self.beyond.shape[0])
        x = (x_bnc * 2.0).reshape(1, height, width, channels)
        below, right = -height % window, -width % window
        if right:
            x = torch.cat([x, self.beyond + torch.zeros(1, height, right, channels)], dim=2)
        if below:
            x = torch.cat([x, self.beyond + torch.zeros(1, below, width + right, channels)], dim=1)
        rows, columns = (height + below) // window, (width + right) // window
        x = x.reshape(rows, window, columns, window, channels).transpose(1, 2)
        x = x.reshape(rows * columns, window * window, self.heads, channels // self.heads)
        query, key = x.transpose(1, 2), x.permute(0, 2, 3, 1)
        back = torch.softmax(query, dim=-1).transpose(1, 2)
        back = back.reshape(rows, columns, window, window, channels).transpose(1, 2)
        back = back.reshape(rows * window, columns * window, channels)[:height, :width]
        return torch.relu(query), torch.sigmoid(key), torch.relu(back)


def operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def simplified(module: nn.Module, shape: tuple[int, ...]) -> onnx.ModelProto:
    outputs = tuple(
        TensorSpec(name, "float32", tuple(value.shape))
        for name, value in zip("abc", module(torch.zeros(shape)), strict=True)
    )
    spec = GraphSpec("g", (TensorSpec("x", "float32", shape),), outputs)
    return simplify(constants(trace(module, spec, 17)))


@pytest.mark.parametrize(
    ("height", "width", "window", "heads", "channels"),
    [(6, 9, 4, 2, 64), (8, 8, 4, 2, 32), (5, 7, 3, 1, 16), (3, 4, 7, 4, 128)],
)
def test_windows_and_heads_are_cut_at_once(
    height: int, width: int, window: int, heads: int, channels: int
) -> None:
    shape = (1, height * width, channels)
    model = simplified(Windows(height, width, window, heads, channels), shape)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    before, feeds = operators(model), {"x": x}
    expected = run_onnx(model, feeds, optimise=False)
    moved = moves(model)
    onnx.checker.check_model(moved)
    after = operators(moved)
    actual = run_onnx(moved, feeds, optimise=False)
    for name, values in expected.items():
        assert np.array_equal(actual[name], values), name
    assert after["Gather"] > 0
    assert after["Transpose"] < before["Transpose"]
    assert after["Slice"] == 0


def test_keys_are_turned_round_last() -> None:
    moved = moves(simplified(Windows(6, 8, 2, 2, 64), (1, 48, 64)))
    perms = [
        helper.get_attribute_value(node.attribute[0])
        for node in moved.graph.node
        if node.op_type == "Transpose"
    ]
    assert perms == [[0, 1, 3, 2]]


def graph_of(
    nodes: list[onnx.NodeProto],
    shape: list[int | str],
    result: list[int],
    weights: dict[str, np.ndarray],
    dtype: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info("y", dtype, result)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def turned_twice(
    shape: list[int | str], result: list[int], dtype: int = TensorProto.FLOAT
) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=[1, 0, 2]),
        helper.make_node("Slice", ["a", "start", "end"], ["b"]),
        helper.make_node("Identity", ["b"], ["y"]),
    ]
    ends = {"start": np.array([1], np.int64), "end": np.array([3], np.int64)}
    return graph_of(nodes, shape, result, ends, dtype)


def test_a_result_of_the_graph_is_made_at_once() -> None:
    moved = moves(turned_twice([2, 4, 16], [2, 2, 16]))
    assert operators(moved) == {"Reshape": 2, "Gather": 1}
    x = np.random.default_rng(0).standard_normal((2, 4, 16)).astype(np.float32)
    assert np.array_equal(run_onnx(moved, {"x": x})["y"], x.transpose(1, 0, 2)[1:3])


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (turned_twice([2, 4, 15], [2, 2, 15]), "rows are short"),
        (turned_twice(["n", 4, 16], [2, 2, 16]), "a side is not known"),
        (turned_twice([2, 4, 16], [2, 2, 16], TensorProto.INT64), "these are no floats"),
    ],
)
def test_what_gains_nothing_stays_as_it_is(model: onnx.ModelProto, why: str) -> None:
    before = model.SerializeToString(deterministic=True)
    assert moves(model).SerializeToString(deterministic=True) == before, why


def test_one_step_stays_as_it_is() -> None:
    nodes = [helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0, 2])]
    model = graph_of(nodes, [2, 4, 16], [4, 2, 16], {})
    assert operators(moves(model)) == {"Transpose": 1}


def test_two_fillings_are_told_apart() -> None:
    nodes = [
        helper.make_node("Concat", ["x", "low"], ["a"], axis=1),
        helper.make_node("Concat", ["high", "a"], ["y"], axis=0),
    ]
    low = np.full((3, 1, 16), -1.0, np.float32)
    high = np.concatenate([low[:1, :, :], np.full((1, 4, 16), 7.0, np.float32)], axis=1)
    model = graph_of(nodes, [3, 4, 16], [4, 5, 16], {"low": low, "high": high})
    x = np.random.default_rng(1).standard_normal((3, 4, 16)).astype(np.float32)
    expected = run_onnx(model, {"x": x}, optimise=False)["y"]
    moved = moves(model)
    assert operators(moved)["Gather"] == 1
    assert np.array_equal(run_onnx(moved, {"x": x})["y"], expected)


def test_a_value_that_is_read_on_the_way_is_made_as_well() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["a"], perm=[1, 0, 2]),
        helper.make_node("Relu", ["a"], ["read"]),
        helper.make_node("Transpose", ["a"], ["b"], perm=[1, 0, 2]),
        helper.make_node("Concat", ["b", "low"], ["c"], axis=0),
        helper.make_node("Transpose", ["read"], ["d"], perm=[1, 0, 2]),
        helper.make_node("Concat", ["c", "d"], ["y"], axis=0),
    ]
    low = np.full((1, 4, 32), -1.0, np.float32)
    model = graph_of(nodes, [2, 4, 32], [5, 4, 32], {"low": low})
    x = np.random.default_rng(2).standard_normal((2, 4, 32)).astype(np.float32)
    expected = run_onnx(model, {"x": x}, optimise=False)["y"]
    assert np.array_equal(run_onnx(moves(model), {"x": x}, optimise=False)["y"], expected)
