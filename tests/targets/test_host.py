import os
import platform
from collections.abc import Iterable

import pytest

from sam2lite.errors import ArgumentError
from sam2lite.targets.machine import Machine, parse_cpuinfo, read_machine
from sam2lite.targets.registry import get_target, host_target, jetson_host, list_targets
from sam2lite.targets.web import WEB_TARGETS

# Two cores with two hyper-threads each, as Linux interleaves them.
X86_CPUINFO = "\n\n".join(
    f"""processor\t: {cpu}
model name\t: Intel(R) Core(TM) i3-8130U CPU @ 2.20GHz
physical id\t: 0
core id\t\t: {cpu % 2}
flags\t\t: fpu sse4_1 avx avx2 fma"""
    for cpu in range(4)
)
PI_4_CPUINFO = (
    "\n\n".join(
        f"""processor\t: {cpu}
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU part\t: 0xd08"""
        for cpu in range(4)
    )
    + "\n\nRevision\t: d03114\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"
)


def machine(architecture: str, flags: Iterable[str] = (), compatible: str = "") -> Machine:
    return Machine(architecture, "a machine", 4, frozenset(flags), tuple(compatible.split()))


@pytest.mark.parametrize(
    ("found", "target"),
    [
        (machine("x86_64", ["avx2", "avx512f", "avx512_vnni"]), "x86-64-vnni"),
        (machine("x86_64", ["avx2", "avx_vnni"]), "x86-64-vnni"),
        (machine("x86_64", ["avx2", "avx512f"]), "x86-64"),
        (machine("amd64"), "x86-64"),  # Windows: no flags to read, so the careful choice
        (machine("aarch64", ["asimddp"], "raspberrypi,5-model-b brcm,bcm2712"), "raspberry-pi-5"),
        (machine("aarch64", [], "raspberrypi,5-compute-module brcm,bcm2712"), "raspberry-pi-5"),
        (machine("aarch64", ["asimd"], "raspberrypi,4-model-b brcm,bcm2711"), "raspberry-pi-4"),
        (machine("aarch64", ["asimd"], "raspberrypi,3-model-b brcm,bcm2837"), "arm64"),
        (machine("aarch64", ["asimddp", "i8mm"]), "arm64"),
        (machine("arm64"), "arm64"),  # macOS
        # A Jetson is its CPU to ONNX Runtime.
        (machine("aarch64", [], "nvidia,p3450-0000 nvidia,jetson-nano nvidia,tegra210"), "arm64"),
        (machine("aarch64", ["asimddp"], "nvidia,p3767-0003 nvidia,tegra234"), "arm64"),
    ],
)
def test_host_is_found_by_the_marks_of_the_machine(found: Machine, target: str) -> None:
    assert host_target(found).id == target


@pytest.mark.parametrize("architecture", ["armv7l", "i686", "riscv64", ""])
def test_machine_without_a_target_is_refused(architecture: str) -> None:
    # A 32-bit system on a Raspberry Pi 4 has the chip, but not the architecture.
    with pytest.raises(ArgumentError, match=f"'{architecture}'.*64-bit") as caught:
        host_target(machine(architecture, compatible="raspberrypi,4-model-b brcm,bcm2711"))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("compatible", "target"),
    [
        ("p3449-0000-b00+p3448-0000-b00 jetson-nano tegra210", "jetson-nano"),
        ("p3450-0000 tegra210", "jetson-nano"),
        ("quill tegra186", "jetson-tx2"),
        ("p3509-0000+p3636-0001 tegra186", "jetson-tx2"),
        ("p3509-0000+p3668-0001 p3668-0001 tegra194", "jetson-xavier-nx"),
        ("galen jetson-xavier p2822-0000+p2888-0001 tegra194", "jetson-agx-xavier"),
        ("p2972-0000 tegra194", "jetson-agx-xavier"),
        ("p3768-0000+p3767-0003 p3767-0003 tegra234 tegra23x", "jetson-orin-nano"),
        ("p3768-0000+p3767-0005-super p3767-0005 tegra234", "jetson-orin-nano"),
        ("p3509-0000+p3767-0000 p3767-0000 tegra234", "jetson-orin-nx"),
        ("p3768-0000+p3767-0001 tegra234", "jetson-orin-nx"),
        ("p3737-0000+p3701-0005 p3701-0005 tegra234", "jetson-agx-orin"),
        ("p4071-0000+p3834-0008 p3834-0008 tegra264", "jetson-thor"),
    ],
)
def test_jetson_is_found_by_its_board(compatible: str, target: str) -> None:
    tree = " ".join("nvidia," + entry for entry in compatible.split())
    found = jetson_host(machine("aarch64", compatible=tree))
    assert found == get_target(target)
    assert host_target(machine("aarch64", compatible=tree)).id == "arm64"


@pytest.mark.parametrize(
    "found",
    [
        machine("x86_64", ["avx2"]),
        machine("aarch64"),
        machine("aarch64", [], "raspberrypi,5-model-b brcm,bcm2712"),
        machine("aarch64", [], "nvidia,p2371-2180 nvidia,jetson-cv nvidia,tegra210"),  # TX1
        machine("aarch64", [], "nvidia,p9999-0000 nvidia,tegra234"),
        machine("aarch64", [], "nvidia,p37010-0000 nvidia,tegra234"),
        machine("aarch64", [], "nvidia,p3701-0000"),  # the board without its chip
    ],
)
def test_what_is_no_known_jetson_is_none(found: Machine) -> None:
    assert jetson_host(found) is None


def test_host_is_never_a_gpu() -> None:
    machines = [profile for profile in list_targets() if profile not in WEB_TARGETS]
    architectures = {profile.architecture for profile in machines}
    assert {host_target(machine(name)).backend for name in architectures} == {"ort"}


def test_host_of_this_machine() -> None:
    found = read_machine()
    assert found.architecture == platform.machine().lower()
    assert 1 <= found.cores <= (os.cpu_count() or 1)
    assert get_target("host") == host_target(found)


def test_hyper_threads_are_not_cores() -> None:
    cpuinfo = parse_cpuinfo(X86_CPUINFO)
    assert cpuinfo.cores == 2
    assert cpuinfo.model == "Intel(R) Core(TM) i3-8130U CPU @ 2.20GHz"
    assert cpuinfo.flags == {"fpu", "sse4_1", "avx", "avx2", "fma"}


def test_arm_cpuinfo_has_features_and_a_block_about_the_board() -> None:
    cpuinfo = parse_cpuinfo(PI_4_CPUINFO)
    assert cpuinfo.cores == 4
    assert cpuinfo.model == ""
    assert cpuinfo.flags == {"fp", "asimd", "evtstrm", "crc32", "cpuid"}


@pytest.mark.parametrize("text", ["", "\n\n", "no colon here", "flags : avx2"])
def test_unreadable_cpuinfo_says_nothing(text: str) -> None:
    assert parse_cpuinfo(text) == ("", 0, frozenset())
