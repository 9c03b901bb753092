from pathlib import Path

import pytest

from sam2lite.contracts.manifest import Manifest
from sam2lite.device.ort.checks import check_target
from sam2lite.device.versions import first_version, judge_onnxruntime, onnxruntime_for
from sam2lite.runtimes.bundle import read_manifest
from sam2lite.runtimes.commands.machine_checks import MISSING, OK, WARNING, Check
from sam2lite.targets.machine import Machine
from sam2lite.targets.registry import get_target


@pytest.fixture
def manifest(device_bundle: Path) -> Manifest:
    return read_manifest(str(device_bundle))[0]


def test_the_first_version_in_a_text() -> None:
    assert first_version("onnxruntime 1.20 or newer") == (1, 20)
    assert first_version("3.11 (Bookworm) or 3.13 (Trixie)") == (3, 11)
    assert first_version("any") is None


@pytest.mark.parametrize(
    ("version", "opset", "status", "remedy"),
    [
        ("1.31.1, CPUExecutionProvider", 17, OK, ""),
        # What the exporting package needs, 1.20, is nothing to a board.
        ("1.10.0, CPUExecutionProvider", 15, OK, ""),
        ("1.16.3, CPUExecutionProvider", 17, OK, ""),
        ("1.10.0, CPUExecutionProvider", 17, MISSING, "install 1.12 or newer, or export the "),
        ("1.10.0, CPUExecutionProvider", 17, MISSING, "--opset 15"),
        ("1.11.1, CPUExecutionProvider", 17, MISSING, "--opset 16"),
        ("1.13.1, CPUExecutionProvider", 20, MISSING, "--opset 17"),
        ("1.10.0, CPUExecutionProvider", 21, MISSING, "install 1.17 or newer"),
    ],
)
def test_onnxruntime_is_judged_by_opset(
    version: str, opset: int, status: str, remedy: str, manifest: Manifest
) -> None:
    check = Check("ONNX Runtime", OK, version, required=True)
    judged = judge_onnxruntime(check, manifest._replace(opset=opset))
    assert judged.status == status
    assert remedy in judged.remedy
    assert judged.remedy or judged == check


@pytest.mark.parametrize("opset", [13, 15, 17])
def test_no_other_opset_is_offered_where_none_would_do(opset: int, manifest: Manifest) -> None:
    check = Check("ONNX Runtime", OK, "1.9.0, CPUExecutionProvider", required=True)
    judged = judge_onnxruntime(check, manifest._replace(opset=opset))
    assert judged.status == MISSING
    assert "--opset" not in judged.remedy


def test_what_is_missing_stays_missing(manifest: Manifest) -> None:
    check = Check("ONNX Runtime", MISSING, "ImportError: libmissing.so.1.2", "reinstall")
    assert judge_onnxruntime(check, manifest) == check


def test_newer_opsets_need_newer_releases() -> None:
    needed = [onnxruntime_for(opset) for opset in range(13, 21)]
    assert needed == sorted(needed)


VNNI = Machine("x86_64", "a PC", 4, frozenset({"avx2", "avx512_vnni"}), ())
OLD_PC = VNNI._replace(cpu_flags=frozenset({"avx2"}))
BOARD = Machine("aarch64", "a board", 4, frozenset({"asimd"}), ())
PI_4 = BOARD._replace(compatible=("raspberrypi,4-model-b", "brcm,bcm2711"))
JETSON = BOARD._replace(compatible=("nvidia,p3450-0000", "nvidia,jetson-nano", "nvidia,tegra210"))
UNKNOWN = Machine("riscv64", "a board", 4, frozenset(), ())


@pytest.mark.parametrize(
    ("target", "precision", "machine", "advice"),
    [
        # FP32 computes the same everywhere.
        ("x86-64-vnni", "fp32", BOARD, ""),
        ("arm64", "fp32", OLD_PC, ""),
        ("raspberry-pi-5", "fp32", UNKNOWN, ""),
        ("x86-64-vnni", "fp16", PI_4, ""),
        # ARM's targets have one INT8.
        ("raspberry-pi-5", "int8", PI_4, ""),
        ("raspberry-pi-4", "int8", BOARD, ""),
        ("arm64", "int8", JETSON, ""),
        # On x86-64, weights of 7 bits do no harm; those of 8 do where sums saturate.
        ("x86-64", "int8", VNNI, ""),
        ("x86-64-vnni", "int8", OLD_PC, "--target x86-64"),
        ("raspberry-pi-4", "int8", VNNI, "--target x86-64-vnni"),
        ("raspberry-pi-4", "int8", OLD_PC, "--target x86-64"),
        ("x86-64", "int8", PI_4, "--target raspberry-pi-4"),
        ("x86-64-vnni", "int8", JETSON, "--target arm64"),
        ("arm64", "int8", UNKNOWN, "export it for this machine"),
    ],
)
def test_a_target_is_named_where_the_bundle_is_worse_off(
    target: str,
    precision: str,
    machine: Machine,
    advice: str,
    manifest: Manifest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sam2lite.device.ort.checks.read_machine", lambda: machine)
    graphs = {key: entry._replace(precision=precision) for key, entry in manifest.graphs.items()}
    made_for = get_target(target).to_json()
    check = check_target(manifest._replace(target=made_for, graphs=graphs))
    assert check.status == (WARNING if advice else OK)
    assert check.remedy.endswith(advice)
    assert f"in {precision} at opset" in check.value
    assert check.required


def test_a_target_of_others_is_no_fault(manifest: Manifest) -> None:
    check = check_target(manifest._replace(target={"id": "theirs", "title": "Their board"}))
    assert check.status == OK
    assert "Their board" in check.value
