import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import cv2
import numpy as np
import pytest

from sam2lite.errors import ArgumentError, VideoError
from sam2lite.runtimes.video import opencv_silence
from sam2lite.runtimes.video.frame_source import DEFAULT_FPS
from sam2lite.runtimes.video.opencv_silence import silence_opencv
from sam2lite.runtimes.video.source import open_source
from sam2lite.runtimes.video.writer import VideoWriter

STEP = 8  # grey levels between one frame and the next


def write_clip(path: Path, frames: int, fps: float = 25, noise: int = 0) -> Path:
    rng = np.random.default_rng(0)
    with VideoWriter(path, fps, 64, 48) as writer:
        for index in range(frames):
            frame = np.full((48, 64, 3), STEP * index % 256, np.uint8)
            writer.write(frame + rng.integers(0, noise + 1, frame.shape, np.uint8))
    return path


def write_images(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    for index, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((48, 64, 3), STEP * index, np.uint8))
    return folder


def indices(frames: list[np.ndarray]) -> list[int]:
    return [round(float(frame.mean()) / STEP) for frame in frames]


def test_a_file_gives_its_frames_in_order(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=12, fps=12.5)
    with open_source(str(path)) as source:
        assert (source.width, source.height, source.fps) == (64, 48, 12.5)
        assert (source.frame_count, source.is_live, source.dropped_frames) == (12, False, 0)
        assert source.name == str(path)
        frames = list(source)
        assert frames[0].dtype == np.uint8
        assert frames[0].shape == (48, 64, 3)
        assert indices(frames) == list(range(12))
        assert source.warning is None


def test_a_file_can_be_iterated_again(tmp_path: Path) -> None:
    source = open_source(write_clip(tmp_path / "clip.mp4", frames=5))
    assert indices([next(iter(source))]) == [0]
    assert indices(list(source)) == [0, 1, 2, 3, 4]
    assert indices(list(source)) == [0, 1, 2, 3, 4]


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    source = open_source(write_clip(tmp_path / "clip.mp4", frames=1))
    assert len(list(source)) == 1


def test_frames_are_held_by_the_consumer_alone(tmp_path: Path) -> None:
    first, second, *_ = open_source(write_clip(tmp_path / "clip.mp4", frames=3))
    assert indices([first, second]) == [0, 1]  # the second did not overwrite the first


def test_a_folder_is_sorted_as_people_count(tmp_path: Path) -> None:
    names = ["frame1.png", "frame2.PNG", "frame10.png", "frame11.png"]
    folder = write_images(tmp_path / "frames", names)
    (folder / "notes.txt").write_text("not a frame")
    (folder / "._frame1.png").write_text("what macOS leaves behind")
    with open_source(folder) as source:
        assert (source.width, source.height, source.fps) == (64, 48, DEFAULT_FPS)
        assert source.frame_count == 4
        assert indices(list(source)) == [0, 1, 2, 3]


def test_an_image_is_one_frame_and_no_sequence(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "frames", ["frame_1.png", "frame_2.png"])
    assert len(list(open_source(folder / "frame_1.png"))) == 1


def test_grey_images_become_bgr(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((48, 64), 77, np.uint16) * 256)
    (frame,) = open_source(tmp_path / "grey.png")
    assert frame.dtype == np.uint8
    assert np.unique(frame).tolist() == [77]
    assert frame.shape == (48, 64, 3)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"nothing\.mp4.*No such file.*give a video file"):
        open_source(tmp_path / "nothing.mp4")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(VideoError, match="is empty"):
        open_source(tmp_path / "clip.mp4")


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"no frames; it must hold \.jpg"):
        open_source(tmp_path)


def text_file(path: Path) -> None:
    path.write_text("this is not a video\n" * 100)


def without_index(path: Path) -> None:
    write_clip(path, frames=10)
    path.write_bytes(path.read_bytes().replace(b"moov", b"junk"))


