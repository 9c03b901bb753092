"""Sources of calibration clips, good and bad."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from sam2lite.calibration.footage import (
    CLIP_FRAMES,
    LEAST_HELD_OUT,
    CalibrationClip,
    calibration_clips,
    content_sha256,
    held_out_clips,
)
from sam2lite.data.clips import ClipConfig, generate_clip
from sam2lite.errors import ArgumentError, VideoError
from sam2lite.runtimes.prompts import Prompt


def write_pictures(folder: Path, count: int, grey: int | None = None) -> Path:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        picture = rng.integers(0, 256, (40 + 8 * index, 64, 3), np.uint8)
        cv2.imwrite(str(folder / f"{index}.png"), picture if grey is None else 0 * picture + grey)
    return folder


def write_video(path: Path, frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (96, 64))
    rng = np.random.default_rng(1)
    for _ in range(frames):
        writer.write(rng.integers(0, 256, (64, 96, 3), np.uint8))
    writer.release()
    return path


def write_davis(folder: Path, masks: bool = True, name: str = "a") -> Path:
    clip = generate_clip(3, ClipConfig(height=96, width=128, frames=6))
    images, annotations = folder / f"JPEGImages/480p/{name}", folder / f"Annotations/480p/{name}"
    images.mkdir(parents=True)
    annotations.mkdir(parents=True)
    for t, frame in enumerate(clip.frames_rgb_thwc):
        cv2.imwrite(str(images / f"{t:05d}.jpg"), frame[..., ::-1])
        cv2.imwrite(str(annotations / f"{t:05d}.png"), clip.labels_thw[t] * masks)
    return folder


def test_generated_clips_have_every_kind_of_prompt() -> None:
    clips = calibration_clips(None, 6 * CLIP_FRAMES + 3, seed=1)
    assert [len(clip.frames_bgr) for clip in clips] == [CLIP_FRAMES] * 6 + [3]
    prompts = [prompt for clip in clips for prompt in clip.prompts.values()]
    assert any(len(prompt.points_xy) for prompt in prompts)
    assert any(prompt.box_xyxy is not None for prompt in prompts)
    assert any(prompt.mask_hw is not None for prompt in prompts)
    assert any(clip.correction for clip in clips)


def test_the_seed_decides() -> None:
    first, again, other = (content_sha256(calibration_clips(None, 5, seed)) for seed in (0, 0, 1))
    assert first == again != other


def test_prompts_are_part_of_the_content() -> None:
    (clip,) = calibration_clips(None, 2, seed=0)
    before = content_sha256([clip])
    clip.prompts[next(iter(clip.prompts))] = Prompt(points=[(1, 2)])
    assert content_sha256([clip]) != before


def test_a_video_gives_clips_from_all_of_it(tmp_path: Path) -> None:
    video = write_video(tmp_path / "in.mp4", 40)
    clips = calibration_clips(video, 2 * CLIP_FRAMES, seed=0)
    assert [clip.name for clip in clips] == ["in.mp4 from frame 0", "in.mp4 from frame 24"]
    assert [len(clip.frames_bgr) for clip in clips] == [CLIP_FRAMES] * 2
    assert set(clips[0].prompts) == {1, 2}
    with pytest.raises(VideoError, match="40 frames, fewer than the 48"):
        calibration_clips(video, 48, seed=0)


def test_pictures_become_moving_clips(tmp_path: Path) -> None:
    clips = calibration_clips(write_pictures(tmp_path / "in", 3), 2 * CLIP_FRAMES, seed=0)
    assert [clip.name for clip in clips] == ["0.png", "2.png"]
    for clip in clips:
        assert len({frame.shape for frame in clip.frames_bgr}) == 1
        assert not np.array_equal(clip.frames_bgr[0], clip.frames_bgr[1])


def test_a_data_set_gives_prompts_from_its_masks(tmp_path: Path) -> None:
    clips = calibration_clips(write_davis(tmp_path / "davis"), 4, seed=0)
    assert [clip.name for clip in clips] == ["a"]
    assert len(clips[0].frames_bgr) == 4
    assert clips[0].prompts


def places(clips: list[CalibrationClip]) -> list[tuple[str, int]]:
    return [(clip.name, len(clip.frames_bgr)) for clip in clips]


@pytest.mark.parametrize(
    ("frames", "asked", "expected"),
    [
        (40, CLIP_FRAMES, [("in.mp4 from frame 20", 16)]),  # 16 to 39 are left
        (40, 2 * CLIP_FRAMES, [("in.mp4 from frame 16", 8)]),  # between the two
        (60, CLIP_FRAMES + 5, [("in.mp4 from frame 22", 16), ("in.mp4 from frame 52", 5)]),
        (32 + LEAST_HELD_OUT - 1, 2 * CLIP_FRAMES, []),
        (32, 2 * CLIP_FRAMES, []),
    ],
)
def test_of_a_video_what_lies_between_is_held_out(
    frames: int, asked: int, expected: list[tuple[str, int]], tmp_path: Path
) -> None:
    video = write_video(tmp_path / "in.mp4", frames)
    used, left = calibration_clips(video, asked, seed=0), held_out_clips(video, asked, seed=0)
    assert places(left) == expected
    seen = {frame.tobytes() for clip in used for frame in clip.frames_bgr}
    assert not seen & {frame.tobytes() for clip in left for frame in clip.frames_bgr}


def test_of_a_folder_other_pictures_are_held_out(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "in", 4)
    assert places(held_out_clips(folder, 2 * CLIP_FRAMES, seed=0)) == [("1.png", 16), ("2.png", 16)]
    assert places(held_out_clips(folder, 3 * CLIP_FRAMES, seed=0)) == [("2.png", 16)]
    assert held_out_clips(folder, 4 * CLIP_FRAMES, seed=0) == []


def test_of_a_data_set_other_clips_are_held_out(tmp_path: Path) -> None:
    for name in "abc":
        write_davis(tmp_path / "davis", name=name)
    (used,) = calibration_clips(tmp_path / "davis", 4, seed=0)
    (left,) = held_out_clips(tmp_path / "davis", 4, seed=0)
    assert used.name != left.name
    assert left.prompts
    two = held_out_clips(tmp_path / "davis", 2 * CLIP_FRAMES, seed=0)
    assert len(two) == 1
    assert held_out_clips(tmp_path / "davis", 3 * CLIP_FRAMES, seed=0) == []


def test_what_cannot_be_held_out_is_named(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="nothing to calibrate on at"):
        held_out_clips(tmp_path / "none", 4, seed=0)
    with pytest.raises(ArgumentError, match="choose 1 or more"):
        held_out_clips(tmp_path, 0, seed=0)


def test_bad_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="nothing to calibrate on at"):
        calibration_clips(tmp_path / "none", 4, seed=0)
    with pytest.raises(VideoError, match="cannot be read as a data set"):
        (tmp_path / "empty").mkdir()
        calibration_clips(tmp_path / "empty", 4, seed=0)
    broken = write_pictures(tmp_path / "broken", 1)
    (broken / "0.png").write_bytes(b"no picture")
    with pytest.raises(VideoError, match=r"0\.png. cannot be read"):
        calibration_clips(broken, 4, seed=0)
    with pytest.raises(VideoError, match="one constant colour"):
        calibration_clips(write_pictures(tmp_path / "grey", 2, grey=128), 4, seed=0)
    for frames, seed in ((0, 0), (4, -1)):
        with pytest.raises(ArgumentError, match="choose 1 or more"):
            calibration_clips(None, frames, seed)
