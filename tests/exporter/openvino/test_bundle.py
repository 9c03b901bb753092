"""Bundles for OpenVINO: standard ONNX, checked in what is here, INT8 that it computes in INT8."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import sam2lite
from sam2lite.calibration.calibrate import CalibrationSettings, calibrate
from sam2lite.data.clips import ClipConfig, first_click, generate_clip
from sam2lite.errors import ArgumentError, RecipeError, VerificationError
from sam2lite.exporter.bundle.writer import write_trial_bundle
from sam2lite.exporter.openvino import graph_check
from sam2lite.exporter.openvino.backend import EXPORTER
from sam2lite.exporter.precision.int8 import Int8, all_layers
from sam2lite.exporter.precision.scheme import Float32
from sam2lite.exporter.precision.schemes import Making
from sam2lite.exporter.recipe import Recipe
from sam2lite.exporter.verify.check import verify
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2.family import HOST as SAM2
from sam2lite.runtimes.backends.openvino.loading import judge_openvino, require_openvino
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.targets.registry import get_target
from tests.oracles.scenarios import SIDE
from tests.oracles.telling_networks import small_network

HERE, WHY_NOT = judge_openvino()
needs_openvino = pytest.mark.skipif(not HERE, reason=WHY_NOT)
TARGET = get_target("intel-cpu")


@pytest.fixture
def folder(openvino_bundle: Path) -> Path:
    return openvino_bundle


@pytest.fixture(scope="module")
def int8_folder(mini_model: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    scratch = tmp_path_factory.mktemp("int8")
    ranges = calibrate(mini_model, (240,), CalibrationSettings(frames=8), scratch).ranges
    plan = all_layers(Making(mini_model, TARGET, ranges=ranges))
    scheme = Int8(ranges, plan, TARGET.qdq)
    write_trial_bundle(mini_model, TARGET, 240, scheme, scratch / "bundle")
    return scratch / "bundle"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def masks(folder: Path, backend: str) -> list[np.ndarray]:
    clip = generate_clip(1, ClipConfig(height=60, width=80, frames=6))
    frames = [frame_rgb[..., ::-1].copy() for frame_rgb in clip.frames_rgb_thwc]
    with VideoSegmenter(open_bundle(str(folder), backend), threads=1) as segmenter:
        segmenter.prompt(frames[0], points=[first_click(clip, clip.object_ids[0])], frame_index=0)
        return [
            segmenter.track(frame, frame_index=index).objects[1].mask.copy()
            for index, frame in enumerate(frames)
        ]


def test_a_bundle_says_what_it_was_checked_with(folder: Path) -> None:
    bundle = open_bundle(str(folder))
    assert bundle.backend == "openvino"
    found = bundle.manifest.verification["openvino"]
    if HERE:
        assert found["checked_with"].startswith("OpenVINO 20")
        assert set(found["sqnr_db"]) == set(bundle.manifest.graphs)
    else:
        assert found == {"checked_with": f"ONNX Runtime: {WHY_NOT.partition(';')[0]}"}
    assert bundle.manifest.verification["loop"]["min_iou"] == 1.0


def test_it_runs_and_is_verified_in_onnx_runtime_where_there_is_no_openvino(
    folder: Path, mini_model: LoadedModel
) -> None:
    assert verify(folder, backend="ort")["graphs"] == "4 open and run by ort"
    assert any(mask.any() for mask in masks(folder, "ort"))


def test_operators_are_those_of_the_standard(folder: Path, int8_folder: Path) -> None:
    for path in [*folder.glob("graphs/*.onnx"), *int8_folder.glob("graphs/*.onnx")]:
        model = onnx.load(path, load_external_data=False)
        assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}


@needs_openvino
def test_masks_are_those_of_onnx_runtime(folder: Path) -> None:
    for actual, expected in zip(masks(folder, "openvino"), masks(folder, "ort"), strict=True):
        np.testing.assert_array_equal(actual, expected)


@needs_openvino
def test_all_layers_that_are_quantized_compute_in_int8(int8_folder: Path) -> None:
    core = require_openvino().Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    for path in int8_folder.glob("graphs/*@240.onnx"):
        compiled = core.compile_model(core.read_model(str(path)), "CPU", settings)
        operators = [node.op_type for node in onnx.load(path, load_external_data=False).graph.node]
        kinds = ("Convolution", "FullyConnected")
        found = [_facts(node) for node in compiled.get_runtime_model().get_ops()]
        in_int8 = [kind for kind, type_ in found if kind in kinds and type_ in ("u8", "i8")]
        if "QuantizeLinear" in operators:
            weighted = operators.count("Conv") + operators.count("Gemm")
            assert len(in_int8) >= 0.7 * weighted, path.name


def _facts(node: Any) -> tuple[str, str]:
    facts = node.get_rt_info()
    return str(facts["layerType"].astype(str)), str(facts["runtimePrecision"].astype(str))


@needs_openvino
def test_int8_masks_are_as_far_from_fp32_as_those_of_onnx_runtime(
    folder: Path, int8_folder: Path
) -> None:
    expected = masks(folder, "ort")
    ours, theirs = (
        float(
            np.mean([_iou(a, b) for a, b in zip(masks(int8_folder, name), expected, strict=True)])
        )
        for name in ("openvino", "ort")
    )
    assert ours > theirs - 0.1


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


@pytest.mark.slow
@needs_openvino
def test_graphs_of_another_family_are_those_of_onnx_runtime(tmp_path: Path) -> None:
    network = small_network()
    loaded = SAM2.untrained(network, network.config)
    write_trial_bundle(loaded, TARGET, SIDE, Float32(), tmp_path / "bundle")
    manifest = open_bundle(str(tmp_path / "bundle")).manifest
    found = graph_check.checked(tmp_path / "bundle", manifest)["sqnr_db"]
    assert all(ratio > 90 for ratios in found.values() for ratio in ratios.values())


def test_a_graph_that_is_computed_wrongly_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = open_bundle(str(folder), "ort")

    class Wrong(Bundle):
        def open_session(self, key: str, *args: Any, **kwargs: Any) -> Any:
            session = super().open_session(key, *args, **kwargs)
            run = session.run
            session.run = lambda inputs: {  # type: ignore[method-assign]
                name: session.numpy(value) * np.float32(1.001)
                for name, value in run(inputs).items()
            }
            return session

    wrong = Wrong(here.path, here.manifest, here.sha256, "ort")
    monkeypatch.setattr(graph_check, "open_here", lambda folder: wrong)
    monkeypatch.setattr(
        graph_check, "adapter_of", lambda name: type("", (), {"is_available": lambda: (True, "")})
    )
    with pytest.raises(VerificationError, match=r"in OpenVINO, .* dB are asked for in fp32"):
        graph_check.checked(folder, here.manifest)


def test_bf16_falls_back_where_the_chip_has_none(tmp_path: Path) -> None:
    n100, host = get_target("intel-n100"), TARGET
    recipe = Recipe(backend="openvino", precision="bf16", output=tmp_path / "b")
    assert EXPORTER.choose(recipe, host).name == "bf16"
    with pytest.raises(ArgumentError, match="does not serve bf16"):
        EXPORTER.choose(recipe, n100)
    falling = Recipe(backend="openvino", precision="bf16", fallback=True, output=tmp_path / "b")
    assert EXPORTER.choose(falling, n100).name == "fp32"


def test_targets_and_fields_of_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="'x86-64' is for ONNX Runtime"):
        sam2lite.export(Recipe(backend="openvino", target="x86-64", output=tmp_path / "b"))
    with pytest.raises(ArgumentError, match="'intel-n100' is for OpenVINO"):
        sam2lite.export(Recipe(backend="ort", target="intel-n100", output=tmp_path / "b"))
    with pytest.raises(RecipeError, match="`jetpack` is not used by openvino"):
        sam2lite.export(
            Recipe(backend="openvino", target="intel-cpu", jetpack="6", output=tmp_path / "b")
        )
