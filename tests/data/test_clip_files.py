"""Clips as files, and the command `sam2lite clips`."""

import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from sam2lite.cli.app import make_command
from sam2lite.cli.clips import clips
from sam2lite.data.clips import ClipConfig, Effect, generate_clip, write_davis, write_video
from sam2lite.errors import ArgumentError, OutputError

SMALL = ClipConfig(height=48, width=64, frames=6)


def read_palette_png(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Decode an 8-bit palette PNG without filters: indices [H, W] and palette [256, 3]."""
    data, chunks, at = path.read_bytes(), {}, 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + length
    width, height, depth, colour = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert (depth, colour) == (8, 3)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    return rows[:, 1:], np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(256, 3)


def read_bgr(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None
    return image


def test_davis_layout_reads_back(tmp_path: Path) -> None:
    clip = generate_clip(1, SMALL)
    for name in ("one", "two", "one"):
        write_davis(clip, tmp_path, name)
    assert (tmp_path / "ImageSets/2017/val.txt").read_text() == "one\ntwo\n"
    for index in range(6):
        path = tmp_path / f"Annotations/480p/one/{index:05d}.png"
        labels, palette = read_palette_png(path)
        assert np.array_equal(labels, clip.labels_thw[index])
        assert palette[:4].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
        assert np.array_equal(read_bgr(path)[..., ::-1], palette[labels])
        image = read_bgr(tmp_path / f"JPEGImages/480p/one/{index:05d}.jpg")[..., ::-1]
        assert np.abs(image.astype(int) - clip.frames_rgb_thwc[index]).mean() < 12


@pytest.mark.parametrize("name", ["", "a/b", ".."])
def test_a_clip_name_with_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArgumentError, match="plain name"):
        write_davis(generate_clip(1, SMALL), tmp_path, name)


def test_a_davis_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        write_davis(generate_clip(1, SMALL), tmp_path / "file", "one")


def test_video_reads_back(tmp_path: Path) -> None:
    clip = generate_clip(1, ClipConfig(height=48, width=64, frames=6, noise=Effect(0.0, 0.0)))
    write_video(clip, tmp_path / "clip.mp4", 24.0)
    capture = cv2.VideoCapture(str(tmp_path / "clip.mp4"))
    frames = [frame[..., ::-1] for ok, frame in (capture.read() for _ in range(7)) if ok]
    assert len(frames) == 6
    expected = cv2.blur(clip.frames_rgb_thwc[0], (5, 5)).astype(int)
    assert np.abs(cv2.blur(np.ascontiguousarray(frames[0]), (5, 5)) - expected).mean() < 8


# The command

APP = make_command(clips)
SHORT = ["--size", "48x32", "--frames", "3"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(APP, [str(item) for item in arguments])


def test_command_writes_davis(tmp_path: Path) -> None:
    result = run("-o", tmp_path / "out", "--format", "davis", "--seed", 5, "--count", 2, *SHORT)
    assert result.exit_code == 0
    labels, _ = read_palette_png(tmp_path / "out/Annotations/480p/clip_00006/00002.png")
    clip = generate_clip(6, ClipConfig(height=32, width=48, frames=3))
    assert np.array_equal(labels, clip.labels_thw[2])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_command_prints_json_with_a_click_on_every_object(tmp_path: Path) -> None:
    result = run("-o", tmp_path / "out", "--json", *SHORT)
    printed = json.loads(result.stdout)
    assert (printed["width"], printed["height"], printed["frames"]) == (48, 32, 3)
    assert (tmp_path / "out/clip_00000.mp4").stat().st_size > 0
    clip = generate_clip(0, ClipConfig(height=32, width=48, frames=3))
    objects = printed["clips"][0]["objects"]
    assert [item["id"] for item in objects] == clip.object_ids
    for item in objects:
        x, y = item["click_xy"]
        assert clip.labels_thw[item["first_frame"], y, x] == item["id"]
    assert json.loads((tmp_path / "out/clips.json").read_text())["clips"] == printed["clips"]


def test_command_refuses_a_folder_in_use_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    (out / "old.txt").write_text("mine")
    refused = run("-o", out, *SHORT)
    assert isinstance(refused.exception, OutputError)
    assert "--force" in str(refused.exception)
    assert (out / "old.txt").read_text() == "mine"
    forced = run("-o", out, "--force", *SHORT)
    assert "holds more than generated clips (old.txt)" in str(forced.exception)
    assert (out / "old.txt").read_text() == "mine"
    (out / "old.txt").unlink()
    assert run("-o", out, *SHORT).exit_code == 0
    assert "is not empty; add --force" in str(run("-o", out, *SHORT).exception)
    assert run("-o", out, "--force", *SHORT).exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == ["clip_00000.mp4", "clips.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.txt", "out"]


def test_command_never_replaces_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    result = run("-o", tmp_path, "--force", *SHORT)
    assert isinstance(result.exception, OutputError)
    assert "working" in str(result.exception)


@pytest.mark.parametrize(
    "arguments",
    [["--size", "48"], ["--size", "48x"], ["--count", "0"], ["--frames", "0"], ["--seed", "-1"]],
)
def test_command_leaves_nothing_behind_after_bad_arguments(
    tmp_path: Path, arguments: list[str]
) -> None:
    result = run("-o", tmp_path / "out", *SHORT, *arguments)
    assert isinstance(result.exception, ArgumentError)
    assert not list(tmp_path.iterdir())


def test_command_keeps_the_old_folder_when_making_the_new_one_fails(tmp_path: Path) -> None:
    assert run("-o", tmp_path / "out", *SHORT).exit_code == 0
    before = (tmp_path / "out" / "clips.json").read_bytes()
    result = run("-o", tmp_path / "out", "--force", "--seed", "-1", *SHORT)
    assert isinstance(result.exception, ArgumentError)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "clips.json").read_bytes() == before


def test_command_refuses_a_file_as_output(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    result = run("-o", tmp_path / "out", "--force", *SHORT)
    assert isinstance(result.exception, OutputError)
    assert "is a file" in str(result.exception)
