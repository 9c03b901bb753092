"""Whatever onnxsim learns to fuse, `simplify` brings no operator that was not there."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnx
import onnxsim
import pytest
from onnx import TensorProto, helper, numpy_helper

from sam2lite.errors import ExportError
from sam2lite.exporter.onnx.passes.constants import constants
from sam2lite.exporter.onnx.passes.optimizers import (
    ALLOWED,
    KNOWN,
    new_operators,
    skipped_optimizers,
)
from sam2lite.exporter.onnx.passes.simplify import simplify
from sam2lite.exporter.verify.parity import run_onnx

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1, 6, 16)).astype(np.float32)


def graph_of(
    nodes: list[onnx.NodeProto], weights: dict[str, Any], opset: int = 17
) -> onnx.ModelProto:
    """From x to y, both [1, 6, 16]."""
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 6, 16]) for n in "xy")
    constants = [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()]
    graph = helper.make_graph(nodes, "graph", [x], [y], constants)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)])


def attention(opset: int) -> onnx.ModelProto:
    """Self-attention of two heads as it is written by hand, with its projections."""
    node = helper.make_node
    weights: dict[str, Any] = {"heads": np.array([1, 6, 2, 8]), "flat": np.array([1, 6, 16])}
    nodes = []
    for name, permutation in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
        weights["w" + name] = RNG.normal(size=(16, 16)).astype(np.float32)
        weights["b" + name] = RNG.normal(size=16).astype(np.float32)
        nodes += [
            node("MatMul", ["x", "w" + name], ["m" + name]),
            node("Add", ["m" + name, "b" + name], ["a" + name]),
            node("Reshape", ["a" + name, "heads"], ["r" + name]),
            node("Transpose", ["r" + name], [name], perm=permutation),
        ]
    weights["root"] = np.float32(8**0.5)
    nodes += [
        node("MatMul", ["q", "k"], ["s"]),
        node("Div", ["s", "root"], ["d"]),
        node("Softmax", ["d"], ["p"], axis=-1),
        node("MatMul", ["p", "v"], ["o"]),
        node("Transpose", ["o"], ["t"], perm=[0, 2, 1, 3]),
        node("Reshape", ["t", "flat"], ["f"]),
        node("MatMul", ["f", "wq"], ["g"]),
        node("Add", ["g", "bq"], ["y"]),
    ]
    return graph_of(nodes, weights, opset)


def gelu() -> onnx.ModelProto:
    node = helper.make_node
    weights = {"root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)}
    nodes = [
        node("Div", ["x", "root"], ["d"]),
        node("Erf", ["d"], ["e"]),
        node("Add", ["e", "one"], ["a"]),
        node("Mul", ["x", "a"], ["m"]),
        node("Mul", ["m", "half"], ["y"]),
    ]
    return graph_of(nodes, weights, 20)


def norm(mean: bool) -> onnx.ModelProto:
    """LayerNormalization or RMSNormalization, written out."""
    node = helper.make_node
    weights = {
        "two": np.float32(2),
        "small": np.float32(1e-5),
        "scale": RNG.normal(size=16).astype(np.float32),
        "bias": RNG.normal(size=16).astype(np.float32),
        "last": np.array([-1]),
    }
    nodes = [
        node("ReduceMean", ["x", "last"], ["mu"]),
        node("Sub", ["x", "mu"], ["c"]) if mean else node("Identity", ["x"], ["c"]),
        node("Pow", ["c", "two"], ["p"]),
        node("ReduceMean", ["p", "last"], ["v"]),
        node("Add", ["v", "small"], ["e"]),
        node("Sqrt", ["e"], ["r"]),
        node("Div", ["c", "r"], ["n"]),
        node("Mul", ["n", "scale"], ["m"]),
        node("Add", ["m", "bias"], ["y"]),
    ]
    return graph_of(nodes, weights, 23)


GRAPHS: dict[str, Callable[[], onnx.ModelProto]] = {
    **{f"attention {opset}": partial(attention, opset) for opset in (13, 17, 20)},
    "gelu": gelu,
    "layer norm": lambda: norm(True),
    "rms norm": lambda: norm(False),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_is_fused_into_other_operators(name: str) -> None:
    model = constants(GRAPHS[name]())
    simplified = simplify(model)
    before = Counter(node.op_type for node in model.graph.node)
    after = Counter(node.op_type for node in simplified.graph.node)
    assert not after - before - Counter(Constant=9)
    assert {node.domain for node in simplified.graph.node} <= {""}
    expected = run_onnx(model, {"x": X}, optimise=False)["y"]
    np.testing.assert_allclose(
        run_onnx(simplified, {"x": X}, optimise=False)["y"], expected, atol=1e-5
    )


def test_all_that_onnxsim_lists_is_allowed_or_left_out() -> None:
    skipped = skipped_optimizers()
    core = onnxsim.onnx_simplifier.C
    listed = set(core._list_optimizers()) if hasattr(core, "_list_optimizers") else set()
    assert not listed - ALLOWED - set(skipped)
    assert not ALLOWED & set(skipped)
    assert not ALLOWED & KNOWN


def fusing(added: str, only_when_optimising: bool) -> Callable[..., Any]:
    """An onnxsim of tomorrow, which puts in an operator whatever it is told to leave out."""

    def simplify_(
        model: onnx.ModelProto, perform_optimization: bool = True, **_: Any
    ) -> tuple[onnx.ModelProto, bool]:
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        if perform_optimization or not only_when_optimising:
            changed.graph.node[-1].op_type = added
            changed.graph.node[-1].domain = "com.example"
        return changed, True

    return simplify_


def test_a_release_that_fuses_all_the_same_only_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxsim, "simplify", fusing("Fused", True))
    assert new_operators(gelu(), simplify(gelu())) == []


def test_a_release_that_cannot_be_kept_from_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxsim, "simplify", fusing("Fused", False))
    with pytest.raises(ExportError, match=r"pass 'simplify' put in com\.example::Fused"):
        simplify(gelu())
