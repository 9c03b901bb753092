"""A backend from outside runs the frame loop, and nothing of the package is touched for it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sam2lite.contracts import backends
from sam2lite.contracts.backends import Backend, get_backend, register_backend
from sam2lite.errors import ArgumentError, BundleError, SessionError
from sam2lite.runtimes.backends.adapter import adapter_of
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.presence import always_present
from sam2lite.runtimes.segmenter import VideoSegmenter
from tests.doubles.reference_adapter import BACKEND

FRAMES = np.random.default_rng(5).integers(0, 256, (3, 60, 80, 3), dtype=np.uint8)


@pytest.fixture
def reference() -> Iterator[Backend]:
    register_backend(BACKEND)
    yield BACKEND
    backends._BACKENDS.pop(BACKEND.name)


@pytest.fixture
def bundle(mini_bundle: Path, tmp_path: Path) -> Path:
    """A copy of a bundle for ONNX Runtime, its manifest that of the other backend."""
    path = tmp_path / "bundle"
    shutil.copytree(mini_bundle, path)
    manifest = path / "manifest.json"
    data = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(dict(data, backend="reference")))
    return path


def masks(bundle: Path) -> list[np.ndarray]:
    with VideoSegmenter(always_present(open_bundle(str(bundle)))) as segmenter:
        segmenter.prompt(FRAMES[0], points=[(40, 30)])
        return [segmenter.track(frame).objects[1].mask for frame in FRAMES]


@pytest.mark.usefixtures("reference")
def test_a_registered_backend_tracks(bundle: Path, mini_bundle: Path) -> None:
    opened = open_bundle(str(bundle))
    assert opened.backend == "reference"
    opened.share_threads(2)  # it has no pool to share
    for mine, wanted in zip(masks(bundle), masks(mini_bundle), strict=True):
        assert 0 < wanted.mean() < 1
        assert (mine != wanted).mean() < 1e-3


@pytest.mark.usefixtures("reference")
def test_others_do_not_run_its_bundles(bundle: Path) -> None:
    with pytest.raises(ArgumentError, match="can be run by reference"):
        open_bundle(str(bundle), "ort")


def test_without_it_the_bundle_is_refused(bundle: Path) -> None:
    with pytest.raises(
        BundleError, match="'reference'; this version runs coreml and openvino and ort and trt"
    ):
        open_bundle(str(bundle))


def test_graphs_alone_have_no_adapter() -> None:
    assert get_backend("onnx").adapter is None
    with pytest.raises(SessionError, match="nothing here runs bundles of the backend 'onnx'"):
        adapter_of("onnx")