@pytest.mark.parametrize("make", [text_file, without_index])
def test_what_is_no_video_is_one_sentence_and_no_noise(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "clip.mp4"
    make(path)
    with pytest.raises(VideoError, match="cannot be opened as a video"):
        open_source(path)
    # FFmpeg writes past sys.stderr, and reads its log level once: hence a process of its own.
    code = (
        "import sys\n"
        "from sam2lite.runtimes.video.source import open_source, VideoError\n"
        "try: open_source(sys.argv[1])\n"
        "except VideoError: print('refused')"
    )
    child = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert (child.stdout, child.stderr) == ("refused\n", "")


def test_a_file_cut_short_gives_what_it_has_and_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("av")  # its clips have the index at the front, so that the rest can be cut
    path = write_clip(tmp_path / "clip.mp4", frames=30, noise=60)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with open_source(path) as source:
        assert source.frame_count == 30
        frames = list(source)
    assert 0 < len(frames) < 25
    assert source.warning is not None
    assert f"30 frames, but only {len(frames)} can be decoded" in source.warning


def test_damaged_stretches_are_skipped_and_frames_keep_their_place(tmp_path: Path) -> None:
    pytest.importorskip("av")
    path = write_clip(tmp_path / "clip.mp4", frames=60, noise=60)
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 6000] = bytes(6000)
    path.write_bytes(data)
    with open_source(path) as source:
        frames = list(source.captured())
    assert 30 < len(frames) < 60
    assert source.warning is not None
    assert f"60 frames, but only {len(frames)} can be decoded" in source.warning
    assert "could not be read and was skipped" in source.warning
    assert frames[-1].source_index == 59
    for frame in frames[:3] + frames[-3:]:  # what lies near the damage may be smeared
        assert frame.pts_ms == pytest.approx(40 * frame.source_index)


def test_a_file_without_a_single_frame_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("av")
    path = write_clip(tmp_path / "clip.mp4", frames=30)
    data = path.read_bytes()
    path.write_bytes(data[: data.find(b"mdat") + 8])
    with pytest.raises(VideoError, match="not one frame"):
        open_source(path)


def test_an_unreadable_image_is_named(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "frames", ["1.png", "2.png", "3.png"])
    (folder / "2.png").write_text("not an image")
    frames = iter(open_source(folder))
    next(frames)
    with pytest.raises(VideoError, match=r"2\.png' cannot be read as an image"):
        next(frames)


def test_a_size_that_changes_is_refused(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "frames", ["1.png", "2.png"])
    cv2.imwrite(str(folder / "2.png"), np.zeros((30, 40, 3), np.uint8))
    with pytest.raises(VideoError, match=r"frame 1 .* is 40x30 px, but those before are 64x48"):
        list(open_source(folder))


@pytest.mark.parametrize("spec", ["97", "/dev/video97"])
def test_a_camera_that_is_not_there_is_refused(spec: str) -> None:
    with pytest.raises(VideoError, match=rf"camera '{spec}' .*/dev/video97"):
        open_source(spec)


@pytest.mark.parametrize("spec", ["nosuchelement ! appsink", "filesrc location=none ! appsink"])
def test_a_pipeline_that_cannot_run_is_refused(spec: str) -> None:
    with pytest.raises(VideoError, match="gst-launch"):
        open_source(spec)


def test_a_file_may_have_an_exclamation_mark(tmp_path: Path) -> None:
    assert open_source(write_clip(tmp_path / "wow!.mp4", frames=2)).frame_count == 2


def test_a_file_played_live_drops_what_nobody_took(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=20, fps=200)
    with open_source(path, live=True) as source:
        assert (source.is_live, source.frame_count, source.width) == (True, None, 64)
        frames = iter(source)
        seen = [next(frames)]
        for thread in threading.enumerate():  # a consumer that sleeps until the clip is over
            if thread.name == "latest-frame":
                thread.join()
        seen += frames
        taken = indices(seen)
        assert taken[-1] == 19
        assert source.dropped_frames == (taken[-1] - taken[0] + 1) - len(taken)


def test_errors_of_a_file_played_live_arrive(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "frames", ["1.png", "2.png"])
    (folder / "2.png").write_text("not an image")
    with open_source(folder, live=True) as source, pytest.raises(VideoError, match=r"2\.png"):
        list(source)


