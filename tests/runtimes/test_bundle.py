import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2lite.contracts.family import family_names
from sam2lite.errors import ArgumentError, BundleError, SessionError, UnknownNameError
from sam2lite.runtimes.backends.tensorrt import session as trt
from sam2lite.runtimes.bundle import open_bundle, read_manifest

Data = dict[str, Any]


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy to damage. Its graphs are links, so a test must replace a file, not write to it."""
    path = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, path, copy_function=os.link)
    manifest = path / "manifest.json"
    text = manifest.read_text()
    manifest.unlink()
    manifest.write_text(text)
    return path


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def edit(bundle: Path, change: Callable[[Data], object]) -> None:
    path = bundle / "manifest.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def refusal(bundle: Path) -> str:
    with pytest.raises(BundleError) as caught:
        open_bundle(str(bundle))
    message = str(caught.value)
    assert str(bundle) in message
    return message


def test_a_bundle_opens(bundle: Path) -> None:
    opened = open_bundle(str(bundle))
    assert opened.manifest.rungs == (240, 336, 480)
    assert opened.manifest.backend == "ort"
    assert opened.sha256 == hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest()
    opened.check_rung(336)
    with pytest.raises(UnknownNameError, match="unknown rung 288; known: 240, 336, 480"):
        opened.check_rung(288)


def test_a_path_object_will_do(bundle: Path) -> None:
    assert open_bundle(bundle).path == str(bundle)  # type: ignore[arg-type]


def test_the_manifest_stands_for_its_folder(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_bundle(str(bundle / "manifest.json")).path == str(bundle)
    assert read_manifest(str(bundle / "manifest.json")) == read_manifest(str(bundle))
    monkeypatch.chdir(bundle)
    assert open_bundle("manifest.json").path == "."


def test_another_file_is_no_bundle(bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"memory_select.onnx is a file; a bundle is the folder"):
        open_bundle(str(bundle / "graphs" / "memory_select.onnx"))


def test_one_flipped_bit_is_found(bundle: Path) -> None:
    path = bundle / "graphs" / "memory_select.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    replace(path, bytes(content))
    message = refusal(bundle)
    assert "graphs/memory_select.onnx was changed" in message
    assert "SHA-256" in message


def test_a_file_cut_short_is_found(bundle: Path) -> None:
    path = bundle / "graphs" / "memory_select.onnx"
    replace(path, path.read_bytes()[:-1])
    assert "the manifest says" in refusal(bundle)


def test_a_missing_file_is_named(bundle: Path) -> None:
    name = sorted((bundle / "graphs").iterdir())[0]
    name.unlink()
    assert f"the file graphs/{name.name} is missing" in refusal(bundle)


@pytest.mark.parametrize(
    ("version", "remedy"), [(3, "upgrade sam2lite"), (0, "export the bundle again")]
)
def test_another_schema_version_says_what_to_do(bundle: Path, version: int, remedy: str) -> None:
    edit(bundle, lambda data: data.update(schema_version=version))
    message = refusal(bundle)
    assert f"schema version {version}" in message
    assert remedy in message


@pytest.mark.parametrize("absolute", [False, True])
def test_no_path_may_leave_the_bundle(bundle: Path, absolute: bool) -> None:
    outside = bundle.parent / "outside.onnx"
    content = (bundle / "graphs" / "memory_select.onnx").read_bytes()
    outside.write_bytes(content)
    entry = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    name = str(outside) if absolute else "../outside.onnx"
    edit(bundle, lambda data: data["files"].update({name: entry}))
    edit(bundle, lambda data: data["graphs"]["memory_select"].update(file=name))
    assert "may leave the folder" in refusal(bundle)


def test_no_link_may_leave_the_bundle(bundle: Path) -> None:
    path = bundle / "graphs" / "memory_select.onnx"
    outside = path.rename(bundle.parent / "outside.onnx")
    path.symlink_to(outside)
    assert "memory_select.onnx' is a link, which could lead anywhere" in refusal(bundle)


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    assert "sam2lite-export ort" in refusal(tmp_path / "missing")
    (tmp_path / "file").write_text("text")
    assert "a bundle is the folder that holds manifest.json" in refusal(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    assert "it has no manifest.json" in refusal(tmp_path / "empty")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not valid JSON"),
        (b'{"schema_version": 1', "not valid JSON"),
        (b"[]", "no schema_version"),
        (b"\xff\xfe", "not valid JSON"),
        (b"\xc3(", "not valid JSON"),
        (b'{"schema_version": 1}', "lacks or misstates a field"),
    ],
)
def test_a_manifest_that_cannot_be_read(bundle: Path, content: bytes, complaint: str) -> None:
    replace(bundle / "manifest.json", content)
    assert complaint in refusal(bundle)


def rename_input(data: Data) -> None:
    data["graphs"]["mask_decoder@240"]["inputs"][0]["name"] = "other"


def widen_output(data: Data) -> None:
    data["graphs"]["memory_encoder@336"]["outputs"][0]["shape"][1] += 1


def change_dtype(data: Data) -> None:
    data["graphs"]["image_encoder@480"]["inputs"][0]["dtype"] = "float32"


def swap_rungs(data: Data) -> None:
    graphs = data["graphs"]
    graphs["mask_decoder@240"] = graphs["mask_decoder@336"]


@pytest.mark.parametrize(
    ("change", "graph"),
    [
        (rename_input, "mask_decoder@240"),
        (widen_output, "memory_encoder@336"),
        (change_dtype, "image_encoder@480"),
        (swap_rungs, "mask_decoder@240"),
    ],
)
def test_tensors_must_be_those_of_the_contract(
    bundle: Path, change: Callable[[Data], None], graph: str
) -> None:
    edit(bundle, change)
    assert f"the tensors of {graph} are not those of the contract" in refusal(bundle)


def test_a_rung_without_its_graphs_is_refused(bundle: Path) -> None:
    edit(bundle, lambda data: data["graphs"].pop("mask_decoder@336"))
    assert "lacks the graphs mask_decoder@336" in refusal(bundle)


def test_what_the_loop_reads_must_be_the_familys(bundle: Path) -> None:
    edit(bundle, lambda data: data.update(stages=["image_encoder", "mask_decoder"]))
    assert "stages are image_encoder, mask_decoder, but the graphs of SAM2-Lite" in refusal(bundle)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("mask_stride", 0, "mask_stride is 0 px, but masks of SAM2-Lite have 4 px"),
        ("mask_threshold", "high", "postprocess.mask_threshold is 'high', not a number"),
        ("object_score_threshold", None, "object_score_threshold is None, not a number"),
    ],
)
def test_thresholds_and_stride_must_be_usable(
    bundle: Path, field: str, value: Any, named: str
) -> None:
    edit(bundle, lambda data: data["postprocess"].update({field: value}))
    assert named in refusal(bundle)


def test_a_bundle_without_rungs_is_refused(bundle: Path) -> None:
    edit(bundle, lambda data: data.update(rungs=[]))
    assert "rungs is a list of 0, not a list of 1 to 64" in refusal(bundle)


def test_a_graph_must_be_a_listed_file(bundle: Path) -> None:
    edit(bundle, lambda data: data["graphs"]["memory_select"].update(file="graphs/other.onnx"))
    assert "unlisted file graphs/other.onnx" in refusal(bundle)


def test_an_unknown_family_is_refused(bundle: Path) -> None:
    edit(bundle, lambda data: data["model"].update(family="other"))
    message = refusal(bundle)
    known = ", ".join(family_names())
    assert message.endswith(f"unknown model family 'other'; known: {known}; upgrade sam2lite")


def test_a_backend_without_an_adapter_is_refused(bundle: Path) -> None:
    edit(bundle, lambda data: data.update(backend="tpu"))
    assert (
        "made for backend 'tpu'; this version runs coreml and openvino and ort and trt"
        in refusal(bundle)
    )


def test_a_backend_that_does_not_run_a_bundle_is_refused(bundle: Path) -> None:
    with pytest.raises(ArgumentError, match=r"--backend is 'trt', but .* can be run by ort"):
        open_bundle(str(bundle), "trt")


def test_images_have_the_type_of_the_backend(bundle: Path) -> None:
    edit(bundle, lambda data: data.update(backend="trt"))
    assert "the tensors of image_encoder@240 are not those of the contract" in refusal(bundle)


def test_a_bundle_for_tensorrt_runs_in_onnx_runtime_where_that_is_said(nano_bundle: Path) -> None:
    assert open_bundle(str(nano_bundle)).backend == "trt"
    opened = open_bundle(str(nano_bundle), "ort")
    image = np.zeros((1, 3, 240, 240), np.float32)
    with opened.open_session("image_encoder@240") as encoder:
        features = encoder.run({"image_bchw": image})["features_s4_bchw"]
        assert np.isfinite(encoder.numpy(features)).all()


@pytest.mark.skipif(trt.is_available()[0], reason="TensorRT runs here")
def test_without_a_gpu_a_session_says_what_is_missing(nano_bundle: Path) -> None:
    with pytest.raises(SessionError, match="--backend ort"):
        open_bundle(str(nano_bundle)).open_session("image_encoder@240")


@pytest.mark.parametrize(
    ("aspect", "said"),
    [
        ([3, 2], "SAM2-Lite takes square inputs alone, not 3:2"),
        ([7, 4], "240 px of the form 7:4 have no whole height"),
        ([0, 1], "preprocess.aspect"),
        ([1 << 20, 1], "preprocess.aspect"),
        ([1], "preprocess.aspect"),
        ("1:1", "preprocess.aspect"),
        (None, "preprocess.aspect"),
    ],
)
def test_a_form_that_its_family_does_not_take(bundle: Path, aspect: Any, said: str) -> None:
    edit(bundle, lambda data: data["preprocess"].update(aspect=aspect))
    assert said in refusal(bundle)
