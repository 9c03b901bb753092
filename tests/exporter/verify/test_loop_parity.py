"""The frame loop without PyTorch against the one with it, where both have something to decide."""

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from sam2lite.data.clips import first_click
from sam2lite.errors import VerificationError
from sam2lite.exporter.bundle.writer import write_bundle
from sam2lite.exporter.verify import loop_parity as parity_module
from sam2lite.exporter.verify.loop_parity import (
    LEAST_FRAMES,
    LOGIT_TOLERANCE,
    MOST_TOLERANCE,
    LoopParity,
    loop_parity,
    parity_clip,
)
from sam2lite.exporter.verify.loop_script import CORRECTED_AT, RUNG_SWITCHED_AT
from sam2lite.exporter.verify.parity import ROUNDING_MARGIN
from sam2lite.models.effort import Effort
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2lite.family import Sam2LiteFamily
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.models.sam2lite.reference.loop import ReferenceLoop
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.geometry import network_input
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.results import ObjectResult
from sam2lite.targets.registry import host_target


def decisive(model: Sam2Lite) -> Sam2Lite:
    """Return a copy that judges objects present on some frames and absent on others.

    Random weights give nearly the same object score on every frame. Here its last layer is made
    steep, and centred so that the clip gives some of both.
    """
    model = copy.deepcopy(model)
    last = model.mask_decoder.object_score.last
    with torch.no_grad():
        last.weight *= 200.0
        last.bias -= torch.tensor(scores_over_the_clip(model)).quantile(0.2)  # type: ignore[misc]
    return model


def scores_over_the_clip(model: Sam2Lite) -> list[float]:
    clip = parity_clip(0, Effort().parity_frames)
    height, width = clip.labels_thw.shape[1:]
    loop = ReferenceLoop(model)
    scores = []
    for index, frame_rgb in enumerate(clip.frames_rgb_thwc):
        image = network_input(np.ascontiguousarray(frame_rgb[..., ::-1]), 240)
        loop.start_frame(torch.from_numpy(image))
        if index == 0:
            click = first_click(clip, clip.object_ids[0])
            loop.prompt(1, Prompt(points=[click]).slots(width, height))
        scores.append(float(loop.track(1).object_score))
    return scores


@pytest.fixture(scope="module")
def decisive_model(mini_model: LoadedModel) -> LoadedModel:
    return dataclasses.replace(mini_model, model=decisive(mini_model.model))


