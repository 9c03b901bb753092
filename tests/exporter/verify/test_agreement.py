"""Agreement of masks with those of FP32 over real clips: what is counted, and on which clips."""

import copy
import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sam2lite.calibration.footage import CalibrationClip, calibration_clips
from sam2lite.errors import VideoError
from sam2lite.exporter.backends import ExportRequest
from sam2lite.exporter.footage import CALIBRATED_ON, HELD_OUT, UNCALIBRATED, compared
from sam2lite.exporter.precision.scheme import Float32
from sam2lite.exporter.precision.schemes import CALLS, NOTHING, Scheme
from sam2lite.exporter.progress import SILENT
from sam2lite.exporter.recipe import Recipe
from sam2lite.exporter.verify.agreement import Agreement, ComparedFootage
from sam2lite.exporter.verify.choices import Choices
from sam2lite.models.loaded import LoadedModel
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.results import ObjectResult
from sam2lite.targets.registry import get_target

FRAMES = 12


@pytest.fixture(scope="module")
def clips() -> list[CalibrationClip]:
    return calibration_clips(None, 6, seed=1)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("footage") / "in.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (96, 64))
    rng = np.random.default_rng(1)
    for _ in range(FRAMES):
        writer.write(rng.integers(0, 256, (64, 96, 3), np.uint8))
    writer.release()
    return path


def result(pixels: int, visible: bool = True) -> ObjectResult:
    mask = np.arange(16).reshape(4, 4) < pixels
    return ObjectResult(mask, np.zeros((1, 1), np.float32), 0.5, 1.0, visible, False, False)


def test_masks_and_presence_are_counted() -> None:
    found = Agreement(frames=2)
    for ours, theirs in ((8, 8), (4, 8), (0, 0)):
        found.add(result(ours), result(theirs))
    assert found == Agreement(2, 3, 0, 2, 0.75, 0.5)  # nothing in either is no agreement
    found.add(result(0, visible=False), result(4))
    found.add(result(0, visible=False), result(0, visible=False))
    assert found == Agreement(2, 5, 1, 3, 0.5, 0.0)


def test_clips_are_summed_up_by_their_masks() -> None:
    total = Agreement()
    total.include(Agreement(4, 8, 0, 1, 0.4, 0.4, {"stability": Choices(2, 1, 0, 0.01, 0.01)}))
    total.include(Agreement(4, 8, 8))
    total.include(Agreement(4, 8, 1, 3, 0.8, 0.6, {"predicted IoU": Choices(9)}))
    choices = {"stability": Choices(2, 1, 0, 0.01, 0.01), "predicted IoU": Choices(9)}
    assert total.mean_iou == pytest.approx(0.7)
    assert dataclasses.replace(total, mean_iou=0.7) == Agreement(12, 24, 9, 4, 0.7, 0.4, choices)
    assert Agreement().mean_iou is None


def test_a_bundle_in_fp32_agrees(
    mini_bundle: Path, mini_model: LoadedModel, clips: list[CalibrationClip]
) -> None:
    told: list[str] = []
    footage = ComparedFootage([*clips, *clips], mini_model, {"source": "x"})
    found = footage.measured(open_bundle(str(mini_bundle)), told.append)["agreement"]
    assert (found["source"], found["rung"]) == ("x", 240)
    assert told == [f"agreement on {clip.name}" for clip in (*clips, *clips)]
    assert (found["frames"], found["decisions"]) == (12, 12 * len(clips[0].prompts))
    assert found["masks"] > 0
    assert found["mean_iou"] > 0.999
    assert found["presence_differs"] == 0
    # One choice a frame and object, and one of the correction.
    made = found["decisions"] + 2 * (clips[0].correction is not None)
    assert found["choices"]["predicted IoU"]["made"] == made
    assert found["choices"]["predicted IoU"]["flipped"] == 0
    first, second = found["clips"]
    assert first == second  # nothing of a clip is left for the next


def test_another_network_agrees_less(
    mini_bundle: Path, mini_model: LoadedModel, clips: list[CalibrationClip]
) -> None:
    other = copy.deepcopy(mini_model)
    with torch.no_grad():
        other.model.mask_decoder.object_score.last.bias -= 1e3  # nothing is there unless prompted
        other.model.memory_encoder.value.weight *= 1.5
    footage = ComparedFootage(clips, other, {})
    found = footage.measured(open_bundle(str(mini_bundle)), lambda name: None)["agreement"]
    assert found["presence_differs"] > 0
    assert found["lowest_iou"] == 0.0
    assert found["mean_iou"] < 1.0


def asked(model: LoadedModel, calib: Path | None, frames: int | None = None) -> ExportRequest:
    recipe = Recipe(calib=calib, calib_frames=frames)
    return ExportRequest(model, get_target("x86-64"), "x", (240,), Path("b"), recipe, SILENT)


def scheme(observes: str = CALLS, exact: bool = False) -> Scheme:
    return Scheme("x", lambda making: Float32(), observes, exact=exact)


@pytest.mark.parametrize(
    ("observes", "frames", "split", "compared_frames"),
    [(CALLS, 4, HELD_OUT, 4), (CALLS, 12, CALIBRATED_ON, 12), (NOTHING, 4, UNCALIBRATED, 4)],
)
def test_what_calibration_left_is_compared(
    mini_model: LoadedModel,
    video: Path,
    observes: str,
    frames: int,
    split: str,
    compared_frames: int,
) -> None:
    footage = compared(asked(mini_model, video, frames), scheme(observes))
    assert footage is not None
    assert footage.reference is mini_model
    assert sum(len(clip.frames_bgr) for clip in footage.clips) == compared_frames
    said = footage.said
    assert (said["with"], said["source"], said["split"]) == ("PyTorch in FP32", "in.mp4", split)
    assert len(said["data_sha256"]) == 64
    assert str(video.parent) not in str(footage.said) + footage.clips[0].name


def test_without_footage_or_loss_nothing_is_compared(mini_model: LoadedModel, video: Path) -> None:
    assert compared(asked(mini_model, None), scheme()) is None
    assert compared(asked(mini_model, video), scheme(exact=True)) is None
    with pytest.raises(VideoError, match="nothing to calibrate on"):
        compared(asked(mini_model, video.with_name("none.mp4")), scheme(NOTHING))
    with pytest.raises(VideoError, match="12 frames, fewer than the 64"):
        compared(asked(mini_model, video), scheme(NOTHING))
