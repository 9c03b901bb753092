"""A backend from outside is exported to, and runs a clip; nothing of the package is touched."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

import sam2lite
from sam2lite.contracts import backends
from sam2lite.contracts.backends import register_backend
from sam2lite.data.clips import ClipConfig, first_click, generate_clip
from sam2lite.errors import RecipeError, UnknownNameError
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.targets import registry
from sam2lite.targets.registry import get_target, register_target
from tests.doubles.reference_adapter import BACKEND

TARGET = "any-python"


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Register the backend and a device that has it, for these tests alone."""
    monkeypatch.setattr(backends, "_BACKENDS", dict(backends._BACKENDS))
    monkeypatch.setattr(registry, "_TARGETS", list(registry._TARGETS))
    register_backend(BACKEND)
    device = get_target("x86-64")
    register_target(device._replace(id=TARGET, title="anything", backend=BACKEND.name))
    yield


def test_a_registered_backend_is_exported_to_and_runs_a_clip(
    mini: Sam2Lite, tmp_path: Path
) -> None:
    save_checkpoint(mini, tmp_path / "mini")
    recipe = sam2lite.Recipe(
        model=tmp_path / "mini",
        backend=BACKEND.name,
        target=TARGET,
        sizes=(240,),
        output=tmp_path / "b",
    )
    bundle = sam2lite.export(recipe)
    assert (bundle.backend, bundle.manifest.backend) == (BACKEND.name, BACKEND.name)
    # The loop that the export compared with PyTorch's was this backend's own.
    assert bundle.manifest.verification["loop"]["min_iou"] == 1.0
    clip = generate_clip(1, ClipConfig(height=60, width=80, frames=3))
    with sam2lite.VideoSegmenter(bundle) as segmenter:
        click = first_click(clip, clip.object_ids[0])
        segmenter.prompt(clip.frames_rgb_thwc[0][..., ::-1].copy(), points=[click])
        for frame_rgb in clip.frames_rgb_thwc:
            found = segmenter.track(frame_rgb[..., ::-1].copy())
    assert found.objects[1].mask.shape == (60, 80)


def test_what_it_does_not_have_is_refused(tmp_path: Path) -> None:
    recipe = sam2lite.Recipe(backend=BACKEND.name, target=TARGET, output=tmp_path / "b")
    with pytest.raises(UnknownNameError, match="unknown precision 'int8'; known: fp32"):
        sam2lite.export(dataclasses.replace(recipe, precision="int8"))
    with pytest.raises(RecipeError, match="`max_drop`"):
        sam2lite.export(dataclasses.replace(recipe, max_drop=1.0))
    assert not (tmp_path / "b").exists()