@pytest.fixture(scope="module")
def decisive_bundle(
    decisive_model: LoadedModel, tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    path = tmp_path_factory.mktemp("decisive") / "bundle"
    write_bundle(decisive_model, host_target(), path, rungs=(240, 480))
    return open_bundle(str(path))


def test_loops_agree_over_a_clip(decisive_bundle: Bundle, decisive_model: LoadedModel) -> None:
    report = loop_parity(decisive_bundle, decisive_model)
    # Parity of nothing with nothing is no parity.
    assert report.present >= 6
    assert report.absent >= 6
    assert report.non_empty >= 6
    assert report.rungs == [480, 240]
    assert report.decisions_differ == 0
    assert report.max_logit_difference <= 1e-3
    assert report.min_iou == 1.0
    assert report.near_zero_pixels < 0.05 * report.compared_pixels
    report.check()


def test_export_writes_the_report_into_the_manifest(decisive_bundle: Bundle) -> None:
    loop = decisive_bundle.manifest.verification["loop"]
    assert loop["frames"] == Effort().parity_frames
    assert loop["objects"] == 2
    assert loop["first_divergence"] is None


def test_another_network_is_found_out(decisive_bundle: Bundle, decisive_model: LoadedModel) -> None:
    other = copy.deepcopy(decisive_model)
    with torch.no_grad():
        other.model.memory_encoder.value.weight *= 1.05
    report = loop_parity(decisive_bundle, other, exact=True)
    assert report.first_divergence is not None
    assert report.own_rounding is not None
    assert report.max_logit_difference > report.tolerance
    with pytest.raises(VerificationError, match="leaves PyTorch's at frame"):
        report.check()


def test_rounding_of_pytorch_itself_is_allowed(
    decisive_bundle: Bundle, decisive_model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parity_module, "LOGIT_TOLERANCE", 1e-7)
    refused = loop_parity(decisive_bundle, decisive_model)
    assert refused.own_rounding is None
    with pytest.raises(VerificationError, match="leaves PyTorch's at frame"):
        refused.check()
    report = loop_parity(decisive_bundle, decisive_model, exact=True)
    assert report.own_rounding is not None
    assert 1e-7 < report.own_rounding < LOGIT_TOLERANCE
    assert report.tolerance == ROUNDING_MARGIN * report.own_rounding < MOST_TOLERANCE
    report.check()


def result(logits: np.ndarray, visible: bool = True) -> ObjectResult:
    return ObjectResult(logits > 0, logits, 0.5, 1.0, visible, False, False)


def test_pixels_near_zero_are_counted_and_left_out() -> None:
    expected = np.full((4, 4), 2.0, np.float32)
    expected[0, 0] = 5e-4
    actual = expected.copy()
    actual[0, 0] = -4e-4  # on the other side, but too close to say
    report = LoopParity(frames=1, objects=1)
    report.add(0, result(actual), result(expected))
    assert report.near_zero_pixels == 1
    assert report.min_iou == 1.0
    report.check()


def test_empty_masks_are_no_parity() -> None:
    empty = np.full((4, 4), -2.0, np.float32)
    report = LoopParity(frames=1, objects=1)
    report.add(0, result(empty), result(empty))
    with pytest.raises(VerificationError, match="compared nothing"):
        report.check()


def test_a_differing_decision_is_a_failure(tmp_path: Path) -> None:
    logits = np.full((4, 4), 2.0, np.float32)
    report = LoopParity(frames=1, objects=1)
    report.add(0, result(logits, visible=False), result(logits))
    assert report.decisions_differ == 1
    with pytest.raises(VerificationError, match="1 of 1 decisions differ"):
        report.check()


class Brief(Sam2LiteFamily):
    """A family whose loops are compared over few frames, under a setting of its rules."""

    def __init__(self, frames: int) -> None:
        self.frames = frames
        self.parity_settings = {"policy": "fifo"}

    def effort(self, size: int) -> Effort:
        return Effort(self.frames) if size == 240 else Effort()


@pytest.mark.parametrize(("asked", "frames"), [(8, 8), (1, LEAST_FRAMES)])
def test_a_family_may_ask_for_fewer_frames(
    decisive_bundle: Bundle, decisive_model: LoadedModel, asked: int, frames: int
) -> None:
    brief = dataclasses.replace(decisive_model, host=Brief(asked))
    one_size = copy.copy(decisive_bundle)
    one_size.manifest = one_size.manifest._replace(rungs=(240,))
    report = loop_parity(one_size, brief)
    report.check()
    assert (report.frames, report.present + report.absent) == (frames, 2 * frames)
    assert report.settings == report.to_json()["settings"] == {"policy": "fifo"}


def test_everything_happens_in_a_short_clip() -> None:
    clip = parity_clip(0, LEAST_FRAMES)
    areas = [int((labels == clip.object_ids[0]).sum()) for labels in clip.labels_thw]
    assert areas[0] > 0
    assert min(areas) == 0
    assert areas[-1] > 0
    times = [round(share * LEAST_FRAMES) for share in (CORRECTED_AT, RUNG_SWITCHED_AT)]
    assert 0 < times[0] < times[1] < LEAST_FRAMES - 1
    assert [
        round(share * Effort().parity_frames) for share in (CORRECTED_AT, RUNG_SWITCHED_AT)
    ] == [7, 16]
