"""Losses: terms on one decoding, and presets that weigh them by name.

Terms on masks are computed for every candidate. After a prompt the best one counts more, so that
candidates can mean different things (a part, the whole; SAM, Kirillov et al. 2023, sec. 3). On
tracked frames, where nothing is ambiguous, all count alike: with the best one favoured there too,
the candidates drifted apart for no reason, and the one that the network chose was 7 points of J
below the best and 1 below always taking the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from sam2lite.errors import UnknownNameError
from sam2lite.training.rollout import Decoded, Rollout

FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2.0
ALL_CANDIDATES = 0.2  # their share of the mask loss where a prompt may mean several things


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms; 0 leaves a term out.

    `attention` and `readout` compare a student with a teacher (see `distillation`); the others need
    none.
    """

    bce: float = 0.0
    focal: float = 0.0
    dice: float = 0.0
    soft_iou: float = 0.0
    edge: float = 0.0
    iou_score: float = 0.0
    object_score: float = 0.0
    budget: float = 0.0
    attention: float = 0.0
    readout: float = 0.0
    teacher_mask: float = 0.0


WEIGHT_NAMES = tuple(field.name for field in fields(LossWeights))
PRESETS = {
    # The paper's equation: L_mask + 1.0 attention + 0.5 read-out + 0.3 edge + 0.2 budget.
    "paper": LossWeights(
        bce=1.0, soft_iou=1.0, attention=1.0, readout=0.5, edge=0.3, budget=0.2,
        iou_score=0.5, object_score=0.2, teacher_mask=1.0,
    ),
    # Its methodology page, which gives the same four numbers to other terms.
    "methodology": LossWeights(
        bce=1.0, soft_iou=1.0, edge=0.5, attention=0.3, readout=0.2,
        iou_score=0.5, object_score=0.2, teacher_mask=1.0,
    ),
    "sam2lite": LossWeights(
        bce=2.0, dice=1.0, edge=0.2, iou_score=1.0, object_score=0.2, budget=0.1,
        attention=0.3, readout=0.2, teacher_mask=1.0,
    ),
}  # fmt: skip


def loss_weights(name: str) -> LossWeights:
    """Return the weights of a preset, less the terms named after it.

    Args:
        name: `sam2lite`, or `sam2lite-edge-attention` for the same with these two terms at 0.

    Raises:
        UnknownNameError: there is no such preset, or no such term.
    """
    preset, *removed = name.split("-")
    if preset not in PRESETS:
        raise UnknownNameError("loss preset", preset, PRESETS)
    for term in removed:
        if term not in WEIGHT_NAMES:
            raise UnknownNameError("loss term", term, WEIGHT_NAMES)
    return replace(PRESETS[preset], **dict.fromkeys(removed, 0.0))


def bce(logits_nmhw: Tensor, target_nmhw: Tensor) -> Tensor:
    """Binary cross-entropy, mean over the pixels. Shape: `[N, M]`."""
    return F.binary_cross_entropy_with_logits(logits_nmhw, target_nmhw, reduction="none").mean(
        dim=(2, 3)
    )


def focal(logits_nmhw: Tensor, target_nmhw: Tensor) -> Tensor:
    """Focal loss (Lin et al. 2017, eq. 5), mean over the pixels. Shape: `[N, M]`."""
    cross = F.binary_cross_entropy_with_logits(logits_nmhw, target_nmhw, reduction="none")
    probability = torch.sigmoid(logits_nmhw)
    miss = probability + target_nmhw - 2.0 * probability * target_nmhw
    alpha = FOCAL_ALPHA * target_nmhw + (1.0 - FOCAL_ALPHA) * (1.0 - target_nmhw)
    return (alpha * miss**FOCAL_GAMMA * cross).mean(dim=(2, 3))


def dice(logits_nmhw: Tensor, target_nmhw: Tensor) -> Tensor:
    """One minus the Dice coefficient (Milletari et al. 2016, sec. 3). Shape: `[N, M]`."""
    probability = torch.sigmoid(logits_nmhw)
    overlap = (probability * target_nmhw).sum(dim=(2, 3))
    total = probability.sum(dim=(2, 3)) + target_nmhw.sum(dim=(2, 3))
    return 1.0 - (2.0 * overlap + 1.0) / (total + 1.0)


