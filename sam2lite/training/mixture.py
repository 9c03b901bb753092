"""What is trained on with a folder of stills: photographs that move, mixed with generated clips.

Real pictures alone make a network forget what generated clips have taught it: 10 points of J&F in
half an hour.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from sam2lite.data.clips import ClipConfig, training_config
from sam2lite.data.datasets import DatasetClip, open_dataset
from sam2lite.data.stills import (
    PictureBank,
    open_stills,
    photograph_source,
    split_clips,
    split_stills,
    still_clip,
)
from sam2lite.training.clip import TrainingClip, mirrored_and_reversed, of_generated, of_video

# Shares of clips: generated, generated with photographs as surfaces, moving photographs, real.
CLIP_SHARES = (0.25, 0.15, 0.54, 0.06)
# A first prompt is hardest on real pictures, and generated single frames teach it little more.
IMAGE_SHARES = (0.15, 0.10, 0.72, 0.03)


class Mixture:
    """The training part of a folder of stills, and the generator."""

    def __init__(self, path: str) -> None:
        """Open the folder; no picture is read.

        Raises:
            VideoError: it is no folder of stills, or none of them may be trained on.
        """
        folder = open_stills(path)
        self._bank = PictureBank(split_stills(folder.stills)[0])
        self._photograph = photograph_source(self._bank)
        self._clips: list[DatasetClip] = [
            open_dataset(clip.path)[0] for clip in split_clips(folder.clips)[0]
        ]

    def draw(self, rng: np.random.Generator, side: int, frames: int) -> TrainingClip:
        """Draw a clip of one of the four kinds.

        Raises:
            VideoError: many stills in a row, or a file of a clip, cannot be used.
        """
        kind = int(rng.choice(4, p=IMAGE_SHARES if frames == 1 else CLIP_SHARES))
        if kind == 3 and self._clips:
            real = self._clips[int(rng.integers(len(self._clips)))]
            clip = of_video(rng, real, side, frames)
            if clip is not None:
                return clip
        if kind < 2:
            config = training_config(side, frames)
            return of_generated(rng, self._over_photographs(config) if kind else config)
        moving = still_clip(rng, self._bank, side, frames)
        arrays = moving.frames_rgb_thwc, moving.labels_thw, moving.parts_thw
        return mirrored_and_reversed(rng, *arrays)

    def _over_photographs(self, config: ClipConfig) -> ClipConfig:
        return replace(config, photograph=self._photograph)


@lru_cache(maxsize=1)
def opened_mixture(path: str) -> Mixture:
    """Return the mixture of a folder, opened once in each process."""
    return Mixture(path)
