"""The defects of coremltools that `exact_passes` is for; when one is mended, its test says so."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2lite.mil.exact_passes import exact_passes
from sam2lite.mil.package import load_package
from tests.mil.conversion import ct, saved

from coremltools.converters.mil.mil import Builder  # isort: skip

X_BCHW = np.linspace(-2.0, 2.0, 32, dtype=np.float32).reshape(1, 2, 4, 4)
C = np.array([3.0, 5.0], np.float32).reshape(1, 2, 1, 1)
KERNEL = np.eye(2, dtype=np.float32).reshape(2, 2, 1, 1)


def shared_constant(x: Any) -> Any:
    """`c + (conv(x) - c)`, which is x."""
    c = Builder.const(val=C.copy())
    difference = Builder.sub(x=Builder.conv(x=x, weight=KERNEL), y=c)
    return Builder.add(x=c, y=Builder.relu(x=difference), name="y")


def scaled(x: Any) -> Any:
    """`c x + c`."""
    return Builder.add(x=Builder.mul(x=x, y=C), y=C, name="y")


def computed(
    build: Callable[[Any], Any], how: AbstractContextManager[Any], path: Path
) -> np.ndarray:
    program = Builder.program(
        input_specs=[Builder.TensorSpec(X_BCHW.shape)], opset_version=ct.target.iOS17
    )(lambda x: build(x))
    with how:
        model = ct.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=ct.precision.FLOAT32,
            skip_model_load=True,
        )
    return load_package(saved(model, path)).function().run({"x": X_BCHW}, "fp32")["y"]


CASES = [(shared_constant, C + np.maximum(X_BCHW - C, 0.0)), (scaled, C * X_BCHW + C)]


@pytest.mark.parametrize(("build", "expected"), CASES)
def test_the_result_is_exact_with_and_not_without(
    tmp_path: Path, build: Callable[[Any], Any], expected: np.ndarray
) -> None:
    exact = computed(build, exact_passes(), tmp_path / "exact.mlpackage")
    np.testing.assert_array_equal(exact, expected)
    default = computed(build, nullcontext(), tmp_path / "default.mlpackage")
    assert not np.array_equal(default, expected), "coremltools is mended: drop the pass"
