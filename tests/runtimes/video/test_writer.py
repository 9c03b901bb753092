import sys
from pathlib import Path

import numpy as np
import pytest

from sam2lite.errors import ArgumentError, OutputError, VideoError
from sam2lite.runtimes.video.source import open_source
from sam2lite.runtimes.video.writer import VideoWriter


def grey_frame(width: int, height: int, value: int) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


@pytest.fixture(params=["h264", "mp4v"])
def codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "h264":
        pytest.importorskip("av")
    else:
        monkeypatch.setitem(sys.modules, "av", None)  # as if PyAV were not installed
    return str(request.param)


def test_frames_come_back(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "clip.mp4"
    values = [20, 120, 220]
    with VideoWriter(path, 25, 64, 48) as writer:
        for value in values:
            writer.write(grey_frame(64, 48, value))
    assert writer.codec == codec
    assert writer.frame_count == 3
    with open_source(path) as source:
        assert (source.width, source.height, source.fps) == (64, 48, 25)
        assert [round(float(frame.mean())) for frame in source] == pytest.approx(values, abs=4)


@pytest.mark.usefixtures("codec")
def test_colours_keep_their_channel_order(tmp_path: Path) -> None:
    bgr = (30, 60, 200)
    with VideoWriter(tmp_path / "clip.mp4", 25, 64, 48) as writer:
        writer.write(np.full((48, 64, 3), bgr, np.uint8))
    with open_source(tmp_path / "clip.mp4") as source:
        assert next(iter(source))[24, 32].tolist() == pytest.approx(bgr, abs=6)


@pytest.mark.usefixtures("codec")
def test_odd_sides_get_one_more_pixel(tmp_path: Path) -> None:
    frame = grey_frame(33, 21, 200)
    with VideoWriter(tmp_path / "clip.mp4", 25, 33, 21) as writer:
        writer.write(frame)
    with open_source(tmp_path / "clip.mp4") as source:
        assert (source.width, source.height) == (34, 22)
        assert next(iter(source))[-1, -1].tolist() == pytest.approx([200] * 3, abs=6)


@pytest.mark.parametrize("fps", [29.97, 30000 / 1001, 12.5])
def test_fractional_rates_survive(tmp_path: Path, fps: float) -> None:
    pytest.importorskip("av")
    with VideoWriter(tmp_path / "clip.mp4", fps, 32, 32) as writer:
        for value in range(10):
            writer.write(grey_frame(32, 32, value))
    with open_source(tmp_path / "clip.mp4") as source:
        assert source.fps == pytest.approx(fps, rel=1e-6)


def test_h264_has_its_index_at_the_front(tmp_path: Path) -> None:
    pytest.importorskip("av")
    with VideoWriter(tmp_path / "clip.mp4", 25, 64, 48) as writer:
        writer.write(grey_frame(64, 48, 0))
    data = (tmp_path / "clip.mp4").read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")


@pytest.mark.usefixtures("codec")
def test_nothing_is_left_of_a_clip_that_failed(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyError),
        VideoWriter(tmp_path / "clip.mp4", 25, 64, 48) as writer,
    ):
        writer.write(grey_frame(64, 48, 0))
        raise KeyError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("codec")
def test_a_failed_clip_leaves_the_earlier_one_alone(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"earlier")
    with pytest.raises(VideoError), VideoWriter(path, 25, 64, 48) as writer:
        writer.write(grey_frame(64, 50, 0))
    assert path.read_bytes() == b"earlier"


@pytest.mark.usefixtures("codec")
def test_a_clip_without_frames_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(VideoError, match="no frame was written"),
        VideoWriter(tmp_path / "clip.mp4", 25, 64, 48),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "frame",
    [grey_frame(64, 50, 0), grey_frame(64, 48, 0)[..., 0], grey_frame(64, 48, 0) / 2],
    ids=["size", "channels", "dtype"],
)
def test_a_frame_that_does_not_fit_is_refused(tmp_path: Path, frame: np.ndarray) -> None:
    with (
        pytest.raises(VideoError, match=r"frame 0 is .* takes uint8 \(48, 64, 3\)"),
        VideoWriter(tmp_path / "clip.mp4", 25, 64, 48) as writer,
    ):
        writer.write(frame)


def test_paths_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.mp4").mkdir()
    for name, message in {
        "missing/clip.mp4": "choose a folder that exists",
        "file/clip.mp4": "choose a folder that exists",
        "folder.mp4": "is a folder",
        "clip.avi": "ends in .mp4",
    }.items():
        with pytest.raises(OutputError, match=message):
            VideoWriter(tmp_path / name, 25, 64, 48)


@pytest.mark.parametrize(("fps", "width"), [(0, 64), (float("nan"), 64), (25, 0)])
def test_rate_and_size_must_be_positive(tmp_path: Path, fps: float, width: int) -> None:
    with pytest.raises(ArgumentError, match="above 0"):
        VideoWriter(tmp_path / "clip.mp4", fps, width, 48)


def test_a_size_that_the_encoder_refuses_is_an_output_error(tmp_path: Path) -> None:
    pytest.importorskip("av")
    width = 20000  # x264 stops at 16384
    with (
        pytest.raises(OutputError, match=r"clip\.mp4"),
        VideoWriter(tmp_path / "clip.mp4", 25, width, 16) as writer,
    ):
        writer.write(grey_frame(width, 16, 0))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_noticed_without_pyav(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setitem(sys.modules, "av", None)
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with (
            pytest.raises(OutputError, match="has room"),
            VideoWriter(tmp_path / "clip.mp4", 25, 64, 48) as writer,
        ):
            for shift in range(20):
                writer.write(np.roll(noise, shift, axis=0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
