"""Where training clips come from: the generator, or a folder of annotated videos or pictures."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.augment import Augmentation, stretched
from sam2lite.data.clips import generate_clip, training_config
from sam2lite.data.datasets import Dataset, DatasetClip, open_dataset
from sam2lite.errors import ArgumentError, TrainingError

VIDEO = Augmentation()
# A picture becomes a clip by another crop in each frame, mirrored in all of them or in none.
PICTURE = Augmentation(flip_probability=0.0)
MOST_TRIES = 50


class TrainingClip(NamedTuple):
    """A square clip at the training resolution.

    Shapes: `frames_rgb_thwc` uint8 [T, R, R, 3]; `labels_thw` and `parts_thw` uint8 [T, R, R];
    `known_t` bool [T], which frames have labels.
    """

    frames_rgb_thwc: NDArray[np.uint8]
    labels_thw: NDArray[np.uint8]
    parts_thw: NDArray[np.uint8]
    known_t: NDArray[np.bool_]


def generated_clip(rng: np.random.Generator, side: int, frames: int) -> TrainingClip:
    """Generate a clip; half of them are played backwards, half are mirrored."""
    clip = generate_clip(int(rng.integers(2**62)), training_config(side, frames))
    arrays = clip.frames_rgb_thwc, clip.labels_thw, clip.parts_thw
    if rng.random() < 0.5:
        arrays = arrays[0][::-1], arrays[1][::-1], arrays[2][::-1]
    if rng.random() < 0.5:
        arrays = arrays[0][:, :, ::-1], arrays[1][:, :, ::-1], arrays[2][:, :, ::-1]
    return TrainingClip(*arrays, np.ones(frames, bool))


def dataset_clip(rng: np.random.Generator, path: str, side: int, frames: int) -> TrainingClip:
    """Take a random part of a random clip of a data set, augmented.

    Raises:
        TrainingError: no clip of the data set is long enough.
        VideoError: the data set cannot be read.
    """
    dataset = _opened(path)
    for _ in range(MOST_TRIES):
        clip = dataset[int(rng.integers(len(dataset)))]
        if len(clip) == 1:
            return _of_picture(rng, clip, side, frames)
        try:
            first, stride = VIDEO.span(rng, clip.annotated_t, frames)
        except ArgumentError:
            continue
        labelled = VIDEO.apply(rng, *clip.load(first, frames, stride))
        images, labels = stretched(*labelled, side)
        known_t = clip.annotated_t[first + stride * np.arange(frames)]
        return TrainingClip(images, labels, np.zeros_like(labels), known_t)
    raise TrainingError(
        f"{path}: of {MOST_TRIES} random clips none has {frames} frames; train on longer videos, "
        "or on pictures"
    )


def _of_picture(
    rng: np.random.Generator, clip: DatasetClip, side: int, frames: int
) -> TrainingClip:
    picture = clip.load(0, 1)
    mirrored = rng.random() < VIDEO.flip_probability
    crops = [stretched(*PICTURE.apply(rng, *picture), side) for _ in range(frames)]
    images, labels = (np.concatenate(arrays) for arrays in zip(*crops, strict=True))
    if mirrored:
        images, labels = images[:, :, ::-1], labels[:, :, ::-1]
    return TrainingClip(images, labels, np.zeros_like(labels), np.ones(frames, bool))


@lru_cache(maxsize=1)
def _opened(path: str) -> Dataset:
    return open_dataset(path)