class SimulatedCamera:
    """Stands for cv2.VideoCapture of a CSI camera: remembers the pipeline, gives frames."""

    opened: ClassVar[list[tuple[str, int]]] = []

    def __init__(self, target: str, api: int) -> None:
        self.opened.append((target, api))

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def read(self) -> tuple[bool, np.ndarray]:
        return True, np.zeros((48, 64, 3), np.uint8)

    def get(self, name: int) -> float:
        return 0.0

    def release(self) -> None:
        pass


@pytest.mark.parametrize(
    ("spec", "sensor", "caps", "fps"),
    [
        ("csi:0", 0, "width=1280,height=720,format=NV12,framerate=30/1", 30.0),
        ("csi:1,1920x1080", 1, "width=1920,height=1080,format=NV12,framerate=30/1", 30.0),
        ("csi:10,640x480@120", 10, "width=640,height=480,format=NV12,framerate=120/1", 120.0),
    ],
)
def test_a_csi_camera_is_a_live_pipeline(
    spec: str, sensor: int, caps: str, fps: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SimulatedCamera, "opened", [])
    monkeypatch.setattr(cv2, "VideoCapture", SimulatedCamera)
    with open_source(spec) as source:
        assert (source.is_live, source.name, source.fps) == (True, spec, fps)
        assert [frame.shape for frame in islice(source, 2)] == [(48, 64, 3)] * 2
    ((pipeline, api),) = SimulatedCamera.opened
    assert api == cv2.CAP_GSTREAMER
    assert pipeline == (
        f"nvarguscamerasrc sensor-id={sensor} ! video/x-raw(memory:NVMM),{caps} ! nvvidconv "
        "! video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR "
        "! appsink drop=true max-buffers=1 sync=false"
    )


@pytest.mark.parametrize(
    "spec",
    [
        *("csi:", "csi:x", "csi:-1", "csi:0,", "csi:0,10", "csi:0,640x", "csi:0,640x480@"),
        *("csi:0,640x480@29.97", "csi:0,640*480", "csi:0,0x480", "csi:0,640x480@0", "csi:0 "),
    ],
)
def test_a_misspelt_csi_camera_is_refused(spec: str) -> None:
    with pytest.raises(ArgumentError, match=r"form is csi:SENSOR\[,WIDTHxHEIGHT\[@FPS\]\]") as told:
        open_source(spec)
    assert f"'{spec}'" in str(told.value)


def test_a_csi_camera_without_gstreamer_says_whose_opencv_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "    GStreamer:                   NO\n")
    with pytest.raises(VideoError, match=r"needs an OpenCV with GStreamer.* JetPack's own"):
        open_source("csi:0")


def test_a_csi_camera_that_is_not_there_says_what_to_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GStreamer:  YES (1.20.3)\n")
    with pytest.raises(VideoError, match=r"'csi:3,64x48' .*plugged in.*restart nvargus-daemon"):
        open_source("csi:3,64x48")


def test_another_camera_is_told_of_the_csi_port() -> None:
    with pytest.raises(VideoError, match="called csi:97"):
        open_source("97")


@pytest.mark.parametrize("home", ["utils.logging", "cv2"])
def test_opencv_is_silenced_wherever_it_keeps_its_level(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[int] = []
    setter = SimpleNamespace(setLogLevel=levels.append)
    opencv = setter if home == "cv2" else SimpleNamespace(utils=SimpleNamespace(logging=setter))
    monkeypatch.setattr(opencv_silence, "cv2", opencv)
    monkeypatch.setenv("OPENCV_LOG_LEVEL", "INFO")
    silence_opencv()
    assert levels == []  # the user's choice
    monkeypatch.delenv("OPENCV_LOG_LEVEL")
    silence_opencv()
    assert levels == [0]


def test_an_opencv_that_cannot_be_silenced_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENCV_LOG_LEVEL", raising=False)
    monkeypatch.setattr(opencv_silence, "cv2", SimpleNamespace(utils=SimpleNamespace()))
    silence_opencv()
