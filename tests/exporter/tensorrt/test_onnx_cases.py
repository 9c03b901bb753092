"""A small part of what `checks/lower_onnx_cases.py` does with all of ONNX's own test models."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).parents[3] / "checks" / "lower_onnx_cases.py"
# Of every kind: rewritten, refused for its type, its form, its operator or its domain, and plain.
NAMES = (
    "test_gelu_default_1",
    "test_layer_normalization_4d_axis3",
    "test_top_k_uint64",
    "test_matmul_4d",
    "test_wrap_pad",
    "test_nonzero_example",
    "test_momentum",
    "test_if_seq",
    "test_mod_int64_fmod",
    "test_bitwise_and_i32_2d",
    "test_einsum_batch_matmul",
    "test_adam",
)


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lower_onnx_cases", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["lower_onnx_cases"] = module
    spec.loader.exec_module(module)
    return module


def test_models_of_onnx_itself(check: ModuleType) -> None:
    found = {case.name: case for case in check.cases() if case.name in NAMES}
    assert set(found) == set(NAMES)
    verdicts = {name: check.attempt(case, "8.2.1") for name, case in found.items()}
    assert {name for name, v in verdicts.items() if v not in check.FINE} == set()
    assert verdicts["test_gelu_default_1"] == verdicts["test_matmul_4d"] == check.ACCEPTED
    assert verdicts["test_wrap_pad"] == verdicts["test_momentum"] == check.FINDINGS
