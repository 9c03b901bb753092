import pytest

from sam2lite.errors import ArgumentError
from sam2lite.targets.cuda import CUDA_TARGETS, cuda_target
from sam2lite.targets.precision import check_ort, check_precision
from sam2lite.targets.profile import TargetProfile, TensorRt
from sam2lite.targets.registry import get_target

EACH = pytest.mark.parametrize("profile", CUDA_TARGETS, ids=lambda profile: profile.id)


@EACH
def test_found_by_compute_capability(profile: TargetProfile) -> None:
    assert profile.tensorrt is not None
    capability = profile.tensorrt.compute_capability
    assert cuda_target(capability) == get_target(profile.id) == profile
    assert profile.id.endswith("sm" + capability.replace(".", ""))


@pytest.mark.parametrize("capability", ["8.7", "7.0", "86", "", "sm86"])
def test_compute_capability_without_a_target_lists_those_with_one(capability: str) -> None:
    with pytest.raises(
        ArgumentError, match=r"7\.5, 8\.0, 8\.6, 8\.9, 9\.0, 10\.0, 12\.0"
    ) as caught:
        cuda_target(capability)
    assert caught.value.exit_code == 2


@EACH
def test_every_fact_of_tensorrt_has_a_source(profile: TargetProfile) -> None:
    assert profile.tensorrt is not None
    fields = TensorRt._fields[: TensorRt._fields.index("sources")]
    assert set(profile.tensorrt.sources) == set(fields)
    assert all(profile.tensorrt.sources.values())
    assert profile.tensorrt.version in profile.tensorrt.versions


@EACH
def test_a_gpu_has_no_jetpack(profile: TargetProfile) -> None:
    assert profile.tensorrt is not None
    assert profile.tensorrt.jetpack is None
    assert profile.tensorrt.jetpacks == ()


@EACH
def test_all_have_tensor_cores_for_fp16_and_int8(profile: TargetProfile) -> None:
    assert "tensor cores" in check_precision(profile, "fp16").note
    assert check_precision(profile, "int8").in_silicon


@pytest.mark.parametrize(("capability", "fp8"), [("8.6", False), ("8.9", True), ("12.0", True)])
def test_fp8_begins_with_ada(capability: str, fp8: bool) -> None:
    tensorrt = cuda_target(capability).tensorrt
    assert tensorrt is not None
    assert ("no FP8" not in tensorrt.other_formats) is fp8


def test_a_gpu_is_not_for_onnx_runtime() -> None:
    with pytest.raises(ArgumentError, match=r"'cuda-x86-sm86' is for TensorRT.*--target x86-64"):
        check_ort(get_target("cuda-x86-sm86"))
