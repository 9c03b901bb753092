"""What `doctor` says of a bundle for TensorRT."""

import shutil
import sys
from pathlib import Path

import pytest

from sam2lite.device import doctor
from sam2lite.device.app import main
from sam2lite.device.ort import checks as ort_checks
from sam2lite.device.tensorrt import checks as tensorrt_checks
from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.tensorrt import cuda
from sam2lite.runtimes.backends.tensorrt.cuda import CudaDevice
from sam2lite.runtimes.bundle import read_manifest
from sam2lite.runtimes.commands.machine_checks import ABSENT, MISSING, OK, WARNING, Check, can_track
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.registry import get_target
from tests.doubles.tensorrt_builder import Scenario, make_module
from tests.doubles.trt_bundle import KEYS, PLAN, write_trt_bundle

NANO = CudaDevice("NVIDIA Tegra X1", "5.3", 4 << 30)


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Jetson Nano with TensorRT 8.2."""
    monkeypatch.setattr(cuda, "probe", lambda: NANO)
    monkeypatch.setitem(sys.modules, "tensorrt", make_module(Scenario()))


def checks(bundle: Path) -> dict[str, Check]:
    return {check.name: check for check in doctor.run_checks(str(bundle))}


def build(bundle: Path, *options: str) -> None:
    assert main(["build", "--bundle", str(bundle), "--in-process", *options]) == 0


@pytest.mark.usefixtures("board")
def test_engines_are_counted(tmp_path: Path) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    found = checks(bundle)
    assert found["CUDA"].value == "NVIDIA Tegra X1, compute capability 5.3, 4096 MiB"
    assert (found["TensorRT"].status, found["TensorRT"].value) == (OK, "8.2.1.8")
    engines = found["Engines"]
    assert engines.status == MISSING
    assert engines.value == f"0 of 7 built; the engine of {KEYS[0]} is not built yet"
    assert "run: python3 device.pyz build" in engines.remedy
    assert not can_track(list(found.values()))

    build(bundle, "--rungs", "240")
    engines = checks(bundle)["Engines"]
    assert (engines.status, engines.value[:12]) == (WARNING, "4 of 7 built")
    assert engines.remedy.endswith("until then --rung 240")
    assert can_track(list(checks(bundle).values()))

    build(bundle)
    assert checks(bundle)["Engines"] == Check("Engines", OK, "7 of 7 built", required=True)

    (bundle / "engines" / f"{KEYS[0]}.engine").write_bytes(b"other")
    assert "is damaged" in checks(bundle)["Engines"].value


@pytest.mark.usefixtures("board")
def test_engines_without_the_shared_graph_do_not_run(tmp_path: Path) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    build(bundle, "--only", *KEYS[:3])
    assert checks(bundle)["Engines"].status == MISSING


@pytest.mark.usefixtures("board")
def test_onnxruntime_is_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    build(bundle)
    lacking = Check("ONNX Runtime", MISSING, "no module", "pip install it", required=True)
    monkeypatch.setattr(ort_checks, "check_onnxruntime", lambda installs: lacking)
    found = checks(bundle)
    assert found["ONNX Runtime"] == Check("ONNX Runtime", OK, "not used: no module")
    assert can_track(list(found.values()))


def test_for_onnxruntime_tensorrt_is_not_needed(
    device_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    found = checks(device_bundle)
    assert found["TensorRT"].status == OK
    assert found["TensorRT"].value.startswith("not used: ")
    assert "CUDA" not in found
    assert "Engines" not in found


@pytest.mark.usefixtures("board")
def test_another_generation_is_told(tmp_path: Path) -> None:
    bundle = write_trt_bundle(tmp_path / "b", PLAN._replace(tensorrt="10.3.0"))
    tensorrt = checks(bundle)["TensorRT"]
    assert tensorrt.status == MISSING
    assert "lowered for TensorRT 10.3.0, and here is 8.2.1.8" in tensorrt.value
    assert "--jetpack 4.6.6" in tensorrt.value


@pytest.mark.usefixtures("board")
def test_a_lost_plan_is_told(tmp_path: Path) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    (bundle / "plan.json").unlink()
    assert "plan.json" in checks(bundle)["TensorRT"].value
    assert not can_track(list(checks(bundle).values()))


@pytest.mark.usefixtures("board")
def test_without_a_gpu_tensorrt_is_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> CudaDevice:
        raise SessionError("there is no GPU; get one")

    monkeypatch.setattr(cuda, "probe", fail)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    found = checks(write_trt_bundle(tmp_path / "b"))
    assert found["CUDA"].value == "there is no GPU; get one"
    assert found["TensorRT"].value.startswith("not tried without a CUDA device")
    assert not can_track(list(found.values()))


@pytest.mark.usefixtures("board")
def test_without_tensorrt_the_remedy_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    tensorrt = checks(write_trt_bundle(tmp_path / "b"))["TensorRT"]
    assert tensorrt.status == MISSING
    assert "sudo apt install python3-libnvinfer" in tensorrt.value


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize(
    ("here", "status"), [("jetson-nano", OK), ("jetson-agx-orin", WARNING), (None, OK)]
)
def test_the_board_is_compared(
    here: str | None, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile: TargetProfile | None = get_target(here) if here else None
    monkeypatch.setattr(tensorrt_checks, "board_target", lambda device: profile)
    check = checks(write_trt_bundle(tmp_path / "b"))["Bundle"]
    assert check.status == status
    assert ("--target jetson-agx-orin" in check.remedy) == (status == WARNING)


@pytest.mark.usefixtures("board")
def test_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_trt_bundle(tmp_path / "b")
    assert main(["doctor", "--bundle", str(bundle)]) == 1
    assert "missing  Engines        0 of 7 built" in capsys.readouterr().out
    shutil.rmtree(bundle / "graphs")
    assert "A board" in checks(bundle)["Bundle"].value


def test_a_bundle_that_no_board_runs_is_told(
    device_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = read_manifest(str(device_bundle))
    for_core_ml = (real[0]._replace(backend="coreml"), real[1])
    monkeypatch.setattr(doctor, "read_manifest", lambda path: for_core_ml)
    check = checks(device_bundle)["Bundle"]
    assert check.status == MISSING
    assert check.value == "bundles for Core ML do not run on a board; export one that does"


def test_without_a_bundle_what_is_installed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    found = checks(tmp_path)
    assert found["Bundle"].remedy == "copy the bundle again"
    assert found["ONNX Runtime"].status == OK
    assert found["TensorRT"].status == ABSENT
