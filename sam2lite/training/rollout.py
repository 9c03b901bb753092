"""The frame loop over a batch of clips, differentiable: what the losses are computed on.

The rules are those of docs/architecture.md, "The frame loop", for many objects at once. Beyond them
it clicks where the network was wrong, and may write the true mask to memory instead of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from sam2lite.contracts.loop import (
    LABEL_NEGATIVE,
    LABEL_PAD,
    LABEL_POSITIVE,
    PROMPT_SLOTS,
    WINDOW_MAX,
)
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.runtimes.rules.sam2lite.mask_prompt import LOGIT_SPAN
from sam2lite.runtimes.rules.sam2lite.motion import FULL_SPEED_CELLS, GRID
from sam2lite.training.bank import Banks, Gate
from sam2lite.training.batches import Batch, prompt_bias

PRESENT_CELLS = 0.5  # a target is present if one cell is covered by this much


@dataclass(frozen=True)
class Simulation:
    """How a user and a teacher meddle with the loop, as probabilities.

    Attributes:
        correction_shares: of no, one, two corrective rounds on the first frame.
        late_correction: of one corrective click on a later frame.
        true_memory: of the true mask going to memory, for each object and frame.
        previous_mask: of an object's last mask being the hint on every later frame, as it is in the
            loop. The others learn to do with memory alone.
        window: stored frames that the decoder sees, beside the anchors.
    """

    correction_shares: tuple[float, ...] = (0.5, 0.35, 0.15)
    late_correction: float = 0.15
    true_memory: float = 0.2
    previous_mask: float = 0.8
    window: int = WINDOW_MAX


@dataclass(frozen=True)
class Decoded:
    """One decoding of all objects on one frame, with a prompt of the user or without.

    Shapes: `logits_nmhw` [N, 4, R/4, R/4], `iou_nm` [N, 4], `score_n1` [N, 1], `pointer_nmc`
    [N, 4, 256], `target_nhw` [N, R/4, R/4], `known_n` bool [N], whether the target is known.
    """

    frame: int
    prompted: bool
    logits_nmhw: Tensor
    iou_nm: Tensor
    score_n1: Tensor
    pointer_nmc: Tensor
    target_nhw: Tensor
    known_n: Tensor

    @property
    def present_n(self) -> Tensor:
        """Whether each target is in view. Shape: bool `[N]`."""
        return in_view(self.target_nhw)

    def chosen(self) -> tuple[Tensor, Tensor]:
        """Return logits [N, h, w] and pointer [N, 256] of the best candidate by predicted IoU."""
        row_n = torch.arange(len(self.iou_nm), device=self.iou_nm.device)
        best_n = self.iou_nm.argmax(dim=1)
        return self.logits_nmhw[row_n, best_n], self.pointer_nmc[row_n, best_n]


def in_view(target_nhw: Tensor) -> Tensor:
    """Return which targets cover a cell by enough to be seen. Shape: `[N, h, w]` -> bool `[N]`."""
    return target_nhw.flatten(1).amax(dim=1) > PRESENT_CELLS


@dataclass
class Rollout:
    """All decodings of a batch, and the importance of the tokens that were ranked."""

    decoded: list[Decoded] = field(default_factory=list)
    importance: list[Tensor] = field(default_factory=list)


def rollout(
    model: Sam2Lite, batch: Batch, simulation: Simulation, gate: Gate | None = None
) -> Rollout:
    """Prompt all targets on the first frame and track them to the last.

    Random decisions come from torch's global generator.

    Args:
        model: in training mode, or in evaluation mode for batch statistics that stand still.
        batch: on the model's device.
        simulation: the user and the teacher.
        gate: prune the banks; without it they grow, and only the window limits what is seen.
    """
    return _Loop(model, batch, simulation, gate).run()


class _Loop:
    def __init__(
        self, model: Sam2Lite, batch: Batch, simulation: Simulation, gate: Gate | None
    ) -> None:
        self.model, self.batch, self.simulation, self.gate = model, batch, simulation, gate
        self.frames = batch.image_ctchw.shape[1]
        image = batch.image_ctchw.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        self.maps = model.image_encoder(image)
        self.objects = len(batch.clip_n)
        self.device = batch.image_ctchw.device
        self.banks = Banks.empty(self.objects, self.device)
        self.stored_n = torch.zeros(self.objects, dtype=torch.int64, device=self.device)
        self.follows_n = torch.rand(self.objects, device=self.device) < simulation.previous_mask
        self.hint_nhw = torch.zeros_like(batch.target_nthw[:, 0])
        self.hinted_n = torch.zeros_like(self.follows_n)
        self.output = Rollout()

    def run(self) -> Rollout:
        for frame in range(self.frames):
            self.banks = self.banks.aged()
            if frame == 0:
                chosen, prompted = self._first_frame(), True
            else:
                chosen, prompted = self._later_frame(frame)
            if frame + 1 < self.frames:
                self._store(frame, *chosen, prompted)
        return self.output

    def _first_frame(self) -> tuple[Tensor, Tensor, Tensor]:
        batch = self.batch
        given_nhw = LOGIT_SPAN * (batch.target_nthw[:, 0] - 0.5)
        hint_nhw = torch.where(batch.masked_n[:, None, None], given_nhw, 0.0)
        xy_npc, label_np = batch.xy_norm_npc, batch.label_np
        decoded = self._decode(0, xy_npc, label_np, hint_nhw, batch.masked_n, True)
        shares = torch.tensor(self.simulation.correction_shares)
        for _ in range(int(torch.multinomial(shares, 1))):
            logits_nhw, _ = decoded.chosen()
            xy_npc, label_np = self._clicked(xy_npc, label_np, logits_nhw, decoded.target_nhw)
            decoded = self._decode(0, xy_npc, label_np, logits_nhw.detach(), None, True)
        logits_nhw, pointer_nc = decoded.chosen()
        # The user's own mask stays what it is (step 4 of `decode`).
        logits_nhw = torch.where(batch.masked_n[:, None, None], given_nhw, logits_nhw)
        return logits_nhw, pointer_nc, decoded.score_n1

    def _later_frame(self, frame: int) -> tuple[tuple[Tensor, Tensor, Tensor], bool]:
        xy_npc = torch.full((self.objects, PROMPT_SLOTS, 2), 0.5, device=self.device)
        label_np = torch.full(
            (self.objects, PROMPT_SLOTS), LABEL_PAD, dtype=torch.int32, device=self.device
        )
        decoded = self._decode(frame, xy_npc, label_np, self.hint_nhw, self.hinted_n, False)
        share = self.simulation.late_correction / max(1, self.frames - 1)
        corrected = bool(torch.rand(()) < share) and bool(self.batch.known_ct[:, frame].all())
        if corrected:
            logits_nhw, _ = decoded.chosen()
            xy_npc, label_np = self._clicked(xy_npc, label_np, logits_nhw, decoded.target_nhw)
            decoded = self._decode(frame, xy_npc, label_np, logits_nhw.detach(), None, True)
        return (*decoded.chosen(), decoded.score_n1), corrected

    def _features(self, frame: int) -> list[Tensor]:
        index_n = self.batch.clip_n * self.frames + frame
        return [features[index_n] for features in self.maps]

    def _decode(
        self,
        frame: int,
        xy_npc: Tensor,
        label_np: Tensor,
        hint_nhw: Tensor | None,
        hinted_n: Tensor | None,
        prompted: bool,
    ) -> Decoded:
        """Decode all objects; a hint without `hinted_n` is one for every object."""
        target_nhw = self.batch.target_nthw[:, frame]
        if hint_nhw is None:
            hint_nhw = torch.zeros_like(target_nhw)
            flag_n = torch.zeros(self.objects, device=self.device)
        else:
            flag_n = (
                torch.ones(self.objects, device=self.device)
                if hinted_n is None
                else hinted_n.float()
            )
        outputs = self.model.mask_decoder(
            *self._features(frame),
            self.banks.key_nmc,
            self.banks.value_nmc,
            self.banks.normalised_age(),
            self.banks.bias(self.stored_n, self.simulation.window),
            xy_npc,
            label_np,
            prompt_bias(label_np),
            hint_nhw[:, None],
            flag_n[:, None, None, None],
        )
        logits, iou, score, pointer = (output.float() for output in outputs)
        known_n = self.batch.known_ct[self.batch.clip_n, frame]
        decoded = Decoded(frame, prompted, logits, iou, score, pointer, target_nhw, known_n)
        self.output.decoded.append(decoded)
        return decoded

    def _clicked(
        self, xy_npc: Tensor, label_np: Tensor, logits_nhw: Tensor, target_nhw: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Add one click for each object where mask and target differ; anywhere if nowhere."""
        side = target_nhw.shape[-1]
        true_nhw = target_nhw > 0.5
        wrong_nhw = (true_nhw ^ (logits_nhw > 0.0)).float() + 1e-6
        index_n = torch.multinomial(wrong_nhw.flatten(1), 1)[:, 0]
        y_n, x_n = index_n // side, index_n % side
        row_n = torch.arange(self.objects, device=self.device)
        slot_n = (label_np != LABEL_PAD).sum(dim=1).clamp(max=PROMPT_SLOTS - 1)
        xy_nc = (torch.stack([x_n, y_n], dim=-1) + 0.5) / side
        label_n = torch.where(true_nhw[row_n, y_n, x_n], LABEL_POSITIVE, LABEL_NEGATIVE)
        return (
            xy_npc.index_put((row_n, slot_n), xy_nc),
            label_np.index_put((row_n, slot_n), label_n.to(label_np.dtype)),
        )

    def _store(
        self, frame: int, logits_nhw: Tensor, pointer_nc: Tensor, score_n1: Tensor, anchor: bool
    ) -> None:
        """Write the frame to the banks of the objects that are present."""
        target_nhw = self.batch.target_nthw[:, frame]
        taught_n = torch.rand(self.objects, device=self.device) < self.simulation.true_memory
        taught_n = taught_n & self.batch.known_ct[self.batch.clip_n, frame]
        logits_nhw = torch.where(
            taught_n[:, None, None], LOGIT_SPAN * (target_nhw - 0.5), logits_nhw
        )
        there_n = in_view(target_nhw)
        present_n = torch.where(taught_n, there_n, score_n1[:, 0] > 0.0)
        if anchor:
            present_n = torch.ones_like(present_n)
        self.hint_nhw, self.hinted_n = logits_nhw.detach(), present_n & self.follows_n
        key, value, uncertainty = self.model.memory_encoder(
            self._features(frame)[0], logits_nhw[:, None], pointer_nc
        )
        flat_nm = torch.zeros_like(uncertainty, dtype=torch.float32)
        new = Banks(
            key.float(),
            value.float(),
            age_nm=flat_nm,
            ordinal_nm=self.stored_n[:, None].expand(flat_nm.shape),
            motion_nm=flat_nm + self._motion(frame, logits_nhw)[:, None],
            uncertainty_nm=uncertainty.float().detach(),
            anchor_nm=torch.full_like(flat_nm, anchor, dtype=torch.bool),
            valid_nm=present_n[:, None].expand(flat_nm.shape),
            gate_nm=flat_nm,
        )
        self.banks = self.banks.joined(new)
        self.stored_n = self.stored_n + present_n.long()
        if self.gate is not None:
            self.banks, importance = self.banks.selected(self.model.memory_select, self.gate)
            self.output.importance.append(importance)

    def _motion(self, frame: int, logits_nhw: Tensor) -> Tensor:
        """Follow `runtimes.motion.MotionSignal.inside`. Shape: `[N]`."""
        small = F.interpolate(logits_nhw.detach()[:, None], (GRID, GRID), mode="bilinear")
        inside_ng = (small > 0.0).flatten(1).float()
        change_n = (inside_ng * self.batch.change_ctg[self.batch.clip_n, frame]).sum(dim=1)
        gradient_n = (inside_ng * self.batch.gradient_ctg[self.batch.clip_n, frame]).sum(dim=1)
        speed_n = change_n / gradient_n.clamp(min=1e-6) / FULL_SPEED_CELLS
        return speed_n.clamp(max=1.0) * (gradient_n > 0.0)
