"""Batches of clips: a pure function of the run's seed and the step, made in the background."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sam2lite.contracts.loop import LABEL_PAD, MASKED_BIAS
from sam2lite.training.samples import Sample, draw_sample
from sam2lite.training.sources import draw_clip


@dataclass(frozen=True)
class BatchShape:
    """How large a batch of one process is.

    Attributes:
        side: of the square frames, px.
        frames: in each clip.
        clips: in each batch.
        targets: in each clip, at most.
    """

    side: int
    frames: int
    clips: int
    targets: int


@dataclass(frozen=True)
class Batch:
    """C clips of T frames with N targets in all.

    Shapes: `image_ctchw` uint8 [C, T, 3, R, R]; `clip_n` int64 [N], which clip a target is in;
    `target_nthw` float32 [N, T, R/4, R/4] in 0..1; `xy_norm_npc` float32 [N, P, 2]; `label_np`
    int32 [N, P]; `masked_n` bool [N]; `change_ctg`, `gradient_ctg` float32 [C, T, G];
    `known_ct` bool [C, T], which masks are known.
    """

    image_ctchw: Tensor
    clip_n: Tensor
    target_nthw: Tensor
    xy_norm_npc: Tensor
    label_np: Tensor
    masked_n: Tensor
    change_ctg: Tensor
    gradient_ctg: Tensor
    known_ct: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the batch on another device."""
        values = {
            field.name: getattr(self, field.name).to(device, non_blocking=True)
            for field in dataclasses.fields(self)
        }
        return Batch(**values)


def prompt_bias(label_np: Tensor) -> Tensor:
    """Return `prompt_bias_b11p` of prompt labels. Shape: `[n, P]` -> `[n, 1, 1, P]`."""
    return torch.where(label_np == LABEL_PAD, MASKED_BIAS, 0.0)[:, None, None]


def make_batch(
    seed: tuple[int, ...],
    shape: BatchShape,
    prompt_kind: int | None = None,
    data: str | None = None,
) -> Batch:
    """Make a batch; the same seed and shape give the same batch.

    Args:
        seed: of the batch.
        shape: of the batch.
        prompt_kind: one of `prompts`; drawn for each target if not given.
        data: path of a data set or a folder of stills; clips are generated if not given.

    Raises:
        TrainingError: the data set has no clips that are long enough.
        VideoError: the data set cannot be read.
    """
    rng = np.random.default_rng(seed)
    samples: list[Sample] = []
    while len(samples) < shape.clips:
        clip = draw_clip(rng, data, shape.side, shape.frames)
        sample = draw_sample(rng, clip, shape.targets, prompt_kind)
        if sample is not None:
            samples.append(sample)
    return collate(samples)


def collate(samples: list[Sample]) -> Batch:
    """Join samples of one side and length."""
    clip_n = np.repeat(np.arange(len(samples)), [len(sample.mask_nthw) for sample in samples])

    def joined(name: str) -> Tensor:
        return torch.from_numpy(np.concatenate([getattr(sample, name) for sample in samples]))

    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(sample, name) for sample in samples]))

    return Batch(
        stacked("image_tchw"),
        torch.from_numpy(clip_n),
        joined("mask_nthw").float() / 255.0,
        joined("xy_norm_npc"),
        joined("label_np"),
        joined("masked_n"),
        stacked("change_tg"),
        stacked("gradient_tg"),
        stacked("known_t"),
    )
