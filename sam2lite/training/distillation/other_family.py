"""A teacher of another family: its own frame loop, of which masks are all that can be compared."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from sam2lite.contracts.loop import LABEL_BOX_TOP_LEFT, LABEL_NEGATIVE, LABEL_POSITIVE
from sam2lite.errors import ArgumentError
from sam2lite.models.loaded import LoadedModel
from sam2lite.runtimes.prompts import Prompt
from sam2lite.training.batches import Batch
from sam2lite.training.distillation.teacher_output import TeacherOutput


def size_for(teacher: LoadedModel, side: int) -> int:
    """Return the input size at which a teacher looks at what a student sees.

    Args:
        teacher: of any family.
        side: largest input side of the student, px.

    Returns:
        the least size from `side` to its double that the teacher takes, px; where it takes none of
        them, its own largest.
    """
    for size in range(side, 2 * side + 1):
        try:
            teacher.check_size(size)
        except ArgumentError:
            continue
        return size
    return teacher.sizes[-1]


class OtherFamily:
    """Runs a network's frame loop over the clips of a batch, one object after the other."""

    def __init__(self, loaded: LoadedModel, size: int, device: torch.device) -> None:
        """Take over a network, which is left as it is.

        Args:
            loaded: the network.
            size: of its input, px.
            device: to run on.
        """
        fused = loaded.fused()
        fused.model.to(device)
        self._loop, self._size, self._device = fused.reference(), size, device

    @torch.no_grad()
    def __call__(self, batch: Batch) -> TeacherOutput:
        """Return its masks on a batch, on the grid of the batch's own."""
        objects, frames = batch.target_nthw.shape[:2]
        logits_tnhw = torch.zeros_like(batch.target_nthw.transpose(0, 1))
        shown_tn = torch.zeros(frames, objects, dtype=torch.bool, device=self._device)
        prompts = [_prompt(batch, index) for index in range(objects)]
        side = batch.image_ctchw.shape[-1]
        with torch.autocast(self._device.type, enabled=False):
            for clip, image_tchw in enumerate(batch.image_ctchw):
                self._loop.reset()
                mine = torch.nonzero(batch.clip_n == clip)[:, 0].tolist()
                for frame, image_chw in enumerate(image_tchw):
                    self._loop.start_frame(self._resized(image_chw))
                    for index in mine:
                        decided = (
                            self._loop.track(index)
                            if frame
                            else self._loop.prompt(index, prompts[index], side, side)
                        )
                        logits_tnhw[frame, index] = _on_grid(decided.logits_hw, logits_tnhw.shape)
                        shown_tn[frame, index] = decided.present and not decided.lost
            self._loop.reset()
        return TeacherOutput(logits_tnhw, shown_tn)

    def _resized(self, image_chw: Tensor) -> Tensor:
        size = (self._size, self._size)
        image_bchw = image_chw[None].to(self._device)
        if image_bchw.shape[-2:] == size:
            return image_bchw
        resized = F.interpolate(image_bchw.float(), size, mode="bilinear", antialias=True)
        return resized.round().clamp(0.0, 255.0).to(torch.uint8)


def _on_grid(logits_hw: Tensor, shape: torch.Size) -> Tensor:
    """Bring logits to a grid; those of a lost object are no numbers, and are never looked at."""
    finite_hw = torch.nan_to_num(logits_hw.float())
    return F.interpolate(finite_hw[None, None], shape[-2:], mode="bilinear")[0, 0]


def _prompt(batch: Batch, index: int) -> Prompt:
    """Return what a target was pointed at with, in px of the batch's frames."""
    side = batch.image_ctchw.shape[-1]
    if batch.masked_n[index]:
        share_hw = batch.target_nthw[index, 0]
        # A thin object covers no cell by half.
        covered_hw = share_hw > 0.5 * share_hw.max()
        scale = side // share_hw.shape[-1]
        mask_hw = covered_hw.repeat_interleave(scale, 0).repeat_interleave(scale, 1)
        return Prompt(mask=mask_hw.cpu().numpy())
    labels_p = batch.label_np[index].cpu()
    xy_pc = batch.xy_norm_npc[index].cpu().double() * side - 0.5
    clicks = (labels_p == LABEL_POSITIVE) | (labels_p == LABEL_NEGATIVE)
    corner = torch.nonzero(labels_p == LABEL_BOX_TOP_LEFT)[:, 0]
    box = None
    if len(corner):  # the other corner comes next
        box = xy_pc[int(corner) : int(corner) + 2].clamp(0.0, float(side)).flatten().numpy()
    return Prompt(xy_pc[clicks].clamp(0.0, side - 1.0).numpy(), labels_p[clicks].numpy(), box)
