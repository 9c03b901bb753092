"""Bundles from before there were families open, and give what they gave."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sam2lite.contracts.manifest import loads
from sam2lite.errors import BundleError
from sam2lite.files.file_hash import file_sha256
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.presence import always_present
from sam2lite.runtimes.segmenter import VideoSegmenter

OLD = Path(__file__).parent / "data" / "manifest_schema_1.json"
FRAMES = np.random.default_rng(5).integers(0, 256, (4, 60, 80, 3), dtype=np.uint8)


@pytest.fixture
def old_bundle(mini_bundle: Path, tmp_path: Path) -> Path:
    """The manifest that was written then, beside graphs of the same network as they are now."""
    path = tmp_path / "old"
    shutil.copytree(mini_bundle, path)
    data = json.loads(OLD.read_text())
    for name in data["files"]:
        file = path / name
        data["files"][name] = {"sha256": file_sha256(str(file)), "bytes": file.stat().st_size}
    (path / "manifest.json").write_text(json.dumps(data))
    return path


def results(bundle: Path) -> list[tuple[np.ndarray, float]]:
    with VideoSegmenter(always_present(open_bundle(str(bundle)))) as segmenter:
        segmenter.prompt(FRAMES[0], points=[(40, 30)])
        tracked = [segmenter.track(frame).objects[1] for frame in FRAMES]
    return [(result.mask, result.iou) for result in tracked]


def test_an_old_bundle_tracks_as_the_new_one(old_bundle: Path, mini_bundle: Path) -> None:
    for (mask, iou), (wanted, wanted_iou) in zip(
        results(old_bundle), results(mini_bundle), strict=True
    ):
        assert 0 < wanted.mean() < 1
        np.testing.assert_array_equal(mask, wanted)
        assert iou == wanted_iou


def test_an_old_manifest_is_written_as_a_new_one(old_bundle: Path, mini_bundle: Path) -> None:
    old = loads(OLD.read_bytes(), "old")
    assert old.model.family == "sam2lite"
    text = old.dumps()
    assert json.loads(text)["schema_version"] == 2
    assert loads(text.encode(), "rewritten") == old

    new = open_bundle(str(mini_bundle)).manifest
    opened = open_bundle(str(old_bundle)).manifest
    assert opened.graphs == new.graphs
    assert (opened.dims, opened.stages) == (new.dims, new.stages)
    assert (opened.memory, opened.postprocess) == (new.memory, new.postprocess)


def test_an_old_manifest_of_other_graphs_is_refused() -> None:
    data = json.loads(OLD.read_text())
    data["graphs"]["memory_select"]["name"] = "other"
    with pytest.raises(BundleError, match="unknown graph 'other'"):
        loads(json.dumps(data).encode(), "old")
