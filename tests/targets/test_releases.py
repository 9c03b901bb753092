import pytest

from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.targets.cuda import CUDA_TARGETS
from sam2lite.targets.jetpack import JETPACKS
from sam2lite.targets.jetson import JETSON_TARGETS
from sam2lite.targets.profile import TargetProfile, TensorRt
from sam2lite.targets.registry import get_target
from sam2lite.targets.releases import (
    tensorrts_of,
    with_installed,
    with_jetpack,
    with_tensorrt,
)
from sam2lite.targets.tensorrt.ops import export_opset, newest_opset, read_version


def tensorrt(profile: TargetProfile) -> TensorRt:
    assert profile.tensorrt is not None
    return profile.tensorrt


def releases_of(profile: TargetProfile) -> list[str]:
    return [release.name for release in tensorrt(profile).jetpacks]


def test_what_the_release_brings_changes_and_the_rest_stays() -> None:
    listed = get_target("jetson-xavier-nx")
    old = with_jetpack(listed, "4.6.6")
    assert (listed.opset, listed.python, listed.runtime) == (16, "3.8", "TensorRT 8.5.2")
    assert (old.opset, old.python, old.runtime) == (13, "3.6", "TensorRT 8.2.1")
    assert (tensorrt(old).version, tensorrt(old).parser_opset) == ("8.2.1", 13)
    assert "4.6.6" in old.os
    assert tensorrt(old).jetpack == "4.6.6"
    kept = ("id", "title", "precisions", "chip", "memory_mb", "qdq", "detection")
    assert all(getattr(old, field) == getattr(listed, field) for field in kept)
    assert tensorrt(old).jetpacks == tensorrt(listed).jetpacks


@pytest.mark.parametrize("profile", JETSON_TARGETS, ids=lambda profile: profile.id)
def test_every_fact_keeps_a_source_under_every_release(profile: TargetProfile) -> None:
    for name in releases_of(profile):
        moved = with_jetpack(profile, name)
        assert set(moved.sources) == set(profile.sources)
        assert set(tensorrt(moved).sources) == set(tensorrt(profile).sources)
        release = next(entry for entry in tensorrt(profile).jetpacks if entry.name == name)
        assert moved.sources["os"] == tensorrt(moved).sources["version"] == release.source


@pytest.mark.parametrize("profile", JETSON_TARGETS, ids=lambda profile: profile.id)
def test_a_board_is_listed_as_under_one_of_its_releases(profile: TargetProfile) -> None:
    name = tensorrt(profile).jetpack
    assert name is not None
    assert with_jetpack(profile, name) == profile


@pytest.mark.parametrize("name", ["6", "6.2", "6.2.2", "6.1"])
def test_names_that_mean_one_release(name: str) -> None:
    moved = with_jetpack(get_target("jetson-orin-nano"), name)
    assert tensorrt(moved).jetpack == "6.2.2"
    assert moved.os == "JetPack 6.1 to 6.2.2"


def test_a_name_in_full_is_no_abbreviation() -> None:
    assert tensorrt(with_jetpack(get_target("jetson-orin-nx"), "6.0")).version == "8.6.2"


def test_other_tensorrt_of_a_release() -> None:
    moved = with_jetpack(get_target("jetson-agx-xavier"), "5", "8.6")
    assert (moved.runtime, moved.opset) == ("TensorRT 8.6.0", 17)
    assert "5.1.6" in moved.os
    assert with_tensorrt(moved, "8.5.2") == with_jetpack(get_target("jetson-agx-xavier"), "5")


def test_tensorrt_of_a_gpu_without_jetpack() -> None:
    listed = get_target("cuda-x86-sm89")
    newer = with_tensorrt(listed, "11")
    assert read_version(tensorrt(listed).version)[0] == 10
    assert read_version(tensorrt(newer).version)[0] == 11
    assert newer.runtime == "TensorRT " + tensorrt(newer).version
    assert newer.os == listed.os


