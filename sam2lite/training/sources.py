"""Where training clips come from: the generator, or a folder of annotated videos or pictures."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sam2lite.data.augment import Augmentation, stretched
from sam2lite.data.clips import training_config
from sam2lite.data.datasets import Dataset, DatasetClip, open_dataset
from sam2lite.data.stills import is_stills, open_stills
from sam2lite.errors import TrainingError
from sam2lite.training.clip import VIDEO, TrainingClip, of_generated, of_video
from sam2lite.training.mixture import opened_mixture

# A picture becomes a clip by another crop in each frame, mirrored in all of them or in none.
PICTURE = Augmentation(flip_probability=0.0)
MOST_TRIES = 50


def check_data(path: str) -> None:
    """Open a data set or a folder of stills, without reading any of it.

    Raises:
        VideoError: it is neither.
    """
    if is_stills(path):
        open_stills(path)
    else:
        open_dataset(path)


def draw_clip(rng: np.random.Generator, data: str | None, side: int, frames: int) -> TrainingClip:
    """Draw a clip from a data set or a folder of stills, or generate one if there is none.

    Raises:
        TrainingError: no clip of the data set is long enough.
        VideoError: the data cannot be read.
    """
    if data is None:
        return generated_clip(rng, side, frames)
    if is_stills(data):
        return opened_mixture(data).draw(rng, side, frames)
    return dataset_clip(rng, data, side, frames)


def generated_clip(rng: np.random.Generator, side: int, frames: int) -> TrainingClip:
    """Generate a clip; half of them are played backwards, half are mirrored."""
    return of_generated(rng, training_config(side, frames))


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
        found = of_video(rng, clip, side, frames)
        if found is not None:
            return found
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
