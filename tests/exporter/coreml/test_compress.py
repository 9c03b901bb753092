"""Compressed graphs: what stands in the package, and that more bits are nearer to PyTorch."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import ExportError, UnknownNameError
from sam2lite.exporter.coreml.backend import EXPORTER
from sam2lite.exporter.coreml.compress import PRECISIONS, compress
from sam2lite.exporter.coreml.convert import convert
from sam2lite.exporter.coreml.palette import palette
from sam2lite.exporter.onnx.trace import example_inputs, feeds_of
from sam2lite.exporter.recipe import Recipe
from sam2lite.exporter.verify.parity import module_parity
from sam2lite.mil.inventory import read_inventory
from sam2lite.mil.package import load_package
from sam2lite.targets.registry import get_target

SPEC = GraphSpec(
    "example",
    (TensorSpec("x_bchw", "float32", (1, 32, 6, 6)),),
    (TensorSpec("y_bnc", "float32", (1, 36, 64)),),
)
OPERATORS = {
    "fp16": set(),
    "int8": {"constexpr_blockwise_shift_scale"},
    "w8a8": {"constexpr_blockwise_shift_scale", "quantize", "dequantize"},
    "int4": {"constexpr_blockwise_shift_scale"},
    "palette6": {"constexpr_lut_to_dense"},
    "palette4": {"constexpr_lut_to_dense"},
}


class Small(nn.Module):
    """A convolution, a table that is added, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv = nn.Conv2d(32, 48, 3, padding=1)
        self.linear = nn.Linear(48, 64)
        self.table = nn.Parameter(torch.randn(1, 48, 6, 6, generator=generator))
        for part in (self.conv, self.linear):
            nn.init.normal_(part.weight, std=0.1, generator=generator)

    def forward(self, x_bchw: Tensor) -> tuple[Tensor]:
        hidden = torch.relu(self.conv(x_bchw) + self.table)
        return (self.linear(hidden.flatten(2).transpose(1, 2)),)


@pytest.fixture(scope="module")
def worst_db(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """SQNR in every precision, dB, checked to be what the package is made of."""
    module = Small().eval().requires_grad_(False)
    calls = [feeds_of(SPEC, example_inputs(SPEC, seed)) for seed in range(3)]
    found = {}
    for name in PRECISIONS:
        target = get_target("ios18").coreml
        assert target is not None
        # W8A8 quantizes activations of the graph that takes an image.
        converted = dataclasses.replace(convert(module, SPEC, target), takes_image=True)
        model = compress(converted, PRECISIONS[name], calls, "example")
        package = Path(model.package_path)
        ops = set(read_inventory(package)["main"].ops)
        assert ops & set().union(*OPERATORS.values()) == OPERATORS[name], name
        run = load_package(package).function().run
        parity = module_parity(module, lambda feeds, run=run: run(feeds), SPEC)  # type: ignore[misc]
        found[name] = parity["y_bnc"].sqnr_db
    return found


def test_more_bits_are_nearer(worst_db: dict[str, float]) -> None:
    assert worst_db["fp16"] > worst_db["int8"] > worst_db["w8a8"] > worst_db["int4"]
    assert worst_db["int8"] > worst_db["palette6"] > worst_db["palette4"]


@pytest.mark.parametrize("name", [n for n, p in PRECISIONS.items() if p.least_sqnr_db])
def test_what_is_promised_is_kept(worst_db: dict[str, float], name: str) -> None:
    assert worst_db[name] >= (PRECISIONS[name].least_sqnr_db or 0.0)


class SharedZeros(nn.Module):
    """A layer whose bias is a layer norm's, too, once equal constants are stored once."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(128)
        self.linear = nn.Linear(128, 128)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x_bnc: Tensor) -> tuple[Tensor]:
        return (self.linear(self.norm(x_bnc)),)


@pytest.mark.parametrize("name", ["int8", "int4", "palette6"])
def test_a_constant_that_others_use_is_no_hindrance(name: str) -> None:
    spec = GraphSpec(
        "example",
        (TensorSpec("x_bnc", "float32", (1, 6, 128)),),
        (TensorSpec("y_bnc", "float32", (1, 6, 128)),),
    )
    target = get_target("ios18").coreml
    assert target is not None
    module = SharedZeros().eval().requires_grad_(False)
    model = compress(convert(module, spec, target), PRECISIONS[name], [], "example")
    ops = read_inventory(Path(model.package_path))["main"].ops
    assert sum(count for op, count in ops.items() if op.startswith("constexpr_")) == 1


class Table(nn.Module):
    """A table that is added, as positions are."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.rand(1, 48, 128))

    def forward(self, x_bnc: Tensor) -> tuple[Tensor]:
        return (x_bnc + self.table,)


@pytest.mark.parametrize(
    ("name", "reason", "compressed"),
    [("int8", "", 1), ("int8", "overflow: x", 1), ("int8", "coordinates", 0), ("int4", "", 0)],
)
def test_tables_are_compressed_unless_they_are_coordinates(
    name: str, reason: str, compressed: int
) -> None:
    spec = GraphSpec(
        "example",
        (TensorSpec("x_bnc", "float32", (1, 48, 128)),),
        (TensorSpec("y_bnc", "float32", (1, 48, 128)),),
    )
    target = get_target("ios18").coreml
    assert target is not None
    converted = convert(Table().eval().requires_grad_(False), spec, target)
    function = load_package(Path(converted.model.package_path)).function()
    (added,) = (step.outputs[0].name for step in function.program.steps if step.op == "add")
    pinned = {added: reason} if reason else {}
    model = compress(dataclasses.replace(converted, pinned=pinned), PRECISIONS[name], [], "example")
    ops = read_inventory(Path(model.package_path))["main"].ops
    assert sum(count for op, count in ops.items() if op.startswith("constexpr_")) == compressed


def test_a_palette_has_the_least_error_of_its_size() -> None:
    weight = np.random.default_rng(0).standard_normal((40, 50)).astype(np.float16)
    table, indices = palette(weight, 16)
    assert table.dtype == np.float16
    error = np.square(table[indices] - weight.ravel().astype(np.float64)).mean()
    # Of a normal distribution in 16 levels: Max, Quantizing for minimum distortion, 1960, table I.
    assert error == pytest.approx(0.009497, rel=0.15)
    again = palette(weight, 16)
    np.testing.assert_array_equal(again[0], table)


def test_a_weight_of_few_values_is_its_own_palette() -> None:
    weight = np.array([[0.0, 1.0, 0.0], [-2.0, 1.0, 1.0]], np.float16)
    table, indices = palette(weight, 64)
    np.testing.assert_array_equal(table[indices].reshape(weight.shape), weight)


def test_unknown_precision_lists_the_known_ones() -> None:
    target = get_target("ios16").coreml
    assert target is not None
    converted = convert(Small().eval().requires_grad_(False), SPEC, target)
    with pytest.raises(UnknownNameError, match="fp16, int8, w8a8"):
        EXPORTER.choose(Recipe(backend="coreml", precision="int2"), get_target("ios16"))
    with pytest.raises(ExportError, match=r"cannot make example int4: .*iOS18"):
        compress(converted, PRECISIONS["int4"], [], "example")
