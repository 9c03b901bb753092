"""Training on a folder of stills: a mix of moving photographs, generated and real clips."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sam2lite.errors import UnknownNameError, VideoError
from sam2lite.training.batches import BatchShape, make_batch
from sam2lite.training.mixture import CLIP_SHARES, IMAGE_SHARES, Mixture
from sam2lite.training.run.fine_tuning import SCHEDULES
from sam2lite.training.run.options import RunOptions, check_options
from sam2lite.training.run.schedule import schedule_of
from tests.doubles.stills_folder import make_stills


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stills(tmp_path_factory.mktemp("real"))


def test_shares_are_whole() -> None:
    assert sum(CLIP_SHARES) == pytest.approx(1.0)
    assert sum(IMAGE_SHARES) == pytest.approx(1.0)


def test_batches_depend_on_the_seed_alone(root: Path) -> None:
    shape = BatchShape(64, 3, 4, 2)
    first, again, other = (make_batch((seed,), shape, data=str(root)) for seed in (1, 1, 2))
    assert torch.equal(first.image_ctchw, again.image_ctchw)
    assert torch.equal(first.target_nthw, again.target_nthw)
    assert not torch.equal(first.image_ctchw, other.image_ctchw)
    assert first.image_ctchw.shape == (4, 3, 3, 64, 64)


def test_every_kind_is_drawn(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mixture = Mixture(str(root))
    seen = set()
    for kind in range(4):
        shares = [float(kind == other) for other in range(4)]
        monkeypatch.setattr("sam2lite.training.mixture.CLIP_SHARES", shares)
        clip = mixture.draw(np.random.default_rng(0), 64, 3)
        assert clip.frames_rgb_thwc.shape == (3, 64, 64, 3)
        assert clip.known_t[0]
        seen.add(clip.frames_rgb_thwc.tobytes())
    assert len(seen) == 4


def test_a_clip_that_is_too_short_gives_way(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sam2lite.training.mixture.CLIP_SHARES", [0.0, 0.0, 0.0, 1.0])
    assert len(Mixture(str(root)).draw(np.random.default_rng(0), 64, 9).labels_thw) == 9


def test_nothing_without_clear_terms_is_trained_on(root: Path, tmp_path: Path) -> None:
    (tmp_path / "stills").mkdir()
    index = json.loads((root / "index.json").read_text())
    index["stills"] = [still for still in index["stills"] if still["source"] == "secret"]
    (tmp_path / "index.json").write_text(json.dumps(index))
    (tmp_path / "SOURCES.md").write_text((root / "SOURCES.md").read_text())
    with pytest.raises(VideoError, match="no still may be trained on"):
        Mixture(str(tmp_path))


def test_schedules_are_whole_and_named() -> None:
    for phases in SCHEDULES.values():
        assert {phase.stage for phase in phases} == {1, 2, 3}
    fine_tuning = schedule_of((1,), SCHEDULES["fine-tuning"])
    assert fine_tuning.at(0.0).phase.name == "mixed"
    assert fine_tuning.at(1.0).phase.name == "rungs"
    with pytest.raises(UnknownNameError, match="curriculum, fine-tuning"):
        check_options(RunOptions(schedule="fast"))


def test_options_of_a_run_on_stills(root: Path, tmp_path: Path) -> None:
    check_options(RunOptions(start="tiny", schedule="fine-tuning", data=str(root)))
    with pytest.raises(VideoError, match="nowhere"):
        check_options(RunOptions(data=str(tmp_path / "nowhere")))
