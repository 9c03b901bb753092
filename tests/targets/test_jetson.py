import json
from itertools import pairwise

import pytest

from sam2lite.errors import ArgumentError
from sam2lite.targets.apple import APPLE_TARGETS
from sam2lite.targets.cuda import CUDA_TARGETS
from sam2lite.targets.intel import INTEL_TARGETS
from sam2lite.targets.jetson import JETSON_TARGETS
from sam2lite.targets.precision import check_backend, check_precision
from sam2lite.targets.profile import QdqStyle, TargetProfile, TensorRt
from sam2lite.targets.registry import get_target, list_targets
from sam2lite.targets.tensorrt.ops import OPERATORS, newest_opset, not_taken, read_version
from sam2lite.targets.web import WEB_TARGETS

EACH = pytest.mark.parametrize("profile", JETSON_TARGETS, ids=lambda profile: profile.id)
WITHOUT_INT8 = {"jetson-nano", "jetson-tx2"}


def tensorrt(profile: TargetProfile) -> TensorRt:
    assert profile.tensorrt is not None
    return profile.tensorrt


@EACH
def test_every_fact_of_tensorrt_has_a_source(profile: TargetProfile) -> None:
    fields = TensorRt._fields[: TensorRt._fields.index("sources")]
    assert set(tensorrt(profile).sources) == set(fields)
    assert all(tensorrt(profile).sources.values())
    assert all(release.source for release in tensorrt(profile).jetpacks)


@EACH
def test_a_board_has_the_tensorrt_that_graphs_are_made_for(profile: TargetProfile) -> None:
    sheet = tensorrt(profile)
    releases = sheet.jetpacks
    installs = {release.name: release.tensorrt for release in releases}
    assert installs[sheet.jetpack or ""] == sheet.version
    for release in releases:
        for version in (release.tensorrt, release.other_tensorrt):
            assert version is None or read_version(version)


@EACH
def test_the_parser_takes_what_is_exported(profile: TargetProfile) -> None:
    version = read_version(tensorrt(profile).version)
    assert tensorrt(profile).parser_opset == newest_opset(version)
    assert profile.opset <= tensorrt(profile).parser_opset
    # From opset 17 on, the exporter writes layer norm as one operator.
    assert profile.opset < 17 or OPERATORS["LayerNormalization"] <= version


@EACH
def test_int8_is_symmetric(profile: TargetProfile) -> None:
    style = QdqStyle("int8", 0, "int8", weight_bits=8, per_channel=True, codes_stored=False)
    assert profile.qdq == style


@EACH
def test_int8_is_refused_where_the_gpu_has_none(profile: TargetProfile) -> None:
    assert check_precision(profile, "fp16").in_silicon
    if profile.id in WITHOUT_INT8:
        with pytest.raises(ArgumentError, match=r"GPU.*--precision fp16"):
            check_precision(profile, "int8")
    else:
        assert check_precision(profile, "int8").in_silicon


@EACH
def test_a_jetson_is_not_for_onnx_runtime(profile: TargetProfile) -> None:
    with pytest.raises(ArgumentError, match=f"'{profile.id}' is for TensorRT.*--target arm64"):
        check_backend(profile, "ort")


def test_every_other_target_but_gpus_is_for_onnx_runtime() -> None:
    others = [profile for profile in list_targets() if profile.backend == "ort"]
    beside = (*JETSON_TARGETS, *CUDA_TARGETS, *INTEL_TARGETS, *APPLE_TARGETS, *WEB_TARGETS)
    assert [*others, *beside] == list_targets()
    for profile in others:
        check_backend(profile, "ort")
        assert profile.tensorrt is None
        assert profile.to_json()["tensorrt"] is None


def test_what_is_inferred_says_so() -> None:
    assert "inferred" in get_target("jetson-tx2").sources["bandwidth_gb_s"]
    assert "inferred" in tensorrt(get_target("jetson-thor")).sources["version"]
    assert "inferred" not in get_target("jetson-nano").sources["bandwidth_gb_s"]


def test_dla() -> None:
    have = {profile.id for profile in JETSON_TARGETS if tensorrt(profile).dla}
    assert have == {"jetson-xavier-nx", "jetson-agx-xavier", "jetson-orin-nx", "jetson-agx-orin"}


def test_tensorrt_survives_json() -> None:
    data = json.loads(json.dumps(get_target("jetson-orin-nano").to_json()))
    assert [release["name"] for release in data["tensorrt"]["jetpacks"]] == [
        "5.1.6",
        "6.0",
        "6.2.2",
        "7.2.2",
    ]
    assert data["tensorrt"]["compute_capability"] == "8.7"
    assert data["detection"]["compatible"] == "nvidia,tegra234"


def test_what_a_parser_does_not_take_shrinks() -> None:
    versions = ["8.2", "8.4", "8.5", "8.6", "10.3", "10.16", "11.1"]
    lacks = [set(not_taken(read_version(version))) for version in versions]
    assert all(newer <= older for older, newer in pairwise(lacks))
    assert {"UINT8 at the border", "LayerNormalization", "Trilu"} <= lacks[0]
    assert lacks[-1] == set()
