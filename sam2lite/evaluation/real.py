"""A folder of stills and real clips as something to evaluate, and its scores by source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sam2lite.data.stills import (
    RealClip,
    Still,
    StillsFolder,
    check_stills,
    open_stills,
    read_picture,
    split_clips,
    split_stills,
)
from sam2lite.errors import UnknownNameError
from sam2lite.evaluation.baselines import BASELINES
from sam2lite.evaluation.clip import EvaluationClip
from sam2lite.evaluation.report import RunScores
from sam2lite.evaluation.scores import Scores, summarise
from sam2lite.evaluation.sources import ClipReference, FolderClip


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


def _validation(folder: StillsFolder) -> Sequence[ClipReference]:
    return _of_stills(split_stills(folder.stills)[1])


def _training(folder: StillsFolder) -> Sequence[ClipReference]:
    return _of_stills(split_stills(folder.stills)[0])


SPLITS: Mapping[str, Callable[[StillsFolder], Sequence[ClipReference]]] = {
    "val": _validation,
    "train": _training,
    "val-clips": lambda folder: _of_clips(split_clips(folder.clips)[1]),
    "train-clips": lambda folder: _of_clips(split_clips(folder.clips)[0]),
}


def real_references(path: Path, split: str) -> tuple[Sequence[ClipReference], str]:
    """Return a part of a folder of stills, and what of it is skipped, for the user.

    Args:
        path: of the folder.
        split: `val` or `train` for stills, `val-clips` or `train-clips` for the clips beside them.

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


def scores_by_source(scores: RunScores) -> dict[str, dict[str, Any]]:
    """Return objects and first-frame J of each source, and of the baselines on the same objects.

    The given mask is left out, since its first frame is the truth.
    """
    parts = {"network": scores.main} | {
        BASELINES[name].family: found
        for name, found in scores.by_baseline.items()
        if BASELINES[name].prompt != "mask"
    }
    sources = sorted({_source(score.clip) for score in scores.main.object_scores})
    return {
        source: {"objects": _only(scores.main, source).objects}
        | {name: round(_only(found, source).first_frame_j, 2) for name, found in parts.items()}
        for source in sources
    }


def _only(scores: Scores, source: str) -> Scores:
    return summarise([score for score in scores.object_scores if _source(score.clip) == source])


def _source(name: str) -> str:
    return name.split("/")[0]


def _of_stills(stills: Sequence[Still]) -> Sequence[ClipReference]:
    return [StillReference(still) for still in stills]


def _of_clips(clips: Sequence[RealClip]) -> Sequence[ClipReference]:
    return [FolderClip(clip.path, clip.path.name) for clip in clips]
