"""Where clips come from: a frozen set, the generator, a data set or a folder of stills.

A source is a list of references, which are small and can be sent to other processes; the frames are
made or read there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from sam2lite.data.clips import ClipConfig, generate_clip
from sam2lite.data.stills import (
    PictureBank,
    RealClip,
    Still,
    StillsFolder,
    check_stills,
    open_stills,
    read_picture,
    split_clips,
    split_stills,
    still_clip,
)
from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.evaluation.clip import EvaluationClip

DEFAULT_SET = "eval-v1"
FRESH_SEED_SPACE = 20_000  # of `fresh_clips`; neither training nor a frozen set draws from it
MOVING_SEED_SPACE = 30_000
MOVING_CLIPS, MOVING_FRAMES, MOVING_SIDE = 64, 16, 320  # of `val-moving`; the side in px


class ClipReference(Protocol):
    """A clip that is not loaded yet."""

    @property
    def name(self) -> str:
        """What its scores are listed under."""

    def load(self) -> EvaluationClip:
        """Return the clip with all its frames."""


@dataclass(frozen=True)
class GeneratedClip:
    """A clip of the generator."""

    seed: int
    config: ClipConfig

    @property
    def name(self) -> str:
        """See `ClipReference`."""
        return f"seed_{self.seed:05d}"

    def load(self) -> EvaluationClip:
        """See `ClipReference`."""
        return EvaluationClip.of(generate_clip(self.seed, self.config), self.name)


@dataclass(frozen=True)
class FolderClip:
    """A clip of a data set on disk."""

    root: Path
    name: str

    def load(self) -> EvaluationClip:
        """See `ClipReference`."""
        from sam2lite.data.datasets import open_dataset

        return EvaluationClip.of(open_dataset(self.root).open_clip(self.name), self.name)


def set_clips(name: str) -> Sequence[ClipReference]:
    """Return the clips of a frozen set.

    Raises:
        UnknownNameError: there is no such set.
    """
    from sam2lite.data.eval_sets import EVAL_SETS

    if name not in EVAL_SETS:
        raise UnknownNameError("evaluation set", name, EVAL_SETS)
    return [GeneratedClip(seed, EVAL_SETS[name].config) for seed in EVAL_SETS[name].seeds]


def fresh_clips(count: int, seed: int) -> Sequence[ClipReference]:
    """Return clips like those of `eval-v1` which are in no set, with the seeds from `seed` on.

    Raises:
        ArgumentError: the count is not positive or the seed is negative.
    """
    from sam2lite.data.eval_sets import EVAL_SETS

    if count < 1 or seed < 0:
        raise ArgumentError(
            f"{count} clips from seed {seed}: choose 1 clip or more and a seed >= 0"
        )
    config = replace(EVAL_SETS[DEFAULT_SET].config, seed_space=FRESH_SEED_SPACE)
    return [GeneratedClip(each, config) for each in range(seed, seed + count)]


def folder_clips(root: Path) -> Sequence[ClipReference]:
    """Return the clips of a folder in a layout that `open_dataset` knows, DAVIS above all.

    Raises:
        VideoError: nothing is there, or it has another layout.
    """
    from sam2lite.data.datasets import open_dataset

    return [FolderClip(root, name) for name in open_dataset(root).names]


@dataclass(frozen=True)
class StillReference:
    """A still, as a clip of one frame."""

    still: Still

    @property
    def name(self) -> str:
        """Source and identity."""
        return self.still.name

    def load(self) -> EvaluationClip:
        """See `ClipReference`."""
        picture = read_picture(self.still)
        frames, labels = picture.image_rgb_hwc[None], picture.labels_hw[None]
        return EvaluationClip(self.name, frames, labels, np.ones(1, bool))


@dataclass(frozen=True)
class MovingStill:
    """A clip made of photographs that are kept apart, as training makes them of the others."""

    stills: tuple[Still, ...]
    seed: int

    @property
    def name(self) -> str:
        """See `ClipReference`."""
        return f"moving/{self.seed:03d}"

    def load(self) -> EvaluationClip:
        """See `ClipReference`."""
        rng = np.random.default_rng((MOVING_SEED_SPACE, self.seed))
        clip = still_clip(rng, PictureBank(self.stills), MOVING_SIDE, MOVING_FRAMES)
        annotated_t = np.ones(MOVING_FRAMES, bool)
        return EvaluationClip(self.name, clip.frames_rgb_thwc, clip.labels_thw, annotated_t)


def _validation(folder: StillsFolder) -> Sequence[ClipReference]:
    return _of_stills(split_stills(folder.stills)[1])


def _training(folder: StillsFolder) -> Sequence[ClipReference]:
    return _of_stills(split_stills(folder.stills)[0])


def _moving(folder: StillsFolder) -> Sequence[ClipReference]:
    stills = tuple(split_stills(folder.stills)[1])
    return [MovingStill(stills, seed) for seed in range(MOVING_CLIPS)]


SPLITS: Mapping[str, Callable[[StillsFolder], Sequence[ClipReference]]] = {
    "val": _validation,
    "val-moving": _moving,
    "train": _training,
    "val-clips": lambda folder: _of_clips(split_clips(folder.clips)[1]),
    "train-clips": lambda folder: _of_clips(split_clips(folder.clips)[0]),
}


def real_references(path: Path, split: str) -> tuple[Sequence[ClipReference], str]:
    """Return a part of a folder of stills, and what of it is skipped, for the user.

    Args:
        path: of the folder.
        split: `val` or `train` for stills, `val-moving` for clips made of the former, `val-clips`
            or `train-clips` for the clips beside them.

    Raises:
        UnknownNameError: there is no such split.
        VideoError: the folder cannot be read, or too much of it is damaged.
    """
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS)
    references = SPLITS[split](open_stills(path))
    stills = [item.still for item in references if isinstance(item, StillReference)]
    if not stills:
        return references, ""
    checked = check_stills(stills)
    return _of_stills(checked.usable), checked.summary()


def _of_stills(stills: Sequence[Still]) -> Sequence[ClipReference]:
    return [StillReference(still) for still in stills]


def _of_clips(clips: Sequence[RealClip]) -> Sequence[ClipReference]:
    return [FolderClip(clip.path, clip.path.name) for clip in clips]
