import pytest
import torch

from sam2lite.contracts import loop
from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import ArgumentError, ExportError
from sam2lite.exporter.onnx.trace import example_inputs, opset_of, trace
from sam2lite.models.sam2lite.network import Sam2Lite
from tests.exporter.conftest import Specs

NAMES = [spec.name for spec in FAMILY.graphs]


@pytest.mark.parametrize("opset", [13, 17, 18])
@pytest.mark.parametrize("name", NAMES)
def test_opset_is_the_one_asked_for_and_tensors_have_their_names(
    fused: Sam2Lite, bound: Specs, name: str, opset: int
) -> None:
    spec = bound(name, 240)
    model = trace(getattr(fused, name), spec, opset)
    assert opset_of(model) == opset
    assert [value.name for value in model.graph.input] == spec.input_names
    assert [value.name for value in model.graph.output] == spec.output_names


@pytest.mark.parametrize("name", NAMES)
def test_node_names_are_module_paths_that_do_not_depend_on_the_opset(
    fused: Sam2Lite, bound: Specs, name: str
) -> None:
    """Calibration finds tensors by these names. Only what LayerNorm is made of may differ."""

    def names(opset: int) -> set[str]:
        model = trace(getattr(fused, name), bound(name, 240), opset)
        return {
            node.name
            for node in model.graph.node
            if node.op_type not in ("Constant", "Identity") and "/norm" not in node.name
        }

    found = names(17)
    assert found == names(13) == names(18)
    assert all(name.startswith("/") for name in found)
    if name == "mask_decoder":
        assert "/layers.0/image_out/MatMul" in found


@pytest.mark.parametrize("opset", [12, 99])
def test_unsupported_opset_is_refused(fused: Sam2Lite, bound: Specs, opset: int) -> None:
    with pytest.raises(ArgumentError, match=f"opset {opset} is not supported"):
        trace(fused.memory_select, bound("memory_select", 240), opset)


def test_untraceable_module_is_an_export_error() -> None:
    class Median(torch.nn.Module):
        def forward(self, x_bn: torch.Tensor) -> torch.Tensor:
            return torch.histc(x_bn)

    spec = GraphSpec("median", (TensorSpec("x_bn", "float32", (1, 4)),), ())
    with pytest.raises(ExportError, match="tracing median at opset 17 failed"):
        trace(Median(), spec, 17)


def test_example_inputs_follow_the_seed(bound: Specs) -> None:
    spec = bound("mask_decoder", 240)
    first, again, other = (example_inputs(spec, seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_example_inputs_fit_the_spec_and_lie_where_inputs_lie(bound: Specs) -> None:
    for name in NAMES:
        spec = bound(name, 240)
        for tensor, x in zip(spec.inputs, example_inputs(spec), strict=True):
            assert tuple(x.shape) == tensor.shape
            assert str(x.dtype) == f"torch.{tensor.dtype}"
            if "bias" in tensor.name:
                assert set(x.unique().tolist()) == {0.0, loop.MASKED_BIAS}
            if "norm" in tensor.name:
                assert x.min() >= 0.0
                assert x.max() <= 1.0
