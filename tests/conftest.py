"""Bundles that many tests need, exported once per session."""

from pathlib import Path

import pytest

from sam2lite.exporter.bundle_writer import write_ort_bundle
from sam2lite.models.checkpoint import LoadedModel, resolve_model
from sam2lite.targets.registry import host_target

RUNGS = (240, 336, 480)


@pytest.fixture(scope="session")
def tiny_model() -> LoadedModel:
    """Tiny with random weights; its object score is near 1, so every object is present."""
    return resolve_model("tiny", seed=0)


@pytest.fixture(scope="session")
def shipped_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A verified FP32 bundle of the weights that come with the package, at 240 px alone."""
    path = tmp_path_factory.mktemp("bundles") / "shipped"
    write_ort_bundle(resolve_model("tiny"), host_target(), path, rungs=RUNGS[:1])
    return path


@pytest.fixture(scope="session")
def tiny_bundle(tiny_model: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A verified FP32 bundle of `tiny_model` for this machine."""
    path = tmp_path_factory.mktemp("bundles") / "tiny"
    write_ort_bundle(tiny_model, host_target(), path, rungs=RUNGS)
    return path
