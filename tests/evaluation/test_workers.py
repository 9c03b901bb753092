"""Sources, several processes, and what is put together from their results."""

import json
from pathlib import Path

import numpy as np
import pytest

from sam2lite.data.clips import ClipConfig, generate_clip, write_davis
from sam2lite.data.process_pool import each_in_processes
from sam2lite.errors import ArgumentError, UnknownNameError, VideoError
from sam2lite.evaluation.clip import EvaluationClip
from sam2lite.evaluation.evaluate import EvaluationSettings
from sam2lite.evaluation.plot import mean_j_by_frame, plot_j
from sam2lite.evaluation.report import RunScores, gather, objects_to_json, worst_first
from sam2lite.evaluation.sources import GeneratedClip, folder_clips, fresh_clips, set_clips
from sam2lite.evaluation.workers import Task, TrackerRecipe
from sam2lite.evaluation.worst_cases import worst_case_sheet

CONFIG = ClipConfig(height=96, width=128, frames=4, objects=(2, 2), object_size=(0.3, 0.5))
CLIPS = [GeneratedClip(seed, CONFIG) for seed in (3, 4)]


@pytest.fixture(scope="module")
def task(tiny_bundle: Path) -> Task:
    recipe = TrackerRecipe("bundle", str(tiny_bundle))
    return Task(recipe, [240, 336], EvaluationSettings("mask", baselines=True))


@pytest.fixture(scope="module")
def scores(task: Task) -> RunScores:
    return gather(list(each_in_processes(task.worker, CLIPS)))


def test_processes_find_what_one_finds(task: Task, scores: RunScores) -> None:
    parallel = gather(list(each_in_processes(task.worker, CLIPS, workers=2)))
    assert parallel.to_json() == scores.to_json()


def test_rungs_and_baselines_are_side_by_side(scores: RunScores) -> None:
    data = json.loads(json.dumps(scores.to_json()))
    assert (data["clips"], data["frames"], data["rung"]) == (2, 8, 336)
    assert list(data["rungs"]) == ["240", "336"]
    assert data["rungs"]["336"]["jf"] == data["jf"]
    assert data["rungs"]["240"]["first_frame_j"] != data["first_frame_j"]
    prompts = {name: found["prompt"] for name, found in data["baselines"].items()}
    assert prompts == {
        "copied_mask": "mask",
        "dis": "mask",
        "filled_box": "box",
        "grabcut_dis": "box",
        "flood_dis": "click",
    }
    assert data["baselines"]["copied_mask"]["first_frame_j"] == 100.0
    assert data["baselines"]["flood_dis"]["variant"].startswith("flood_dis@")


def test_objects_are_listed_worst_first(scores: RunScores) -> None:
    listed = objects_to_json(scores.main)
    assert len(listed) == scores.main.objects
    assert [row["jf"] for row in listed] == sorted(row["jf"] for row in listed)
    assert listed[0]["frames"] == [1, 2, 3]
    assert len(listed[0]["j"]) == len(listed[0]["f"]) == 3


def test_plot_and_sheet_show_something(task: Task, scores: RunScores) -> None:
    worst = worst_first(scores.main)[0]
    means = mean_j_by_frame(scores.main.object_scores)
    assert list(means) == [0, 1, 2, 3]
    assert means[0] == pytest.approx(scores.main.first_frame_j / 100)
    figure = plot_j(
        {"network": scores.main.object_scores, "dis": scores.main.object_scores}, "title"
    )
    network, dis = figure.axes[0].get_lines()
    assert (network.get_label(), dis.get_label()) == ("network", "dis")
    assert network.get_ydata() == pytest.approx([100 * j for j in means.values()])
    assert network.get_linewidth() > dis.get_linewidth()
    clip = next(reference for reference in CLIPS if reference.name == worst.clip).load()
    tracker = task.recipe.make(336, threads=1)
    sheet = worst_case_sheet(tracker, clip, worst, "mask")
    tracker.close()
    columns = 4  # a short clip is shown whole
    assert sheet.shape == (2 * (24 + round(250 * 96 / 128)), columns * 250, 3)


def test_davis_folder_gives_its_clips(tmp_path: Path) -> None:
    made = generate_clip(3, CONFIG)
    write_davis(made, tmp_path, "one")
    (reference,) = folder_clips(tmp_path)
    clip = reference.load()
    assert (reference.name, clip.name) == ("one", "one")
    assert np.array_equal(clip.labels_thw, made.labels_thw)
    assert clip.annotated_t.all()


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="nowhere"):
        folder_clips(tmp_path / "nowhere")


def test_fresh_clips_are_in_no_frozen_set() -> None:
    (fresh,), frozen = fresh_clips(1, seed=0), set_clips("eval-v1")
    assert isinstance(fresh, GeneratedClip)
    for reference in frozen:
        assert isinstance(reference, GeneratedClip)
        assert reference.config.seed_space not in (0, fresh.config.seed_space)
    assert [reference.name for reference in fresh_clips(2, seed=7)] == ["seed_00007", "seed_00008"]
    with pytest.raises(ArgumentError, match="0 clips"):
        fresh_clips(0, seed=0)
    with pytest.raises(ArgumentError, match="seed -1"):
        fresh_clips(1, seed=-1)
    with pytest.raises(UnknownNameError, match="eval-v1"):
        set_clips("eval-v0")


def test_generated_clip_is_the_generators() -> None:
    clip = CLIPS[0].load()
    assert isinstance(clip, EvaluationClip)
    assert np.array_equal(clip.frames_rgb_thwc, generate_clip(3, CONFIG).frames_rgb_thwc)
