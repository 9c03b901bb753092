"""A precision that is registered from outside: the package knows nothing of it."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
import torch
from torch import nn

from sam2lite.calibration.recorder import Recording
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.data.clips import ClipConfig, generate_clip, write_video
from sam2lite.errors import CalibrationError, RecipeError, UnknownNameError, VerificationError
from sam2lite.exporter.export import export
from sam2lite.exporter.precision import bounded, schemes
from sam2lite.exporter.precision.accuracy import Accuracy
from sam2lite.exporter.precision.int8 import Int8
from sam2lite.exporter.precision.scheme import Float32, Rendered
from sam2lite.exporter.precision.schemes import CALLS, Scheme, register_scheme
from sam2lite.exporter.recipe import Recipe
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.targets.registry import get_target, list_targets

SIZE = 240
BITS = 4


class RoundedWeights:
    """Weights of convolutions and linear layers to 4 bits, symmetric, a scale a channel."""

    name = "rounded_weights"

    def __init__(self) -> None:
        self.calls = 0

    def apply(
        self, loaded: LoadedModel, recording: Recording | None
    ) -> tuple[LoadedModel, dict[str, Any]]:
        if recording is not None:
            self.calls = len(recording.sample("mask_decoder", SIZE, 4))
        model = copy.deepcopy(loaded.model)
        layers = [part for part in model.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
        with torch.no_grad():
            for layer in layers:
                flat = layer.weight.flatten(1)
                scale = flat.abs().amax(1, keepdim=True).clamp_min(1e-12) / (2 ** (BITS - 1) - 1)
                layer.weight.copy_(((flat / scale).round() * scale).reshape(layer.weight.shape))
        return dataclasses.replace(loaded, model=model), {"bits": BITS, "layers": len(layers)}


@pytest.fixture
def rounding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RoundedWeights:
    monkeypatch.setattr(schemes, "_registered", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return RoundedWeights()


@pytest.fixture
def recipe(mini_model: LoadedModel, tmp_path: Path) -> Recipe:
    save_checkpoint(mini_model.model, tmp_path / "mini")
    return Recipe(
        model=str(tmp_path / "mini"),
        target="x86-64",
        precision="toy4",
        sizes=[SIZE],
        output=tmp_path / "b",
    )


def toy(rounding: RoundedWeights, **more: Any) -> Scheme:
    return Scheme("toy4", lambda making: Float32(), transforms=(rounding,), **more)


def test_a_scheme_of_ones_own_is_exported_and_runs(
    rounding: RoundedWeights, recipe: Recipe, mini_model: LoadedModel
) -> None:
    with pytest.raises(UnknownNameError, match="known: fp32, fp16, int8"):
        export(recipe)
    register_scheme(toy(rounding, block_size=16), "ort")
    bundle = export(recipe)
    said = bundle.manifest.calibration
    assert said is not None
    assert said["block_size"] == 16
    (transform,) = said["transforms"]
    assert transform["name"] == "rounded_weights"
    assert transform["bits"] == BITS
    assert bundle.manifest.model.checkpoint_sha256 != transform["checkpoint_sha256"]
    for graph in bundle.manifest.verification["graphs"].values():
        assert all(error["relative"] <= 1e-5 for error in graph["parity"].values())
    assert bundle.manifest.verification["loop"]["min_iou"] > 0.99
    frame = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    with VideoSegmenter(bundle) as segmenter:
        segmenter.prompt(frame, 1, points=[(40, 40)])
        assert segmenter.track(frame).masks[1].shape == (90, 160)


def test_a_transform_sees_calls_of_the_network(rounding: RoundedWeights, recipe: Recipe) -> None:
    register_scheme(toy(rounding, observes=CALLS), "ort")
    with pytest.raises(RecipeError, match="`observer` is not used by ort in toy4"):
        export(dataclasses.replace(recipe, observer="minmax"))
    export(dataclasses.replace(recipe, calib_frames=8))
    assert rounding.calls > 0


def test_a_bound_is_measured_whatever_the_scheme_is_called(
    rounding: RoundedWeights,
    recipe: Recipe,
    mini_model: LoadedModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = iter([Accuracy(60.0, 70.0), Accuracy(57.0, 70.0)] * 2)

    class Stub:
        def __init__(self, clips: int, rung: int) -> None:
            self.clips, self.rung = clips, rung

        def score(self, bundle: Path) -> Accuracy:
            return next(scores)

    monkeypatch.setattr(bounded, "AccuracyTest", Stub)
    register_scheme(toy(rounding, max_drop=2.0), "ort")
    with pytest.raises(VerificationError, match=r"TOY4 loses 3\.00 .* 1\.00 more than --max-drop"):
        export(recipe)
    assert recipe.output is not None
    assert not Path(recipe.output).exists()
    bundle = export(dataclasses.replace(recipe, max_drop=3.0))
    assert bundle.manifest.verification["accuracy"]["drop"] == 3.0


def test_what_a_cpu_does_not_compute_as_written_is_compared_as_tried(
    rounding: RoundedWeights, recipe: Recipe, tmp_path: Path
) -> None:
    clip = generate_clip(5, ClipConfig(height=90, width=160, frames=8))
    write_video(clip, tmp_path / "in.mp4", 24.0)
    coarse = Scheme(
        "toy4",
        lambda making: Float32(),
        trial=lambda making: Spoiled(),
        as_written=False,
    )
    register_scheme(coarse, "ort")
    asked = dataclasses.replace(recipe, calib=tmp_path / "in.mp4", calib_frames=4)
    found = export(asked).manifest.verification
    assert found["loop"]["min_iou"] == 1.0
    assert found["toy4_loop"]["min_iou"] < 1.0
    assert found["agreement"]["source"] == "in.mp4"
    assert found["agreement"]["mean_iou"] < 1.0


class Spoiled(Float32):
    """Graphs whose large weights are a little off."""

    def render(self, model: onnx.ModelProto, spec: GraphSpec, size: int) -> Rendered:
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) > 100:
                values = onnx.numpy_helper.to_array(tensor) * np.float32(1.05)
                tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
        return Rendered(model, "toy4")


def test_blocks_are_no_part_of_styles_that_have_none() -> None:
    for target in list_targets():
        assert "block_size" not in target.to_json()["qdq"]
    style = get_target("arm64").qdq._replace(block_size=16)
    assert style.to_json()["block_size"] == 16
    with pytest.raises(CalibrationError, match="blocks of 16 weights"):
        Int8(None, None, style)  # type: ignore[arg-type]
