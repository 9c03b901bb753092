"""Sources of calibration clips, good and bad."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from sam2lite.calibration.footage import CLIP_FRAMES, calibration_clips, content_sha256
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


def write_davis(folder: Path, masks: bool = True) -> Path:
    clip = generate_clip(3, ClipConfig(height=96, width=128, frames=6))
    images, annotations = folder / "JPEGImages/480p/a", folder / "Annotations/480p/a"
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
    assert [clip.name for clip in clips] == [f"{video} from frame 0", f"{video} from frame 24"]
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
