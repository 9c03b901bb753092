"""An image encoder that is trained for INT8, and what INT8 then is in ONNX Runtime."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

import sam2lite
from sam2lite.calibration.calibrate import CalibrationSettings, calibrate
from sam2lite.errors import ArgumentError, ModelError
from sam2lite.exporter.bundle.writer import export_float
from sam2lite.exporter.precision.int8 import all_layers, unmeasured
from sam2lite.exporter.precision.schemes import Making
from sam2lite.exporter.verify.parity import onnx_runner
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.registry import load_model
from sam2lite.models.sam2.network import SlotBankNetwork
from sam2lite.runtimes.rules.sam2 import rules
from sam2lite.runtimes.rules.sam2.candidates import Choice
from sam2lite.targets.registry import get_target
from sam2lite.training.encoder.run import distill_encoder
from tests.doubles.sam2_bundle import FunctionSession
from tests.oracles.rules import ModuleBundle
from tests.training.encoder.conftest import SIDE, check_stopped_run, options


def test_a_run_that_was_stopped_in_int8_ends_as_one_that_was_not(
    teacher: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = options(teacher, images, int8=True)
    check_stopped_run(given, 9, tmp_path, monkeypatch)
    written = [(tmp_path / run / "ranges.json").read_text() for run in ("parts", "whole")]
    assert written[0] == written[1]


def test_runs_that_are_too_short_for_it(
    teacher: Path, images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ArgumentError, match=r"--steps .*10"):
        distill_encoder(tmp_path / "run", options(teacher, images, int8=True, steps=9))
    given = options(teacher, images, int8=True, steps=None, minutes=1e-4)
    with caplog.at_level(logging.WARNING, "sam2lite"):
        distill_encoder(tmp_path / "run", given)
    assert "before its last 30 %" in caplog.text
    assert not (tmp_path / "run" / "ranges.json").exists()


# Random heads have logits near 0, so that masks move by more than features do. The second is far
# off: each output has one range, which the products of its gates make wide.
@pytest.mark.parametrize(
    ("backbone", "least_cosine", "least_iou"), [("small", 0.99, 0.94), ("small_casvit", 0.6, 0.6)]
)
def test_what_was_trained_for_int8_runs_in_it(
    backbone: str,
    least_cosine: float,
    least_iou: float,
    teacher: Path,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What random heads predict of their candidates is a hundredth apart, so any change makes
    # another one the best; one is compared with the same.
    monkeypatch.setattr(rules, "choose", lambda candidates, several_masks: Choice(1, 1))
    distill_encoder(tmp_path / "run", options(teacher, images, backbone=backbone, int8=True))
    loaded = load_model(tmp_path / "run")
    pictures = [np.asarray(cv2.imread(str(path))) for path in sorted(images.rglob("*.jpg"))]
    (tmp_path / "footage").mkdir()
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(tmp_path / "footage" / f"{index}.png"), picture)
    model = in_int8(loaded, tmp_path / "footage", tmp_path / "recordings")
    check_gates_are_in_float(model)
    network = loaded.model.requires_grad_(False)
    bundles = Int8Encoder(network, model), ModuleBundle(network, SIDE)
    (ours, our_masks), (theirs, their_masks) = (seen(bundle, pictures) for bundle in bundles)
    for name in ours[0]:
        alike = [cosine(mine[name], other[name]) for mine, other in zip(ours, theirs, strict=True)]
        assert least_cosine <= min(alike) < 1.0, name
    assert any(0.05 < mask.mean() < 0.95 for mask in their_masks)
    assert overlap(np.stack(our_masks), np.stack(their_masks)) >= least_iou


def in_int8(loaded: LoadedModel, footage: Path, cache: Path) -> onnx.ModelProto:
    """Return the image encoder as INT8 bundles have it, in the ranges that it was trained in."""
    target = get_target("x86-64-vnni")
    settings = CalibrationSettings(str(footage), frames=16, observer="training")
    ranges = calibrate(loaded, [SIDE], settings, cache).ranges
    learned = loaded.activation_ranges
    assert learned
    assert all(ranges.spans[f"{path}:input"] == span for path, span in learned.items())
    making = Making(loaded, target, ranges=ranges)
    plan = all_layers(making)
    assert learned.keys() <= plan.lowered
    scheme = unmeasured(dataclasses.replace(making, assignment=plan))
    spec = loaded.family.image_encoder.bind(loaded.dims(SIDE))
    exported = export_float(loaded, loaded.fused(), spec, SIDE, target.opset)
    return scheme.render(exported.model, spec, SIDE).model


def check_gates_are_in_float(model: onnx.ModelProto) -> None:
    dequantized = {
        node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"
    }
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    floats = [node.name for node in convs if node.input[1] not in dequantized]
    assert len(floats) < len(convs) / 2
    gates = ("/attn/spread/", "/attn/gate/", "/attn/dwc/", "/attn/proj/")
    for node in convs:
        assert (node.name in floats) == any(gate in node.name for gate in gates), node.name


class Int8Encoder(ModuleBundle):
    """A network whose image encoder is a graph in ONNX Runtime."""

    def __init__(self, network: SlotBankNetwork, model: onnx.ModelProto) -> None:
        super().__init__(network, SIDE)
        self._encode = onnx_runner(model)

    def open_session(
        self, key: str, threads: int | None = None, provider: str | None = None
    ) -> FunctionSession:
        session = super().open_session(key, threads, provider)
        if session.spec.image is not None:
            vars(session)["_run"] = self._encode
        return session


def seen(
    bundle: ModuleBundle, pictures: list[np.ndarray]
) -> tuple[list[dict[str, np.ndarray]], list[np.ndarray]]:
    """Return features of pictures, and the masks of a box in each."""
    features, masks = [], []
    encoder = bundle.open_session(f"image_encoder@{SIDE}")
    with sam2lite.VideoSegmenter(bundle) as segmenter:
        for picture in pictures:
            resized = cv2.resize(picture, (SIDE, SIDE))[..., ::-1].transpose(2, 0, 1)
            given = {encoder.spec.inputs[0].name: np.ascontiguousarray(resized)[None]}
            features.append(dict(encoder.run(given)))
            segmenter.reset()
            segmenter.prompt(picture, 1, box=(40, 30, 120, 90))
            masks.append(segmenter.track(picture).objects[1].mask)
    return features, masks


def cosine(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float((ours * theirs).sum() / np.linalg.norm(ours) / np.linalg.norm(theirs))


def overlap(ours: np.ndarray, theirs: np.ndarray) -> float:
    union = np.logical_or(ours, theirs).sum()
    return 1.0 if union == 0 else float(np.logical_and(ours, theirs).sum() / union)


def test_ranges_of_another_network_are_refused(teacher: Path, images: Path, tmp_path: Path) -> None:
    distill_encoder(tmp_path / "run", options(teacher, images, int8=True))
    path = tmp_path / "run" / "ranges.json"
    ranges = json.loads(path.read_text())
    path.write_text(json.dumps({**ranges, "image_encoder.image_encoder.trunk.other": [0, 1]}))
    with pytest.raises(ModelError, match=r"trunk\.other.* is no module"):
        load_model(tmp_path / "run")
