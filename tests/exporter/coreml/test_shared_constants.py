"""Equal constants of a package, stored once: the same results from a shorter program."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.exporter.coreml.convert import convert
from sam2lite.exporter.coreml.shared_constants import share_constants
from sam2lite.mil.archive import operations, read_specification, write_specification
from sam2lite.mil.package import load_package
from sam2lite.targets.registry import get_target

SPEC = GraphSpec(
    "example",
    (TensorSpec("x_bnc", "float32", (1, 6, 8)),),
    (TensorSpec("y_bnc", "float32", (1, 6, 8)),),
)


class SameNumbers(nn.Module):
    """Two of each: axes, an FP32 number that is an FP16 one as well, and a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6)

    def forward(self, x_bnc: Tensor) -> Tensor:
        for _ in range(2):
            x_bnc = self.linear(x_bnc.transpose(1, 2)).transpose(1, 2) * 0.5
        return x_bnc


@pytest.fixture
def package(tmp_path: Path) -> Path:
    target = get_target("ios17").coreml
    assert target is not None
    converted = convert(SameNumbers().eval().requires_grad_(False), SPEC, target)
    converted.model.save(str(tmp_path / "example.mlpackage"))
    return tmp_path / "example.mlpackage"


def constants(specification: Any) -> list[bytes]:
    """What every constant of the only function is: its type and value."""
    (function,) = specification.mlProgram.functions.values()
    return [
        operation.attributes["val"].SerializeToString(deterministic=True)
        for operation in operations(function)
        if operation.type == "const"
    ]


def test_every_constant_is_there_once_and_nothing_changes(package: Path) -> None:
    inputs = {"x_bnc": np.random.default_rng(0).standard_normal((1, 6, 8)).astype(np.float32)}
    before = load_package(package).function().run(inputs)
    specification = read_specification(package)
    found = constants(specification)
    assert len(set(found)) < len(found)

    share_constants(specification)
    assert sorted(constants(specification)) == sorted(set(found))
    write_specification(specification, package)
    after = load_package(package).function()
    assert len(after.program.steps) > 4
    np.testing.assert_array_equal(after.run(inputs)["y_bnc"], before["y_bnc"])


def test_a_constant_that_is_given_out_keeps_its_name(package: Path) -> None:
    specification = read_specification(package)
    (function,) = specification.mlProgram.functions.values()
    block = function.block_specializations[function.opset]
    twins: dict[bytes, list[str]] = {}
    for operation in block.operations:
        if operation.type == "const":
            value = operation.attributes["val"].SerializeToString(deterministic=True)
            twins.setdefault(value, []).append(operation.outputs[0].name)
    given = next(names[1] for names in twins.values() if len(names) > 1)
    block.outputs.append(given)

    share_constants(specification)
    assert given in {operation.outputs[0].name for operation in operations(function)}
