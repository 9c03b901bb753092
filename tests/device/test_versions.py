from pathlib import Path

import pytest

from sam2lite.contracts.manifest import Manifest
from sam2lite.device.ort.checks import check_target
from sam2lite.device.versions import first_version, judge_onnxruntime, onnxruntime_for
from sam2lite.runtimes.bundle import read_manifest
from sam2lite.runtimes.commands.machine_checks import MISSING, OK, WARNING, Check


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
        ("1.10.0, CPUExecutionProvider", 15, WARNING, "compare the masks"),
        ("1.10.0, CPUExecutionProvider", 17, MISSING, "install 1.12 or newer"),
        ("1.9.0, CPUExecutionProvider", 13, MISSING, "install 1.10 or newer"),
    ],
)
def test_onnxruntime_is_judged_by_opset_and_target(
    version: str, opset: int, status: str, remedy: str, manifest: Manifest
) -> None:
    check = Check("ONNX Runtime", OK, version, required=True)
    judged = judge_onnxruntime(check, manifest._replace(opset=opset))
    assert judged.status == status
    assert remedy in judged.remedy


def test_what_is_missing_stays_missing(manifest: Manifest) -> None:
    check = Check("ONNX Runtime", MISSING, "ImportError: libmissing.so.1.2", "reinstall")
    assert judge_onnxruntime(check, manifest) == check


def test_newer_opsets_need_newer_releases() -> None:
    needed = [onnxruntime_for(opset) for opset in range(13, 21)]
    assert needed == sorted(needed)


def test_a_bundle_for_another_machine_is_told(manifest: Manifest) -> None:
    assert check_target(manifest).status == OK
    other = {**manifest.target, "id": "raspberry-pi-5", "title": "Raspberry Pi 5"}
    check = check_target(manifest._replace(target=other))
    assert check.status == WARNING
    assert "Raspberry Pi 5" in check.value
    assert "--target" in check.remedy
