"""Operators that are rewritten before coremltools sees them: gone, and the values stay."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.exporter.coreml.decompositions import DECOMPOSITIONS
from sam2lite.exporter.coreml.quiet import quiet


class Applied(nn.Module):
    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs)


def exported(function: Callable[..., Tensor], *inputs: Tensor) -> torch.export.ExportedProgram:
    with quiet():
        program = torch.export.export(Applied(function), inputs)
        return program.run_decompositions(DECOMPOSITIONS)


def rewritten(function: Callable[..., Tensor], *inputs: Tensor) -> tuple[set[str], Tensor]:
    """Return the operators of a rewritten function, and what it gives."""
    program = exported(function, *inputs)
    names = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    with quiet():
        result: Tensor = program.module()(*inputs)
    return names, result


@pytest.mark.parametrize("shape", [(5,), (1, 9), (2, 3)])
def test_rows_of_a_small_table_are_taken_by_a_product(shape: tuple[int, ...]) -> None:
    table, index = torch.randn(7, 12), torch.randint(0, 7, shape)
    names, found = rewritten(lambda table, index: table[index], table, index)
    assert not any("index" in name for name in names)
    assert torch.equal(found, table[index])


@pytest.mark.parametrize(
    "table", [torch.randn(17, 3), torch.randn(4, 3, 2), torch.arange(12).reshape(4, 3)]
)
def test_other_tables_are_gathered_from(table: Tensor) -> None:
    index = torch.tensor([0, 3, 3])
    names, found = rewritten(lambda table, index: table[index], table, index)
    assert "aten.index.Tensor" in names
    assert torch.equal(found, table[index])


def test_columns_and_masks_are_taken_as_before() -> None:
    table, index = torch.randn(4, 3), torch.tensor([0, 2])
    _, found = rewritten(lambda table, index: table[:, index], table, index)
    assert torch.equal(found, table[:, index])
    flags = torch.tensor([True, False, True])
    found = DECOMPOSITIONS[torch.ops.aten.index.Tensor](table[:3], [flags])
    assert found is NotImplemented


@pytest.mark.parametrize("row", [0, 2, 4, -1])
@pytest.mark.parametrize("columns", [False, True])
def test_a_replaced_row_is_joined_to_the_others(row: int, columns: bool) -> None:
    def replaced(x: Tensor) -> Tensor:
        y = 2.0 * x
        if columns:
            y[:, row] = x[:, 0]
        else:
            y[row] = 0.0
        return y

    x = torch.randn(5, 5)
    names, found = rewritten(replaced, x)
    assert not any("scatter" in name for name in names)
    assert torch.equal(found, replaced(x))


@pytest.mark.parametrize(("kernel", "stride"), [(2, None), ((2, 3), None), (3, 2)])
def test_a_pool_says_its_stride(kernel: int | tuple[int, int], stride: int | None) -> None:
    x = torch.randn(1, 2, 8, 9)
    program = exported(lambda x: F.max_pool2d(x, kernel, stride), x)
    (pool,) = [node for node in program.graph.nodes if "max_pool2d" in str(node.target)]
    assert len(pool.args) >= 3
    with quiet():
        found = program.module()(x)
    assert torch.equal(found, F.max_pool2d(x, kernel, stride))
