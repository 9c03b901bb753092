"""A bundle on another kind of processor than it was made for."""

from pathlib import Path

import pytest

from sam2lite.targets.advice.fit import misfits, usable_threads
from sam2lite.targets.cgroup import quota_cpus
from sam2lite.targets.machine import Machine, cores_within
from sam2lite.targets.registry import get_target, list_targets

VNNI = Machine("x86_64", "a PC", 4, frozenset({"avx2", "avx512_vnni"}), ())
OLD = Machine("x86_64", "an old PC", 2, frozenset({"avx2"}), ())
ARM = Machine("aarch64", "a board", 4, frozenset({"asimd"}), ())
MAC = Machine("arm64", "a Mac", 8, frozenset(), ())


def found(target: str, precision: str, machine: Machine) -> str:
    return "; ".join(misfits(get_target(target).to_json(), precision, machine))


def test_int8_for_vnni_is_noticed_without_it() -> None:
    assert not found("x86-64-vnni", "int8", VNNI)
    assert "sums saturate" in found("x86-64-vnni", "int8", OLD)
    assert "--target x86-64" in found("x86-64-vnni", "int8", OLD)
    assert not found("x86-64-vnni", "fp32", OLD)
    assert not found("x86-64", "int8", VNNI)


@pytest.mark.parametrize(
    ("target", "machine", "remedy"),
    [
        ("arm64", VNNI, "--target x86-64-vnni"),
        ("raspberry-pi-5", OLD, "--target x86-64"),
        ("x86-64", ARM, "--target arm64"),
        ("x86-64-vnni", MAC, "--target arm64"),
    ],
)
def test_another_architecture_is_noticed(target: str, machine: Machine, remedy: str) -> None:
    assert remedy in found(target, "int8", machine)
    assert remedy in found(target, "fp32+int8", machine)


@pytest.mark.parametrize(
    ("target", "machine", "remedy"),
    [
        # The remedy is a target of the same backend.
        ("intel-cpu", OLD, "--target intel-cpu-avx2"),
        ("intel-n100", OLD, "--target intel-cpu-avx2"),
        ("intel-cpu", ARM, "export it for this machine"),
        ("jetson-orin-nano", VNNI, "export it for this machine"),
        # An N100 has AVX-VNNI; its graphs are as good with AVX-512's.
        ("intel-n100", VNNI, ""),
        ("intel-cpu-avx2", VNNI, ""),
        ("intel-gpu", ARM, ""),  # graphs for a GPU do not depend on the CPU
        ("web", ARM, ""),
    ],
)
def test_targets_of_other_backends(target: str, machine: Machine, remedy: str) -> None:
    assert remedy in found(target, "int8", machine)
    assert bool(found(target, "int8", machine)) == bool(remedy)


def test_arm_boards_share_their_int8() -> None:
    assert not found("raspberry-pi-5", "int8", ARM)
    assert not found("arm64", "int8", MAC)


def test_more_threads_than_processors_are_noticed() -> None:
    pi = get_target("raspberry-pi-5").to_json()
    small = ARM._replace(cores=2)
    assert "4 threads" in "; ".join(misfits(pi, "fp32", small))
    assert usable_threads(pi["threads"], small) == 2
    assert usable_threads(pi["threads"], MAC) == 4
    assert usable_threads(None, small) == 2


def test_targets_of_others_say_nothing() -> None:
    for target in ({}, {"id": "theirs"}, {"id": 7}):
        assert not misfits(target, "int8", OLD)
    for profile in list_targets():  # none of them breaks
        misfits(profile.to_json(), "int8", OLD)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_tightest_quota_of_nested_groups_counts(tmp_path: Path) -> None:
    own = tmp_path / "own"
    write(own, "0::/a/b\n")
    root = tmp_path / "v2"
    assert quota_cpus(str(root), str(own)) is None
    write(root / "a" / "b" / "cpu.max", "max 100000\n")
    assert quota_cpus(str(root), str(own)) is None
    write(root / "a" / "cpu.max", "150000 100000\n")
    assert quota_cpus(str(root), str(own)) == 1.5
    write(root / "a" / "b" / "cpu.max", "50000 100000\n")
    assert quota_cpus(str(root), str(own)) == 0.5


def test_quotas_of_version_1_are_read(tmp_path: Path) -> None:
    own = tmp_path / "own"
    write(own, "4:memory:/x\n3:cpu,cpuacct:/docker/abc\n")
    write(tmp_path / "cpu" / "cpu.cfs_quota_us", "-1\n")
    write(tmp_path / "cpu" / "cpu.cfs_period_us", "100000\n")
    assert quota_cpus(str(tmp_path), str(own)) is None
    write(tmp_path / "cpu" / "cpu.cfs_quota_us", "250000\n")
    assert quota_cpus(str(tmp_path), str(own)) == 2.5
    assert quota_cpus(str(tmp_path), str(tmp_path / "missing")) is None


@pytest.mark.parametrize("text", ["", "x", "1 2 3", "100 0", "max", "-5 100"])
def test_what_is_no_quota_is_none(text: str, tmp_path: Path) -> None:
    write(tmp_path / "own", "0::/\n")
    write(tmp_path / "cpu.max", text)
    assert quota_cpus(str(tmp_path), str(tmp_path / "own")) is None


def test_a_quota_limits_cores() -> None:
    assert cores_within(8, None) == 8
    assert cores_within(8, 2.5) == 3
    assert cores_within(2, 4.0) == 2
    assert cores_within(4, 0.2) == 1
