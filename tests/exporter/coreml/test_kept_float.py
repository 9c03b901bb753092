"""Layers that stay in FP16: the fewest with which every output holds a bound."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import VerificationError
from sam2lite.exporter.coreml.compress import PRECISIONS
from sam2lite.exporter.coreml.convert import Converted, convert
from sam2lite.exporter.coreml.kept_float import within_bound
from sam2lite.exporter.coreml.verify import GraphReport
from sam2lite.exporter.onnx.trace import example_inputs, feeds_of
from sam2lite.exporter.verify.parity import ErrorStatistics, calls_parity
from sam2lite.mil.inventory import FunctionInventory, read_inventory
from sam2lite.mil.package import load_package
from sam2lite.targets.registry import get_target

SPEC = GraphSpec(
    "example",
    (TensorSpec("x_bnc", "float32", (1, 10, 80)),),
    (TensorSpec("y_bnc", "float32", (1, 10, 80)),),
)
CALLS = [feeds_of(SPEC, example_inputs(SPEC, seed)) for seed in range(2)]
LAYERS, BAD = 8, 5
NOTHING: Mapping[str, str] = MappingProxyType({})


class Chain(nn.Module):
    """Linear layers, one of which has numbers beside which INT8 knows no others."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        layers = [nn.Linear(80, 80, bias=False) for _ in range(LAYERS)]
        for layer in layers:
            nn.init.normal_(layer.weight, std=80**-0.5, generator=generator)
        with torch.no_grad():
            layers[BAD - 1].weight[0] *= 1e-3
            layers[BAD].weight[:, 0] = 10.0
        self.layers = nn.Sequential(*layers)

    def forward(self, x_bnc: Tensor) -> tuple[Tensor]:
        return (self.layers(x_bnc),)


@pytest.fixture(scope="module")
def module() -> Chain:
    return Chain().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def converted(module: Chain) -> Converted:
    target = get_target("ios18").coreml
    assert target is not None
    return convert(module, SPEC, target)


def bounded(
    converted: Converted, module: Chain, bound_db: float, known: Mapping[str, str] = NOTHING
) -> tuple[dict[str, str], float, int]:
    """Return what is kept, the worst output's SQNR, and how many layers are in INT8."""
    model, kept = within_bound(converted, PRECISIONS["int8"], bound_db, module, SPEC, CALLS, known)
    return kept, worst(model, module), compressed_layers(model)


def worst(model: Any, module: Chain) -> float:
    run = load_package(Path(model.package_path)).function().run
    parity = calls_parity(module, lambda feeds: run(feeds), SPEC, CALLS)
    return parity["y_bnc"].sqnr_db


def compressed_layers(model: Any) -> int:
    inventory = read_inventory(Path(model.package_path))["main"]
    return inventory.ops["constexpr_blockwise_shift_scale"]


def test_the_layer_that_loses_most_is_kept(converted: Converted, module: Chain) -> None:
    none, without, every = bounded(converted, module, 5.0)
    assert (none, every) == ({}, LAYERS)
    kept, found, others = bounded(converted, module, without + 6.0)
    assert found >= without + 6.0
    assert others == LAYERS - 1
    ((name, reason),) = kept.items()
    assert reason == "among the 1 most sensitive layers"
    steps = load_package(Path(converted.model.package_path)).function().program.steps
    linear = [step.outputs[0].name for step in steps if step.op == "linear"]
    assert linear.index(name) == BAD
    # A graph with the same weights begins with what the one before has kept.
    again, _, also = bounded(converted, module, 5.0, kept)
    assert (again, also) == (kept, LAYERS - 1)


def test_a_bound_beyond_reach_gives_the_best_and_is_refused(
    converted: Converted, module: Chain
) -> None:
    kept, found, others = bounded(converted, module, 200.0)
    assert (len(kept), others) == (LAYERS // 4, LAYERS - LAYERS // 4)
    error = {"y_bnc": ErrorStatistics(1.0, 1.0, found)}
    report = GraphReport(error, error, FunctionInventory({}, 0, 0), 0)
    with pytest.raises(VerificationError, match="with the 2 most sensitive layers in FP16; 200 dB"):
        report.check(200.0, "example", len(kept))
    with pytest.raises(VerificationError, match="by simulation in FP16; 200 dB"):
        report.check(200.0, "example")
