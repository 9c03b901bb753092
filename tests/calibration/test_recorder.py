"""Recordings: what is in them, and that they are found again."""

from pathlib import Path

import pytest
import torch

from sam2lite.calibration import recorder
from sam2lite.calibration.footage import CalibrationClip
from sam2lite.calibration.recorder import Recording, record
from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.models.loaded import LoadedModel
from tests.calibration.conftest import RUNGS


def test_every_graph_is_recorded_at_both_rungs(
    recording: Recording, clips: list[CalibrationClip], small: LoadedModel
) -> None:
    frames, objects = len(clips[0].frames_bgr), len(clips[0].prompts)
    assert recording.count("image_encoder") == frames
    corrected = clips[0].correction is not None
    assert recording.count("mask_decoder") == frames * objects + corrected
    for graph in FAMILY.graphs:
        calls = list(recording.calls(graph.name))
        assert len(calls) == recording.count(graph.name)
        assert {rung for rung, _ in calls} == set(RUNGS)
        for rung, inputs in calls:
            specs = graph.bind(small.config.dims(rung)).inputs
            for spec, tensor in zip(specs, inputs, strict=True):
                assert tuple(tensor.shape) == spec.shape
                assert str(tensor.dtype).removeprefix("torch.") == spec.dtype


def test_banks_are_empty_at_first_and_full_at_last(recording: Recording) -> None:
    seen = [
        int((inputs[6] > -1.0).sum())
        for rung in RUNGS
        for _, inputs in recording.calls("mask_decoder", rung)
    ]
    assert min(seen) == 0
    assert max(seen) == 64


def test_recorded_inputs_give_what_the_loop_saw(recording: Recording, small: LoadedModel) -> None:
    model = small.model.fused()
    rung, (image,) = next(recording.calls("image_encoder", RUNGS[1]))
    with torch.no_grad():
        features = model.image_encoder(image)
    _, inputs = next(recording.calls("mask_decoder", rung))
    assert torch.allclose(features[0], inputs[0], atol=2e-3 * float(features[0].abs().max()))


def test_a_recording_is_found_again(
    recording: Recording,
    small: LoadedModel,
    clips: list[CalibrationClip],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*arguments: object) -> None:
        raise AssertionError("recorded again")

    monkeypatch.setattr(recorder, "follow", fail)
    assert record(small, clips, RUNGS, recording.folder.parent) == recording
    with pytest.raises(AssertionError, match="recorded again"):
        record(small, clips, RUNGS[:1], recording.folder.parent)


def test_a_failed_recording_leaves_nothing(
    small: LoadedModel,
    clips: list[CalibrationClip],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(recorder, "follow", fail)
    with pytest.raises(KeyboardInterrupt):
        record(small, clips, RUNGS, tmp_path)
    assert list(tmp_path.iterdir()) == []