def soft_iou(logits_nmhw: Tensor, target_nmhw: Tensor) -> Tensor:
    """One minus the IoU of probabilities. Shape: `[N, M]`."""
    probability = torch.sigmoid(logits_nmhw)
    overlap = (probability * target_nmhw).sum(dim=(2, 3))
    total = (probability + target_nmhw - probability * target_nmhw).sum(dim=(2, 3))
    return 1.0 - (overlap + 1.0) / (total + 1.0)


def edge(logits_nmhw: Tensor, target_nmhw: Tensor) -> Tensor:
    """Squared difference of the masks' gradients over the target's own. Shape: `[N, M]`."""
    probability = torch.sigmoid(logits_nmhw)
    difference = probability - target_nmhw
    wrong = _gradient_energy(difference)
    return wrong / (_gradient_energy(target_nmhw) + 1.0)


def _gradient_energy(map_nmhw: Tensor) -> Tensor:
    return map_nmhw.diff(dim=2).square().sum(dim=(2, 3)) + map_nmhw.diff(dim=3).square().sum(
        dim=(2, 3)
    )


MASK_TERMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "bce": bce,
    "focal": focal,
    "dice": dice,
    "soft_iou": soft_iou,
    "edge": edge,
}


def budget(importance: list[Tensor], tokens: int) -> Tensor:
    """Keep the summed importance of a step's candidates within the budget.

    The published loss squares (sum of the hard gate - budget), which is zero by construction. Here
    it is the importance itself, bounded by its sigmoid, so that it has a gradient and a minimum.
    """
    mean = torch.cat(importance).mean()
    over = torch.stack([F.relu(scores.sum() / tokens - 1.0) for scores in importance]).mean()
    return over.square() + 0.01 * mean


def mask_iou(logits_nmhw: Tensor, target_nhw: Tensor) -> Tensor:
    """IoU of the masks at 0 and the targets at one half; 1 where both are empty. `[N, M]`."""
    mask, true = logits_nmhw > 0.0, (target_nhw > 0.5)[:, None]
    union = (mask | true).sum(dim=(2, 3))
    return torch.where(union == 0, 1.0, (mask & true).sum(dim=(2, 3)) / union.clamp(min=1))


def decoding_loss(decoded: Decoded, weights: LossWeights) -> dict[str, Tensor]:
    """Return the weighted terms of one decoding, as scalars by name."""
    target_nhw = decoded.target_nhw
    target_nmhw = target_nhw[:, None].expand_as(decoded.logits_nmhw)
    known_n = decoded.known_n.float()
    present_n = decoded.present_n.float() * known_n
    parts = {
        name: getattr(weights, name) * term(decoded.logits_nmhw, target_nmhw)
        for name, term in MASK_TERMS.items()
        if getattr(weights, name)
    }
    total_nm = sum(parts.values(), torch.zeros_like(decoded.iou_nm)).detach()
    best_n1 = total_nm.argmin(dim=1, keepdim=True)
    count = present_n.sum().clamp(min=1.0)
    everyone = ALL_CANDIDATES if decoded.prompted else 1.0
    terms = {}
    for name, part_nm in parts.items():
        best_n = part_nm.gather(1, best_n1)[:, 0]
        mixed_n = (1.0 - everyone) * best_n + everyone * part_nm.mean(dim=1)
        # The mask of an absent object is not shown, so it may be anything.
        terms[name] = (mixed_n * present_n).sum() / count
    true_iou_nm = mask_iou(decoded.logits_nmhw.detach(), target_nhw)
    error_n = (decoded.iou_nm - true_iou_nm).square().mean(dim=1)
    terms["iou_score"] = weights.iou_score * (error_n * present_n).sum() / count
    cross_n = F.binary_cross_entropy_with_logits(
        decoded.score_n1[:, 0], present_n, reduction="none"
    )
    terms["object_score"] = (
        weights.object_score * (cross_n * known_n).sum() / known_n.sum().clamp(min=1.0)
    )
    return terms


def rollout_loss(output: Rollout, weights: LossWeights, tokens: int) -> dict[str, Tensor]:
    """Return the weighted terms of a rollout, each a mean over its decodings.

    Args:
        output: of `rollout`.
        weights: of the terms.
        tokens: of the memory budget.
    """
    each = [decoding_loss(decoded, weights) for decoded in output.decoded]
    terms = {name: torch.stack([terms[name] for terms in each]).mean() for name in each[0]}
    if output.importance and weights.budget:
        terms["budget"] = weights.budget * budget(output.importance, tokens)
    return terms
