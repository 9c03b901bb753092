"""Losses between a student and a teacher; each is 0 where they agree."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from sam2lite.training.distillation.reading import MemoryReading
from sam2lite.training.distillation.teacher_output import TeacherOutput
from sam2lite.training.losses import LossWeights, bce
from sam2lite.training.rollout import Rollout

LEAST_SHARE = 1e-6  # below it a share has no logarithm worth matching, nor digits in a cache


def mask_matching(logits_nmhw: Tensor, teacher_nhw: Tensor, counted_n: Tensor) -> Tensor:
    """Return the cross-entropy of masks to the teacher's, less its entropy: a scalar.

    It is taken of the candidate nearest to the teacher. The one that the student would choose
    changes from step to step while the predicted IoU is learned, and to pull whatever it is towards
    one mask makes all candidates the same.

    Args:
        logits_nmhw: of the student's candidates, `[N, M, h, w]`.
        teacher_nhw: logits of the teacher's chosen mask, `[N, h, w]`.
        counted_n: bool `[N]`, objects whose teacher mask is worth learning.
    """
    teacher_n1hw = teacher_nhw[:, None]
    probability_n1hw = torch.sigmoid(teacher_n1hw)
    cross_nm = bce(logits_nmhw, probability_n1hw.expand_as(logits_nmhw))
    apart_n = cross_nm.amin(dim=1) - bce(teacher_n1hw, probability_n1hw)[:, 0]
    return (apart_n * counted_n).sum() / counted_n.sum().clamp(min=1)


def attention_matching(student_lnib: Tensor, teacher_lnib: Tensor, shared_nb: Tensor) -> Tensor:
    """Return KL(teacher || student) of the attention to frames, a mean over image tokens: a scalar.

    Student and teacher hold different tokens (other cells, fewer after pruning), so single tokens
    cannot be compared; the frames that they are of can, with the null token as one more. Frames
    that only one of the two can read are left out: what is compared is the distribution over the
    others, weighed by the teacher's share of them, which is the term of the chain rule of the KL
    divergence that the student can do something about. Layers are aligned from the last.

    The paper has KL(student || teacher), the reverse of what is usual in distillation (Hinton et
    al. 2015): that one lets the student ignore frames that the teacher reads.

    Args:
        student_lnib: `MemoryReading.share_lnib` of the student.
        teacher_lnib: the same of the teacher; it may have another number of layers.
        shared_nb: bool, bins that both can read.
    """
    layers = min(len(student_lnib), len(teacher_lnib))
    shared_n1b = shared_nb[:, None]
    student_log = _shared_log(student_lnib[-layers:], shared_n1b)
    teacher_log = _shared_log(teacher_lnib[-layers:], shared_n1b)
    weight_lnib = teacher_lnib[-layers:] * shared_n1b
    return (weight_lnib * (teacher_log - student_log)).sum(dim=-1).mean()


def _shared_log(share_lnib: Tensor, shared_n1b: Tensor) -> Tensor:
    """Return the logarithm of the shares, of the bins that count made a distribution."""
    share_lnib = share_lnib.clamp(min=LEAST_SHARE)
    return torch.log(share_lnib / (share_lnib * shared_n1b).sum(dim=-1, keepdim=True))


def readout_matching(student_lnic: Tensor, teacher_lnic: Tensor) -> Tensor:
    """Return the mean squared difference of how alike read-outs of image tokens are: a scalar.

    Read-outs of networks of different widths cannot be subtracted. Which tokens read the same can
    be compared without a learned projection: the cosines of all pairs of one object's tokens
    (similarity-preserving distillation, Tung & Mori 2019, there for the samples of a batch). Layers
    are aligned from the last.

    Args:
        student_lnic: `MemoryReading.readout_lnic` of the student.
        teacher_lnic: the same of the teacher, with any number of layers and channels.
    """
    layers = min(len(student_lnic), len(teacher_lnic))
    return (_cosines(student_lnic[-layers:]) - _cosines(teacher_lnic[-layers:])).square().mean()


def _cosines(tokens_lnic: Tensor) -> Tensor:
    """Return the cosine of every pair of tokens of an object. Shape: `[L, N, I, I]`."""
    unit_lnic = F.normalize(tokens_lnic, dim=-1)
    return unit_lnic @ unit_lnic.transpose(-1, -2)


def matching_loss(
    output: Rollout, readings: list[MemoryReading], taught: TeacherOutput, weights: LossWeights
) -> dict[str, Tensor]:
    """Return the weighted terms of a student's rollout, each a mean over its frames.

    Args:
        output: of the student; one decoding a frame.
        readings: of its decodings with a memory to read.
        taught: what the teacher said on the same batch; what it left out is left out here.
        weights: of the terms.
    """
    each: dict[str, list[Tensor]] = {}
    if weights.teacher_mask:
        each["teacher_mask"] = [
            mask_matching(
                decoded.logits_nmhw,
                taught.logits_tnhw[decoded.frame],
                # A lost teacher has no mask to show, and the mask of an absent object is not shown.
                taught.shown_tn[decoded.frame] & decoded.present_n,
            )
            for decoded in output.decoded
        ]
    if taught.share_tlnib is not None and taught.held_tnb is not None:
        bins = taught.held_tnb.shape[-1]
        pairs = zip(readings, taught.share_tlnib, taught.held_tnb, strict=True)
        each["attention"] = [
            attention_matching(own.share_lnib(bins), share_lnib, own.held_nb(bins) & held_nb)
            for own, share_lnib, held_nb in pairs
        ]
    if taught.readout_tlnic is not None:
        each["readout"] = [
            readout_matching(own.readout_lnic(), readout_lnic)
            for own, readout_lnic in zip(readings, taught.readout_tlnic, strict=True)
        ]
    return {
        name: getattr(weights, name) * torch.stack(values).mean() for name, values in each.items()
    }
