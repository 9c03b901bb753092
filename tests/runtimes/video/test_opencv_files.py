import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam2lite.errors import OutputError, Sam2LiteError, VideoError
from sam2lite.runtimes.video import opencv_files
from sam2lite.runtimes.video.opencv_files import read_picture, write_picture
from sam2lite.runtimes.video.source import open_source
from sam2lite.runtimes.video.writer import VideoWriter

LATIN = os.fsdecode(b"caf\xe9")  # no UTF-8
PICTURE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)


def png_of(width: int, height: int) -> bytes:
    """Return a small file that claims to be a large picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1 << 16))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / LATIN
    path.mkdir()
    return path


@pytest.mark.parametrize("name", ["a.png", f"{LATIN}.png", "a.jpg", "a.bmp", "a.webp"])
def test_pictures_come_back_whatever_their_name(folder: Path, name: str) -> None:
    write_picture(folder / name, PICTURE)
    found = read_picture(folder / name, cv2.IMREAD_COLOR, VideoError)
    assert found.shape == PICTURE.shape
    if not name.endswith((".jpg", ".webp")):
        np.testing.assert_array_equal(found, PICTURE)


@pytest.mark.parametrize("with_av", [True, False])
def test_videos_are_written_and_read_whatever_their_name(
    folder: Path, with_av: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_av:
        monkeypatch.setitem(__import__("sys").modules, "av", None)
    path = folder / f"{LATIN}.mp4"
    with VideoWriter(path, 24, 32, 24) as writer:
        for _ in range(3):
            writer.write(PICTURE)
    with open_source(path) as source:
        assert len(list(source)) == 3
        source.name.encode()  # messages and results can be written anywhere
    assert [entry.name for entry in folder.iterdir()] == [path.name]


def test_frames_of_a_folder_are_read_whatever_its_name(folder: Path) -> None:
    write_picture(folder / f"{LATIN}.png", PICTURE)
    assert len(list(open_source(folder))) == 1


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 2), (12_000, 12_000)])
def test_a_picture_of_too_many_pixels_is_not_unpacked(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    (tmp_path / "bomb.png").write_bytes(png_of(*size))
    with pytest.raises(VideoError, match=rf"claims to have {size[0]} x {size[1]} pixels|damaged"):
        open_source(tmp_path)


def test_the_size_in_a_jpeg_is_found_behind_its_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = cv2.imencode(".jpg", PICTURE)[1].tobytes()
    padded = raw[:2] + b"\xff\xe1\x00\x06abcd" + b"\xff\xff" + raw[2:]
    (tmp_path / "a.jpg").write_bytes(padded)
    assert read_picture(tmp_path / "a.jpg", cv2.IMREAD_COLOR, VideoError).shape == (24, 32, 3)
    monkeypatch.setattr(opencv_files, "MAX_PIXELS", 24 * 32 - 1)
    with pytest.raises(VideoError, match="32 x 24 pixels"):
        read_picture(tmp_path / "a.jpg", cv2.IMREAD_COLOR, VideoError)


def test_pipes_and_devices_are_no_pictures_and_no_videos(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "000.png")
    with pytest.raises(VideoError, match="no regular file"):
        open_source(tmp_path)
    with pytest.raises(VideoError, match="neither a file nor a folder"):
        open_source(tmp_path / "000.png")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    with pytest.raises(VideoError, match="neither a file nor a folder"):
        open_source(tmp_path / "zero.mp4")


@pytest.mark.parametrize("spec", ["a\0b.mp4", f"{LATIN} ! appsink", f"{LATIN}.mp4"])
def test_a_source_that_no_name_could_have_is_refused(spec: str) -> None:
    with pytest.raises(VideoError):
        open_source(spec)


def test_a_picture_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    for name in ("missing/a.png", "a.unknown"):
        with pytest.raises(OutputError, match="cannot write"):
            write_picture(tmp_path / name, PICTURE)


def test_every_cut_of_a_picture_is_refused_or_read(tmp_path: Path) -> None:
    for suffix in (".png", ".jpg", ".bmp"):
        raw = cv2.imencode(suffix, PICTURE)[1].tobytes()
        for length in range(0, len(raw), 37):
            (tmp_path / "a").write_bytes(raw[:length])
            try:
                read_picture(tmp_path / "a", cv2.IMREAD_COLOR, VideoError)
            except Sam2LiteError as error:
                assert type(error) is VideoError