@pytest.mark.parametrize(
    ("target", "version"),
    [
        ("jetson-nano", "8.5"),
        ("jetson-orin-nano", "11.4.1"),
        ("cuda-x86-sm75", "8.6"),
        ("arm64", "10.3"),
    ],
)
def test_tensorrt_that_cannot_be_had(target: str, version: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        with_tensorrt(get_target(target), version)
    assert caught.value.exit_code == 2
    assert target in str(caught.value)


@pytest.mark.parametrize(
    ("target", "name", "why"),
    [
        ("jetson-nano", "6.2", "Jetson Nano, which ends with JetPack 4.6.6"),
        ("jetson-nano", "5", "Jetson Nano, which ends with JetPack 4.6.6"),
        ("jetson-agx-xavier", "7.2", "AGX Xavier, which ends with JetPack 5.1.6"),
        ("jetson-orin-nx", "4.6.1", "Orin NX, which begins with JetPack 5.1"),
        ("jetson-thor", "6.2.2", "Thor, which begins with JetPack 7.0"),
    ],
)
def test_release_of_other_boards_is_refused(target: str, name: str, why: str) -> None:
    with pytest.raises(ArgumentError, match=why) as caught:
        with_jetpack(get_target(target), name)
    assert caught.value.exit_code == 2
    assert all(known in str(caught.value) for known in releases_of(get_target(target)))


@pytest.mark.parametrize("name", ["", "3.3", "6.", "6.2.", "62", "latest"])
def test_release_that_never_was_lists_those_of_the_board(name: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        with_jetpack(get_target("jetson-thor"), name)
    assert caught.value.exit_code == 2
    assert all(known in str(caught.value) for known in ["7.0", "7.1", "7.2.2"])


@pytest.mark.parametrize("target", ["arm64", "cuda-x86-sm86"])
def test_jetpack_is_for_jetsons(target: str) -> None:
    with pytest.raises(ArgumentError, match=target):
        with_jetpack(get_target(target), "6")


@pytest.mark.parametrize(
    ("version", "opset"),
    [("8.2", 13), ("8.4", 16), ("8.5", 16), ("8.6", 17), ("10.3", 19), ("11.4", 19)],
)
def test_opset_of_export_follows_from_tensorrt(version: str, opset: int) -> None:
    assert export_opset(read_version(version)).value == opset


def test_every_tensorrt_of_every_target_is_known() -> None:
    versions = [version for release in JETPACKS for version in tensorrts_of(release)]
    versions += [version for gpu in CUDA_TARGETS for version in tensorrt(gpu).versions]
    for version in map(read_version, versions):
        assert export_opset(version).value <= newest_opset(version)


@pytest.mark.parametrize(
    ("target", "installed", "jetpack", "version", "opset"),
    [
        ("jetson-orin-nano", "10.3.0", "6.2.2", "10.3.0", 19),
        ("jetson-orin-nano", "8.6.2.3", "6.0", "8.6.2.3", 17),
        ("jetson-orin-nano", "10.9.0.34", "6.2.2", "10.9.0.34", 19),
        ("cuda-x86-sm86", "10.13.3.9.post1", None, "10.13.3.9", 19),
        ("cuda-x86-sm86", "8.6.1", None, "8.6.1", 17),
    ],
)
def test_what_is_installed_counts(
    target: str, installed: str, jetpack: str | None, version: str, opset: int
) -> None:
    found = with_installed(get_target(target), installed)
    assert found.tensorrt is not None
    assert (found.tensorrt.jetpack, found.tensorrt.version) == (jetpack, version)
    assert (found.opset, found.runtime) == (opset, f"TensorRT {version}")
    assert found.sources["runtime"] == "tensorrt.__version__ on this machine"


@pytest.mark.parametrize("installed", ["7.1.3", "12.0.0", "unknown"])
def test_nothing_is_known_of_what_is_installed(installed: str) -> None:
    with pytest.raises(ArgumentError):
        with_installed(get_target("cuda-x86-sm86"), installed)
