"""`export` and `preview`: what they refuse before any work, and that nothing is written then."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import sam2lite
from sam2lite.errors import (
    ArgumentError,
    DependencyError,
    OutputError,
    RecipeError,
    Sam2LiteError,
    UnknownNameError,
)
from sam2lite.exporter.backends import exporter_of
from sam2lite.exporter.export import export, preview
from sam2lite.exporter.recipe import ALWAYS, FIELDS, Recipe
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.network import build
from tests.conftest import MINI

# A target of each backend, and the precisions it is asked for in.
SERVED = {
    ("ort", "x86-64"): ("fp32", "fp16", "int8", "w4", "w4a8"),
    ("trt", "jetson-orin-nano"): ("fp32", "fp16", "int8"),
    ("coreml", "ios18"): ("fp16", "int8", "w8a8", "int4", "palette6", "palette4"),
    ("onnx", None): ("fp32", "fp16"),
}
FOOTAGE = {"calib", "calib_frames", "calib_seed"}
INT8 = FOOTAGE | {"observer", "ranges", "keep_float", "max_drop", "accept_drop"}
FOUR_BITS = INT8 - {"observer", "ranges"}
# What is used beside `ALWAYS`, written down a second time.
WHATEVER = {
    "ort": {"opset", "device_app", "skip_passes"},
    "trt": {"jetpack", "tensorrt", "fallback", "skip_passes"},
    "coreml": FOOTAGE | {"fallback"},
    "onnx": {"opset", "check_for", "skip_passes"},
}
BY_PRECISION = {
    ("ort", "fp16"): {"calib"},  # without it, there is nothing to draw from
    ("ort", "int8"): INT8 | {"quant"},
    ("ort", "w4"): FOUR_BITS | {"quant"},
    ("ort", "w4a8"): FOUR_BITS | {"quant"},
    ("trt", "fp16"): FOOTAGE,
    ("trt", "int8"): INT8,
    ("onnx", "fp16"): FOOTAGE,
}
VALUES: dict[str, Any] = {
    "opset": 17,
    "jetpack": "6.2",
    "tensorrt": "10.3",
    "fallback": True,
    "device_app": True,
    "calib": "nowhere.mp4",
    "calib_frames": 8,
    "calib_seed": 0,
    "observer": "minmax",
    "ranges": "nowhere.json",
    "keep_float": ["mask_decoder.*"],
    "quant": {"smooth": {"enabled": True}},
    "max_drop": 0.0,
    "accept_drop": True,
    "skip_passes": ["fuse"],
    "check_for": "jetson-nano",
    "runtime": "nowhere.tgz",
}
CASES = [
    (backend, target, precision, field)
    for (backend, target), precisions in SERVED.items()
    for precision in precisions
    for field in VALUES
]


def is_used(backend: str, precision: str, field: str) -> bool:
    return field in WHATEVER[backend] | BY_PRECISION.get((backend, precision), set())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model") / "mini"
    save_checkpoint(build(MINI, 3), folder)
    return str(folder)


def test_every_field_is_always_used_or_tried_here() -> None:
    assert set(VALUES) | ALWAYS == set(FIELDS)


def test_every_precision_is_tried_here() -> None:
    for (backend, target), precisions in SERVED.items():
        exporter = exporter_of(backend)
        known = exporter.precisions(exporter.target(Recipe(backend=backend, target=target)))
        assert tuple(known) == precisions


@pytest.mark.parametrize(
    ("backend", "target", "precision", "field"),
    [case for case in CASES if not is_used(case[0], case[2], case[3])],
)
def test_a_field_that_nobody_would_use_is_refused(
    backend: str, target: str | None, precision: str, field: str, tmp_path: Path
) -> None:
    recipe = Recipe(
        backend=backend,
        target=target,
        precision=precision,
        output=tmp_path / "b",
        **{field: VALUES[field]},
    )
    recipe.save(tmp_path / "r.yaml")
    for asked in (recipe, Recipe.load(tmp_path / "r.yaml")):
        for call in (preview, export):
            with pytest.raises(RecipeError) as caught:
                call(asked)
            assert caught.value.field == field
            assert f"`{field}` is not used by {backend} in {precision}" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["r.yaml"]


@pytest.mark.parametrize(
    ("backend", "target", "precision", "field"),
    [case for case in CASES if is_used(case[0], case[2], case[3]) and case[3] != "skip_passes"],
)
def test_a_field_that_is_used_is_not_refused(
    backend: str, target: str | None, precision: str, field: str, model: str
) -> None:
    recipe = Recipe(
        model=model,
        backend=backend,
        target=target,
        precision=precision,
        output="b",
        **{field: VALUES[field]},
    )
    assert preview(recipe).precision == precision


def test_the_message_says_what_would_use_a_field() -> None:
    with pytest.raises(RecipeError, match=r"or choose `precision` fp16 or int8$"):
        preview(Recipe(backend="trt", target="jetson-orin-nano", precision="fp32", calib="a.mp4"))


def test_what_the_fallback_does_not_use_is_refused_with_the_reason() -> None:
    recipe = Recipe(backend="trt", target="jetson-nano", precision="int8", fallback=True)
    with pytest.raises(RecipeError, match="in fp16, which int8 falls back to on jetson-nano"):
        preview(replace(recipe, max_drop=0.5))


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"output": None}, RecipeError, "`output` is not given"),
        ({"backend": "trt"}, RecipeError, "`target` must be given"),
        ({"backend": "onnx", "target": "x86-64"}, RecipeError, "`target` is 'x86-64'"),
        ({"backend": "onnx", "check_for": "arm64"}, RecipeError, "`check_for` is 'arm64'"),
        ({"backend": "onnx", "check_for": "jetson"}, UnknownNameError, "did you mean jetson"),
        ({"target": "jetson-nano"}, ArgumentError, "is for TensorRT"),
        ({"target": "abacus"}, UnknownNameError, "unknown target 'abacus'"),
        ({"precision": "int3"}, UnknownNameError, "unknown precision 'int3'"),
        ({"opset": 9}, ArgumentError, "opset 9 is not supported"),
        ({"sizes": [241]}, UnknownNameError, "241"),
        ({"model": "huge"}, UnknownNameError, "unknown model 'huge'"),
        ({"skip_passes": ["nosuch"]}, ArgumentError, "nosuch"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(
    given: dict[str, Any], error: type[Sam2LiteError], said: str, model: str, tmp_path: Path
) -> None:
    recipe = Recipe(**{"model": model, "output": tmp_path / "b", **given})
    for call in (preview, export):
        with pytest.raises(error) as caught:
            call(recipe)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_refused_before_any_work(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    monkeypatch.setattr("sam2lite.calibration.calibrate.calibrate", None)
    with pytest.raises(OutputError, match="is not empty"):
        export(Recipe(model=model, precision="int8", output=tmp_path))
    assert (tmp_path / "mine.txt").read_text() == "keep me"


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sam2lite.exporter.backends.find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=r"pip install .*\[export\]'"):
        sam2lite.export(Recipe(output="b"))


def test_a_preview_writes_nothing_and_says_what_it_is(model: str, tmp_path: Path) -> None:
    found = preview(Recipe(model=model, sizes=[240], output=tmp_path / "b"))
    assert found.graphs == [
        "image_encoder@240",
        "mask_decoder@240",
        "memory_encoder@240",
        "memory_select",
    ]
    assert found.to_json().keys() >= {"model", "target", "opset", "precision", "output"}
    plain = preview(Recipe(model=model, backend="onnx", output=tmp_path / "b")).to_json()
    assert plain.keys().isdisjoint({"target", "runtime", "check_for"})
    assert list(tmp_path.iterdir()) == []


def test_fp32_for_a_board_records_nothing(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sam2lite.calibration.calibrate.recorded", None)
    recipe = Recipe(model=model, backend="trt", target="jetson-nano", precision="fp32")
    bundle = export(replace(recipe, sizes=[240], output=tmp_path / "b"))
    assert (bundle.backend, bundle.manifest.precision) == ("trt", "fp32")
    assert bundle.manifest.calibration is None


def test_plain_graphs_come_as_a_bundle_too(model: str, tmp_path: Path) -> None:
    bundle = export(Recipe(model=model, backend="onnx", sizes=[240], output=tmp_path / "b"))
    assert (bundle.backend, bundle.path) == ("onnx", str(tmp_path / "b"))
    assert len(bundle.manifest.graphs) == 4
