"""Ranges: observed, stored, and refused where they do not fit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sam2lite.calibration.observe import observe
from sam2lite.calibration.ranges import ActivationRanges, Provenance, load_ranges
from sam2lite.calibration.recorder import Recording
from sam2lite.errors import CalibrationError, UnknownNameError
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2lite.quantizable import quantized_layers

MADE = Provenance("mini", "a" * 64, (240, 288), "minmax", "generated", "b" * 64, 8, 0, "0.1")
RANGES = ActivationRanges({"image_encoder.stem.1:input": (0.0, 2.5)}, MADE)


def test_every_layer_has_its_ranges(recording: Recording, small: LoadedModel) -> None:
    ranges = observe(small, recording, "minmax")
    keys = {
        f"{path}:{end}" for path in quantized_layers(small.model) for end in ("input", "output")
    }
    assert ranges.keys() == keys
    assert all(least <= 0.0 <= greatest for least, greatest in ranges.values())


def test_ranges_are_those_of_the_tensors(recording: Recording, small: LoadedModel) -> None:
    ranges = observe(small, recording, "minmax")
    encoder = small.model.fused().image_encoder
    seen = []
    encoder.stem[0].register_forward_hook(lambda layer, inputs, output: seen.append(output))
    with torch.no_grad():
        for _, inputs in recording.calls("image_encoder"):
            encoder(*inputs)
    extremes = min(float(x.min()) for x in seen), max(float(x.max()) for x in seen)
    assert ranges["image_encoder.stem.0:output"] == pytest.approx(extremes)


def test_an_unknown_observer_is_named(recording: Recording, small: LoadedModel) -> None:
    with pytest.raises(UnknownNameError, match="known: minmax"):
        observe(small, recording, "median")


def test_ranges_survive_the_file(tmp_path: Path) -> None:
    RANGES.save(tmp_path / "ranges.json")
    assert load_ranges(tmp_path / "ranges.json") == RANGES


def test_ranges_of_another_network_or_rung_are_refused() -> None:
    RANGES.check_fits("a" * 64, (240,))
    with pytest.raises(CalibrationError, match="but the model has cccccccccccc"):
        RANGES.check_fits("c" * 64, (240,))
    with pytest.raises(CalibrationError, match=r"not at 336; .* --rungs 240,288"):
        RANGES.check_fits("a" * 64, (288, 336))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data.update(schema_version=9), "schema version 9"),
        (lambda data: data.pop("ranges"), "damaged or holds no ranges"),
        (lambda data: data["provenance"].pop("seed"), "damaged or holds no ranges"),
        (lambda data: data["ranges"].update(x=[1.0, 2.0]), "does not hold zero"),
        (lambda data: data["ranges"].update(x=[float("nan"), 2.0]), "NaN is no JSON number"),
        (lambda data: data["ranges"].update(x=[1.0]), "damaged or holds no ranges"),
    ],
)
def test_damaged_files_are_refused(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], object], message: str
) -> None:
    path = tmp_path / "ranges.json"
    RANGES.save(path)
    data = json.loads(path.read_text())
    spoil(data)
    path.write_text(json.dumps(data))
    with pytest.raises(CalibrationError, match=message):
        load_ranges(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="cannot read"):
        load_ranges(tmp_path / "none.json")
