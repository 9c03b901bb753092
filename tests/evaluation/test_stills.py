"""A folder of stills as an evaluation set: its parts, its scores by source."""

from pathlib import Path

import pytest

from sam2lite.data.stills import open_stills, split_stills
from sam2lite.errors import UnknownNameError
from sam2lite.evaluation.evaluate import EvaluationSettings, score_baselines
from sam2lite.evaluation.report import gather, scores_by_source
from sam2lite.evaluation.sources import real_references
from sam2lite.evaluation.workers import ClipResult
from tests.doubles.stills_folder import make_stills


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stills(tmp_path_factory.mktemp("real"))


def test_parts_of_a_folder(root: Path) -> None:
    names = {
        split: {reference.name for reference in real_references(root, split)[0]}
        for split in ("val", "train", "val-clips", "train-clips")
    }
    assert not names["val"] & names["train"]
    assert names["val-clips"] | names["train-clips"] == {"run", "walk"}
    assert names["val"] == {still.name for still in split_stills(open_stills(root).stills)[1]}
    with pytest.raises(UnknownNameError, match="known: val, val-moving, train"):
        real_references(root, "test")


def test_a_still_is_a_clip_of_one_frame(root: Path) -> None:
    clip = real_references(root, "val")[0][0].load()
    assert clip.frames_rgb_thwc.shape == (1, 96, 128, 3)
    assert clip.labels_thw.any()
    video = real_references(root, "val-clips")[0][0].load()
    assert video.annotated_t.tolist() == [True] * 4


def test_clips_of_moving_stills_are_the_same_every_time_and_objects_leave(root: Path) -> None:
    references, skipped = real_references(root, "val-moving")
    assert skipped == ""
    first, again = references[0].load(), references[0].load()
    assert first.frames_rgb_thwc.tobytes() == again.frames_rgb_thwc.tobytes()
    assert first.labels_thw.tobytes() == again.labels_thw.tobytes()
    clips = [reference.load() for reference in references[:24]]
    assert len({clip.frames_rgb_thwc.tobytes() for clip in clips}) == 24
    absent = [
        bool((clip.labels_thw[-1] != found).all())
        for clip in clips
        for found in clip.prompted_ids()
    ]
    assert True in absent and False in absent


def test_scores_by_source(root: Path) -> None:
    results = []
    for reference in real_references(root, "val")[0]:
        clip = reference.load()
        by_baseline = score_baselines(clip, EvaluationSettings("box"))
        results.append(ClipResult(1, {240: by_baseline["filled_box"]}, by_baseline))
    scores = gather(results)
    found = scores_by_source(scores)
    assert found.keys() == {"things", "clothes", "few", "secret"} - (
        {"things", "clothes"} - found.keys()
    )
    assert sum(row["objects"] for row in found.values()) == scores.main.objects
    for row in found.values():
        assert row.keys() == {"objects", "network", "filled_box", "grabcut_dis", "flood_dis"}
        assert row["network"] == row["filled_box"] > 0.0
