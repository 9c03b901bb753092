"""Large attention becomes ONNX Runtime's own operator, and the values stay what they were."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import VerificationError
from sam2lite.exporter.onnx.passes.closing import close
from sam2lite.exporter.onnx.passes.constants import constants
from sam2lite.exporter.onnx.passes.graph_pass import GraphPass
from sam2lite.exporter.onnx.passes.rows import rows
from sam2lite.exporter.onnx.passes.simplify import simplify
from sam2lite.exporter.onnx.trace import trace
from sam2lite.exporter.ort.own_operators import ORT_DOMAIN
from sam2lite.exporter.ort.passes.attention import attention
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE, run_onnx

KEYS = 1100
FLASH = "MultiHeadAttention"


class Rows(nn.Module):
    """One head, some queries at a time, with what is added to every key's score."""

    def __init__(self, parts: int = 1, biased: bool = True) -> None:
        super().__init__()
        self.parts, self.biased = parts, biased

    def forward(self, query_nc: Tensor, key_kc: Tensor, bias_k: Tensor) -> Tensor:
        """Return `[N, 5]`, of the first channels of keys."""
        value_kc = key_kc[:, :5] * 2.0
        bias = bias_k + 0.0 if self.biased else None
        seen = [
            torch.softmax(nn.functional.linear(part, key_kc * 1.5, bias), dim=-1) @ value_kc
            for part in torch.split(query_nc * 0.5, query_nc.shape[0] // self.parts)
        ]
        return torch.cat(seen) * 3.0 + (0.0 if self.biased else bias_k[:5])


class Heads(nn.Module):
    """Two heads, whose channels stand one after the other in a token."""

    def forward(self, query_nc: Tensor, key_kc: Tensor, bias_k: Tensor) -> Tensor:
        """Return `[N, 16]`."""
        query, key, value = (
            (x * scale).reshape(1, -1, 2, 8).transpose(1, 2)
            for x, scale in ((query_nc, 0.3), (key_kc, 1.1), (key_kc + bias_k[:1], 2.0))
        )
        seen = torch.softmax(query @ key.transpose(2, 3), dim=-1) @ value
        return seen.transpose(1, 2).reshape(-1, 16) * 3.0


class QueryBias(Rows):
    """What is added differs from query to query: no channel of a key can say it."""

    def forward(self, query_nc: Tensor, key_kc: Tensor, bias_k: Tensor) -> Tensor:
        """Return `[N, 16]`."""
        scores = query_nc @ key_kc.T + bias_k[: query_nc.shape[0], None] * bias_k
        return torch.softmax(scores, dim=-1) @ key_kc


class LookedAt(Rows):
    """The weights of keys are a result as well."""

    def forward(self, query_nc: Tensor, key_kc: Tensor, bias_k: Tensor) -> Tensor:
        """Return `[N, 16]`."""
        weights = torch.softmax(nn.functional.linear(query_nc, key_kc, bias_k + 0.0), dim=-1)
        return weights @ key_kc + weights.sum(1, keepdim=True)


class Crossed(Rows):
    """Parts of the queries come back in another order."""

    def forward(self, query_nc: Tensor, key_kc: Tensor, bias_k: Tensor) -> Tensor:
        """Return `[N, 16]`."""
        first, second = (
            torch.softmax(nn.functional.linear(part, key_kc, bias_k + 0.0), dim=-1) @ key_kc
            for part in torch.split(query_nc * 0.5, query_nc.shape[0] // 2)
        )
        return torch.cat([second, first]) * 2.0


def traced(module: nn.Module, queries: int, keys: int = KEYS) -> tuple[onnx.ModelProto, GraphSpec]:
    shapes = {"query_nc": (queries, 16), "key_kc": (keys, 16), "bias_k": (keys,)}
    given = tuple(TensorSpec(name, "float32", shape) for name, shape in shapes.items())
    made = module(*(torch.zeros(shape) for shape in shapes.values()))
    spec = GraphSpec("g", given, (TensorSpec("y", "float32", tuple(made.shape)),))
    return rows(simplify(constants(trace(module, spec, 17)))), spec


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def feeds_of(spec: GraphSpec) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    feeds = {
        tensor.name: rng.normal(size=[int(side) for side in tensor.shape]).astype(np.float32)
        for tensor in spec.inputs
    }
    feeds["bias_k"][: KEYS // 3] = -1e4  # a whole block of keys is not seen
    return feeds


@pytest.mark.parametrize(
    ("module", "queries"),
    [
        (Rows(), 1000),
        (Rows(biased=False), 1000),
        (Rows(parts=4), 1000),
        (Rows(parts=3), 1000),  # the last part is of one query
        (Heads(), 1000),
    ],
)
def test_values_stay_and_scores_are_never_whole(module: nn.Module, queries: int) -> None:
    model, spec = traced(module, queries)
    feeds = feeds_of(spec)
    expected = run_onnx(model, feeds)["y"]
    changed = attention(model)
    assert operators(changed).count(FLASH) == 1
    assert "Softmax" not in operators(changed)
    assert [entry.version for entry in changed.opset_import if entry.domain == ORT_DOMAIN] == [1]
    for optimise in (True, False):
        actual = run_onnx(changed, feeds, optimise=optimise)["y"]
        np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("module", [QueryBias(), LookedAt()])
def test_other_forms_are_left_alone(module: nn.Module) -> None:
    model, _ = traced(module, 1000)
    before = model.SerializeToString(deterministic=True)
    assert attention(model).SerializeToString(deterministic=True) == before


def test_parts_in_another_order_are_not_taken_together() -> None:
    model, spec = traced(Crossed(), 2000)
    expected = run_onnx(model, feeds_of(spec))["y"]
    changed = attention(model)
    assert operators(changed).count(FLASH) == 2
    actual = run_onnx(changed, feeds_of(spec))["y"]
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max())


def test_small_attention_stays_as_it_is() -> None:
    model, _ = traced(Rows(), 900)
    assert FLASH not in operators(attention(model))


def test_closing_reports_what_changed_and_refuses_what_is_wrong() -> None:
    model, spec = traced(Rows(), 1000)
    model, reports = close(model, spec, [GraphPass("attention", attention)])
    assert [report.name for report in reports] == ["attention"]
    assert 0 < reports[0].relative < 1e-5
    assert close(model, spec, [GraphPass("attention", attention)])[1] == []


def test_codes_that_rounding_turns_are_no_fault_of_a_pass() -> None:
    """A picture has no last bit that could show how little turns a code into the next one."""
    rng = np.random.default_rng(3)
    wide = 2048  # so that some of two million sums lie between two codes
    constants: dict[str, np.ndarray] = {
        "scale": np.array(0.02, np.float32),
        "middle": np.array(128, np.uint8),
        "weight": rng.normal(scale=0.2, size=(16, wide)).astype(np.float32),
        "step": np.array(0.025, np.float32),
    }
    model = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("DequantizeLinear", ["x", "scale", "middle"], ["floats"]),
                helper.make_node("MatMul", ["floats", "weight"], ["sums"]),
                helper.make_node("QuantizeLinear", ["sums", "step", "middle"], ["codes"]),
                helper.make_node("DequantizeLinear", ["codes", "step", "middle"], ["y"]),
            ],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.UINT8, [1000, 16])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1000, wide])],
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    spec = GraphSpec(
        "g", (TensorSpec("x", "uint8", (1000, 16)),), (TensorSpec("y", "float32", (1000, wide)),)
    )

    def scaled(by: float) -> GraphPass:
        def apply(given: onnx.ModelProto) -> onnx.ModelProto:
            tensor = given.graph.initializer[2]
            array = numpy_helper.to_array(tensor) * np.float32(by)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
            return given

        return GraphPass("scaled", apply)

    model, (report,) = close(model, spec, [scaled(1 + 2.0**-21)])
    assert report.relative > GRAPH_TOLERANCE  # a code of the 256 is more than any rounding
    with pytest.raises(VerificationError, match="the pass 'scaled' changed y"):
        close(model, spec, [scaled(1.1)])
