import dataclasses

import pytest
import torch

from sam2lite.contracts.loop import LABEL_PAD
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.models.sam2lite.reference.loop import ReferenceLoop
from sam2lite.runtimes.rules.sam2lite.mask_prompt import LOGIT_SPAN
from sam2lite.training.bank import Gate
from sam2lite.training.batches import Batch, BatchShape, make_batch, prompt_bias
from sam2lite.training.losses import PRESETS, rollout_loss
from sam2lite.training.prompts import CENTRE_CLICK, MASK
from sam2lite.training.rollout import Simulation, rollout

UNAIDED = Simulation(
    correction_shares=(1.0,), late_correction=0.0, true_memory=0.0, previous_mask=1.0
)
MEDDLED = Simulation(correction_shares=(0.0, 0.0, 1.0), late_correction=1.0, true_memory=0.5)


@pytest.mark.parametrize("kind", [CENTRE_CLICK, MASK])
def test_it_is_the_reference_loop(mini: Sam2Lite, kind: int) -> None:
    """The same rules, written twice: a batch of objects, and one object after the other."""
    torch.manual_seed(0)  # of other weights a token may score as another one, but for rounding
    model = Sam2Lite(dataclasses.replace(mini.config, budget=256)).eval()
    batch = make_batch((9,), BatchShape(side=240, frames=4, clips=1, targets=3), kind)
    with torch.no_grad():
        output = rollout(model, batch, UNAIDED)
    loop = ReferenceLoop(model)
    slots = batch.xy_norm_npc, batch.label_np, prompt_bias(batch.label_np)
    for frame, decoded in enumerate(output.decoded):
        loop.start_frame(batch.image_ctchw[:, frame])
        for index in range(len(batch.clip_n)):
            if frame:
                expected = loop.track(index)
            else:
                own = [column[index : index + 1] for column in slots]
                mask = LOGIT_SPAN * (batch.target_nthw[index, 0] - 0.5)[None, None]
                expected = loop.prompt(index, own, mask if kind == MASK else None)
            assert decoded.frame == frame
            assert torch.allclose(
                decoded.logits_nmhw[index], expected.candidate_logits_mhw, atol=2e-5
            )
            assert torch.allclose(decoded.iou_nm[index], expected.candidate_iou_m, atol=2e-5)
            assert torch.allclose(decoded.score_n1[index, 0], expected.object_score, atol=2e-5)


def test_corrections_are_decodings_of_their_own(mini: Sam2Lite, clip_batch: Batch) -> None:
    torch.manual_seed(0)
    frames = [decoded.frame for decoded in rollout(mini, clip_batch, MEDDLED).decoded]
    assert frames[:3] == [0, 0, 0]
    assert frames.count(0) == 3
    assert set(frames) == {0, 1, 2}
    assert [d.frame for d in rollout(mini, clip_batch, UNAIDED).decoded] == [0, 1, 2]


def test_every_parameter_learns(mini: Sam2Lite, clip_batch: Batch) -> None:
    torch.manual_seed(0)
    batch = dataclasses.replace(clip_batch, masked_n=torch.zeros_like(clip_batch.masked_n))
    assert (batch.label_np != LABEL_PAD).any()
    output = rollout(mini.train(), batch, MEDDLED, Gate(budget=40, temperature=0.5))
    terms = rollout_loss(output, PRESETS["sam2lite"], 40)
    assert all(torch.isfinite(term) for term in terms.values())
    torch.stack(list(terms.values())).sum().backward()
    without = [n for n, p in mini.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_half_precision_stays_finite(mini: Sam2Lite, clip_batch: Batch) -> None:
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        output = rollout(mini.train(), clip_batch, MEDDLED, Gate(budget=40, temperature=0.5))
    assert all(torch.isfinite(decoded.logits_nmhw).all() for decoded in output.decoded)
