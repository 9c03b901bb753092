"""A quick score during training: held-out clips, one centre click, the mask at stride 4.

It ranks checkpoints of one run. What a network is worth is for `sam2lite eval` to say, in the
frame loop that users run.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.training.batches import Batch, BatchShape, make_batch
from sam2lite.training.losses import mask_iou
from sam2lite.training.prompts import CENTRE_CLICK
from sam2lite.training.rollout import Simulation, rollout

SHAPE = BatchShape(side=240, frames=12, clips=1, targets=4)
CLIPS = 10
SEED = 2**31
LAST_FRAMES = 4
UNAIDED = Simulation(
    correction_shares=(1.0,), late_correction=0.0, true_memory=0.0, previous_mask=1.0
)


class Score(NamedTuple):
    """Mean IoU, 0..1: of the clicked frame, of the frames tracked after it, of the last four."""

    first: float
    tracked: float
    last: float


def validation_batches(clips: int | None = None) -> list[Batch]:
    """Make so many clips, `CLIPS` if not given; their seeds are those of no training step."""
    count = CLIPS if clips is None else clips
    return [make_batch((SEED, index), SHAPE, prompt_kind=CENTRE_CLICK) for index in range(count)]


@torch.no_grad()
def validate(model: Sam2Lite, batches: list[Batch], simulation: Simulation = UNAIDED) -> Score:
    """Track every target of every clip from one click."""
    by_frame: list[list[float]] = [[] for _ in range(SHAPE.frames)]
    for batch in batches:
        for decoded in rollout(model.eval(), batch, simulation).decoded:
            best_n1 = decoded.iou_nm.argmax(dim=1, keepdim=True)
            iou_n = mask_iou(decoded.logits_nmhw, decoded.target_nhw).gather(1, best_n1)[:, 0]
            if decoded.frame:
                # An absent object has the empty mask, as in the frame loop.
                empty_n = decoded.score_n1[:, 0] <= 0.0
                gone_n = ~decoded.present_n
                iou_n = torch.where(empty_n, gone_n.float(), iou_n)
            by_frame[decoded.frame] += iou_n.tolist()
    mean = [sum(values) / len(values) for values in by_frame]
    return Score(
        mean[0], sum(mean[1:]) / len(mean[1:]), sum(mean[-LAST_FRAMES:]) / len(mean[-LAST_FRAMES:])
    )
