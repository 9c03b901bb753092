"""`device.pyz bench` in this process, with sensors and a camera that are simulated."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from sam2lite.device import app, bench
from sam2lite.device.clip_frames import open_footage
from sam2lite.device.sensors.find import Sensors
from sam2lite.device.sensors.power_rails import Rail
from sam2lite.device.sensors.thermal import Zone
from sam2lite.runtimes.backends.ort import session as ort
from sam2lite.runtimes.video import source as video_source
from sam2lite.runtimes.video.captured import CapturedFrame, now_ms


class SimulatedSource:
    """Stands for a live source whose every other frame is dropped."""

    is_live = True

    def __init__(self) -> None:
        self.dropped_frames = 0
        self.is_closed = False

    def captured(self) -> Iterator[CapturedFrame]:
        while True:
            self.dropped_frames += 1
            image_bgr = np.full((72, 128, 3), self.dropped_frames % 256, np.uint8)
            yield CapturedFrame(image_bgr, 2 * self.dropped_frames, now_ms() - 50.0, None)

    def __enter__(self) -> "SimulatedSource":
        return self

    def __exit__(self, *error: object) -> None:
        self.is_closed = True


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> SimulatedSource:
    source = SimulatedSource()
    monkeypatch.setattr(video_source, "open_source", lambda spec: source)
    return source


def test_power_and_drops_are_reported(
    device_bundle: Path,
    camera: SimulatedSource,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "power").write_text("4000\n")  # mW
    (tmp_path / "temp").write_text("99000\n")
    rail = Rail("POM_5V_IN", (str(tmp_path / "power"),), 1e-3)
    zone = Zone("CPU-therm", str(tmp_path / "temp"), 98.0)
    monkeypatch.setattr(ort, "share_threads", lambda threads: None)  # other tests export after it
    monkeypatch.setattr(bench, "find_sensors", lambda: Sensors([rail], [], [zone], []))
    file = tmp_path / "bench.json"
    arguments = ["--bundle", str(device_bundle), "--video", "csi:0", "--json", str(file)]
    assert app.main(["bench", *arguments, "--frames", "4", "--warmup", "2"]) == 0
    report = json.loads(file.read_text())
    assert report["dropped_frames"] == 4  # not those before the frames that count
    assert report["age_ms"]["p50"] > 50.0
    power = report["power"]
    assert (power["rail"], power["covers"], power["mean_w"]) == ("POM_5V_IN", "board", 4.0)
    assert power["joules_per_frame"] > 0
    shown = capsys.readouterr()
    assert "4 frames of the source came too fast and were dropped" in shown.out
    assert "J a frame; 4.00 W on average, 4.00 W at most, of the board (POM_5V_IN)" in shown.out
    assert "warning: CPU-therm reached 99.0 C" in shown.err
    assert camera.is_closed


def test_noise_drops_nothing_and_moves() -> None:
    with ExitStack() as stack:
        footage = open_footage(None, stack)
        first, second = islice(footage.frames, 2)
        assert footage.dropped_frames() == 0
    assert (first.image_bgr.shape, first.image_bgr.dtype) == ((720, 1280, 3), np.uint8)
    assert (first.image_bgr != second.image_bgr).any()


def test_a_live_source_tells_its_drops_as_they_are(camera: SimulatedSource) -> None:
    with ExitStack() as stack:
        footage = open_footage("csi:0", stack)
        assert footage.dropped_frames() == 0
        next(footage.frames)
        assert footage.dropped_frames() == 1
    assert camera.is_closed
