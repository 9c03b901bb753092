from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from sam2lite.models.sam2lite.network import Sam2Lite, build
from tests.conftest import MINI
from tests.mil.conversion import converted, saved

Packages = Callable[..., Path]


@pytest.fixture(scope="package")
def network() -> Sam2Lite:
    return build(MINI, seed=3).eval()


@pytest.fixture(scope="package")
def packages(network: Sam2Lite, tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """Return a maker of packages of the mini network's graphs; each is made once."""
    folder = tmp_path_factory.mktemp("packages")

    @cache
    def package(
        graph: str, precision: str = "float16", target: str = "iOS17", rung: int = 240
    ) -> Path:
        model = converted(network, graph, rung, target, precision)
        return saved(model, folder / f"{graph}_{precision}_{target}_{rung}.mlpackage")

    return package
