"""What to calibrate on: short clips with prompts, from the generator, a video or a folder.

What a user gives is rarely used up by it: `held_out_clips` are of what is left.

Memory fills, and is pruned, within a clip of `CLIP_FRAMES`. Objects are prompted by click, box and
mask in turn, and the first one is corrected half way. Where nothing is annotated, prompts are drawn
at random: the ranges of a network that follows something else than a person would have clicked are
still those of a running tracker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.augment import Augmentation
from sam2lite.data.clips import deepest_point, generate_clip, training_config
from sam2lite.data.datasets import open_dataset
from sam2lite.errors import ArgumentError, VideoError
from sam2lite.evaluation.clip import MIN_AREA_SHARE
from sam2lite.evaluation.first_prompts import PROMPTS
from sam2lite.files.names import public_name
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.video.files import IMAGE_SUFFIXES
from sam2lite.runtimes.video.opencv_files import read_picture
from sam2lite.runtimes.video.source import open_source

Frames = NDArray[np.uint8]

CLIP_FRAMES = 16
LEAST_HELD_OUT = 4  # frames of a clip; in fewer there is no memory to speak of
OBJECTS = 2  # of a clip
SEED_SPACE = 40_000  # of generated clips; neither training nor evaluation draws from it
GENERATED_SIDE_PX = 320
LEAST_CONTRAST = 2.0  # grey levels of standard deviation, of some frame at least
# A still picture becomes a clip by another crop in each frame.
_CROPS = Augmentation(flip_probability=0.0, blur_probability=0.0)


@dataclass(frozen=True)
class CalibrationClip:
    """Frames of one size, and what a user would have given with them.

    Attributes:
        name: of the clip, for messages.
        frames_bgr: uint8 [H, W, 3] each.
        prompts: of the first frame, by object.
        corrected_at: index of the frame on which the first object is corrected; None if too short.
        correction: given there.
    """

    name: str
    frames_bgr: Sequence[Frames]
    prompts: dict[int, Prompt]
    corrected_at: int | None
    correction: Prompt | None


def calibration_clips(source: str | Path | None, frames: int, seed: int) -> list[CalibrationClip]:
    """Return clips of so many frames in all.

    Args:
        source: a video, a folder of pictures, or a data set that `open_dataset` knows; generated
            clips if None.
        frames: in all; the last clip may be shorter than the others.
        seed: of what is drawn.

    Raises:
        ArgumentError: the number of frames or the seed is out of its range.
        VideoError: the source cannot be read, has too few frames, or is of one constant colour.
    """
    clips = _read(source, frames, seed, held_out=False)
    if all(frame.std() < LEAST_CONTRAST for clip in clips for frame in clip.frames_bgr):
        raise VideoError(
            f"every frame of '{source}' is of one constant colour; ranges of nothing would clip "
            "everything: give footage like what the network will see"
        )
    return clips


def held_out_clips(source: str | Path, frames: int, seed: int) -> list[CalibrationClip]:
    """Return clips of footage that `calibration_clips` leaves out, for the same arguments.

    Of a video these are from the middles of what lies between its clips; of a folder or a data set,
    other pictures or clips. No more frames than those; none where all the footage is used.

    Raises:
        ArgumentError: the number of frames or the seed is out of its range.
        VideoError: the source cannot be read, or has too few frames.
    """
    return _read(source, frames, seed, held_out=True)


def _read(
    source: str | Path | None, frames: int, seed: int, held_out: bool
) -> list[CalibrationClip]:
    if frames < 1 or seed < 0:
        raise ArgumentError(f"{frames} frames from seed {seed}: choose 1 or more, and a seed >= 0")
    lengths = [CLIP_FRAMES] * (frames // CLIP_FRAMES)
    lengths += [frames % CLIP_FRAMES] if frames % CLIP_FRAMES else []
    rng = np.random.default_rng(seed)
    return list(_READERS[_kind(source)](source, lengths, rng, held_out))


def content_sha256(clips: Sequence[CalibrationClip]) -> str:
    """Hash the frames and prompts of clips."""
    digest = hashlib.sha256()
    for clip in clips:
        for frame in clip.frames_bgr:
            digest.update(f"{frame.shape}".encode() + frame.tobytes())
        prompts = [*clip.prompts.values(), *([clip.correction] if clip.correction else [])]
        for prompt in prompts:
            parts = (prompt.points_xy, prompt.labels, prompt.box_xyxy, prompt.mask_hw)
            digest.update(b"".join(b"-" if part is None else part.tobytes() for part in parts))
    return digest.hexdigest()


def _kind(source: str | Path | None) -> str:
    if source is None:
        return "generated"
    path = Path(source)
    if not path.exists():
        raise VideoError(f"there is nothing to calibrate on at '{source}'; check the path")
    if path.is_file() and path.suffix.lower() != ".json":
        return "video"
    if path.is_dir() and any(file.suffix.lower() in IMAGE_SUFFIXES for file in path.iterdir()):
        return "pictures"
    return "data set"


def _generated(
    source: str | Path | None, lengths: list[int], rng: np.random.Generator, held_out: bool
) -> Iterator[CalibrationClip]:
    for length in () if held_out else lengths:
        seed = SEED_SPACE + int(rng.integers(2**31))
        clip = generate_clip(seed, training_config(GENERATED_SIDE_PX, length))
        yield _labelled(f"generated {seed}", clip.frames_rgb_thwc, clip.labels_thw, rng)


def _video(
    source: str | Path | None, lengths: list[int], rng: np.random.Generator, held_out: bool
) -> Iterator[CalibrationClip]:
    """Take clips that are spread evenly over the video, or what lies between them."""
    path = str(source)
    count = sum(1 for _ in open_source(path))
    if count < sum(lengths):
        raise VideoError(
            f"'{path}' has {count} frames, fewer than the {sum(lengths)} asked for; give a longer "
            "video, or fewer --calib-frames"
        )
    starts = np.linspace(0, count - max(lengths), len(lengths)).astype(int)
    places = [range(start, start + length) for start, length in zip(starts, lengths, strict=True)]
    if held_out:
        places = _between(places, count)
    found: list[list[Frames]] = [[] for _ in places]
    for index, frame in enumerate(open_source(path)):
        for place, frames in zip(places, found, strict=True):
            if index in place:
                frames.append(np.asarray(frame, np.uint8))
    for place, frames in zip(places, found, strict=True):
        yield _unlabelled(f"{public_name(path)} from frame {place.start}", frames, rng)


def _between(places: Sequence[range], count: int) -> list[range]:
    """Return the middles of what no place covers, at most as many as there are places.

    Args:
        places: of clips, the longest first.
        count: of all frames.
    """
    covered = {index for place in places for index in place}
    gaps, start = [], 0
    for index in [*sorted(covered), count]:
        if index - start >= LEAST_HELD_OUT:
            gaps.append(range(start, index))
        start = index + 1
    middles = []
    for gap, place in zip(sorted(gaps, key=len, reverse=True), places, strict=False):
        length = min(len(gap), len(place))
        first = gap.start + (len(gap) - length) // 2
        middles.append(range(first, first + length))
    return sorted(middles, key=lambda middle: middle.start)


def _pictures(
    source: str | Path | None, lengths: list[int], rng: np.random.Generator, held_out: bool
) -> Iterator[CalibrationClip]:
    """Make a clip of moving crops of each picture, of pictures spread evenly over the folder."""
    paths = sorted(p for p in Path(str(source)).iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    chosen = _spread(paths, len(lengths))
    if held_out:
        others = [path for path in paths if path not in chosen]
        chosen = _spread(others, min(len(lengths), len(others)))
    for path, length in zip(chosen, lengths, strict=False):
        still = np.asarray(read_picture(path, cv2.IMREAD_COLOR, VideoError), np.uint8)[None]
        yield _unlabelled(path.name, list(_crops(still, length, rng)[0]), rng)


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    """Return so many paths spread evenly over all, some twice where there are fewer."""
    return [paths[index] for index in np.linspace(0, len(paths) - 1, count).astype(int)]


def _data_set(
    source: str | Path | None, lengths: list[int], rng: np.random.Generator, held_out: bool
) -> Iterator[CalibrationClip]:
    dataset = open_dataset(str(source))
    order = rng.permutation(len(dataset))
    numbers = order[len(lengths) :] if held_out else cycle(order)
    for number, length in zip(numbers, lengths, strict=False):
        clip = dataset[int(number)]
        labelled = np.flatnonzero(clip.annotated_t)
        if not len(labelled):
            raise VideoError(f"clip '{clip.name}' of '{source}' has no mask; remove it")
        first = int(rng.choice(labelled))
        frames, labels = clip.load(first, min(length, len(clip) - first))
        if len(frames) < length:  # a picture, or the end of a clip
            frames, labels = _crops(frames[:1], length, rng, labels[:1])
        yield _labelled(clip.name, frames, labels, rng)


_READERS = {
    "generated": _generated,
    "video": _video,
    "pictures": _pictures,
    "data set": _data_set,
}


def _crops(
    still_thwc: Frames,
    count: int,
    rng: np.random.Generator,
    labels_thw: NDArray[np.uint8] | None = None,
) -> tuple[Frames, NDArray[np.uint8]]:
    """Return crops of one picture, all of one size."""
    height, width = still_thwc.shape[1:3]
    labels = np.zeros(still_thwc.shape[:3], np.uint8) if labels_thw is None else labels_thw
    frames, maps = [], []
    for _ in range(count):
        frame, label = _CROPS.apply(rng, still_thwc, labels)
        frames.append(cv2.resize(np.ascontiguousarray(frame[0]), (width, height)))
        maps.append(
            cv2.resize(
                np.ascontiguousarray(label[0]),
                (width, height),
                interpolation=cv2.INTER_NEAREST_EXACT,
            )
        )
    return np.stack(frames).astype(np.uint8), np.stack(maps).astype(np.uint8)


def _labelled(
    name: str,
    frames_rgb_thwc: Frames,
    labels_thw: NDArray[np.uint8],
    rng: np.random.Generator,
) -> CalibrationClip:
    areas = np.bincount(labels_thw[0].ravel())
    least = MIN_AREA_SHARE * labels_thw[0].size
    chosen = [int(key) for key in np.argsort(-areas) if key and areas[key] >= least][:OBJECTS]
    frames = [np.ascontiguousarray(frame[..., ::-1]) for frame in frames_rgb_thwc]
    if not chosen:
        return _unlabelled(name, frames, rng)
    kinds = rng.permutation(list(PROMPTS))
    prompts = {
        key: PROMPTS[str(kind)](labels_thw[0] == key)
        for key, kind in zip(chosen, kinds, strict=False)
    }
    middle = len(frames) // 2
    there = labels_thw[middle] == chosen[0]
    if not middle or not there.any():
        return CalibrationClip(name, frames, prompts, None, None)
    inside, outside = deepest_point(there), deepest_point(~there)
    correction = Prompt(points=[inside, outside], labels=[1, 0])
    return CalibrationClip(name, frames, prompts, middle, correction)


def _unlabelled(
    name: str, frames_bgr: Sequence[Frames], rng: np.random.Generator
) -> CalibrationClip:
    height, width = frames_bgr[0].shape[:2]

    def point() -> tuple[float, float]:
        return float(rng.uniform(0.2, 0.8) * width), float(rng.uniform(0.2, 0.8) * height)

    (x, y), half = point(), float(rng.uniform(0.05, 0.2))
    box = (x - half * width, y - half * height, x + half * width, y + half * height)
    prompts = {1: Prompt(points=[point()]), 2: Prompt(box=box)}
    middle = len(frames_bgr) // 2
    if not middle:
        return CalibrationClip(name, frames_bgr, prompts, None, None)
    correction = Prompt(points=[point(), point()], labels=[1, 0])
    return CalibrationClip(name, frames_bgr, prompts, middle, correction)
