"""What `doctor` looks at and says on Jetsons alone."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from sam2lite.device import doctor
from sam2lite.device.sensors.jetson import check_gstreamer, is_jetson
from sam2lite.runtimes.commands.machine_checks import MISSING, OK, WARNING, Check
from tests.doubles.trt_bundle import write_trt_bundle


def opencv(gstreamer: str) -> SimpleNamespace:
    """The OpenCV of JetPack 4, whose registry cannot say which backends there are."""
    said = f"  Video I/O:\n    FFMPEG:        YES\n    GStreamer:     {gstreamer}\n"
    return SimpleNamespace(__version__="4.1.1", getBuildInformation=lambda: said)


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("etc/nv_tegra_release", "# R32 (release), REVISION: 7.1", True),
        ("proc/device-tree/compatible", "nvidia,p3450-0000\0nvidia,tegra210\0", True),
        ("proc/device-tree/compatible", "raspberrypi,5-model-b\0brcm,bcm2712\0", False),
        ("etc/os-release", "ID=ubuntu", False),
    ],
)
def test_a_jetson_is_recognised(path: str, text: str, expected: bool, tmp_path: Path) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(text)
    assert is_jetson(str(tmp_path)) == expected


def test_gstreamer_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", opencv("YES (1.14.5)"))
    assert check_gstreamer() == Check("GStreamer", OK, "in OpenCV 4.1.1")
    monkeypatch.setitem(sys.modules, "cv2", opencv("NO"))
    check = check_gstreamer()
    assert (check.status, check.required) == (WARNING, False)
    assert "csi: cameras" in check.value
    assert "pip uninstall opencv-python" in check.remedy
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert check_gstreamer().value.startswith("unknown: ")


@pytest.mark.parametrize("on_jetson", [True, False])
@pytest.mark.parametrize(
    ("module", "name", "jetpack"),
    [
        ("cv2", "OpenCV", "sudo apt install nvidia-jetpack"),
        ("numpy", "NumPy", "sudo apt install python3-numpy"),
    ],
)
def test_remedies_leave_jetpack_whole(
    on_jetson: bool,
    module: str,
    name: str,
    jetpack: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "is_jetson", lambda: on_jetson)
    monkeypatch.setitem(sys.modules, module, None)
    checks = doctor.run_checks(str(write_trt_bundle(tmp_path / "b")))
    found = {check.name: check for check in checks}
    assert found[name].status == MISSING
    assert (jetpack in found[name].remedy) == on_jetson
    assert ("pip install" in found[name].remedy) == (not on_jetson)
    assert not on_jetson or not any("pip install" in check.remedy for check in checks)
    assert ("GStreamer" in found) == (on_jetson and module == "cv2")  # not tried without NumPy
