"""The two loops follow the pruning policies independently, and must keep the same tokens."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sam2lite.contracts.families.sam2lite import TOKENS_PER_FRAME
from sam2lite.data.clips import Clip, ClipConfig, first_click, generate_clip
from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2lite.reference import pruning as reference
from sam2lite.models.sam2lite.reference.bank import Bank
from sam2lite.models.sam2lite.reference.loop import ReferenceLoop
from sam2lite.runtimes.geometry import network_input
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.rules.sam2lite import pruning
from sam2lite.runtimes.rules.sam2lite.memory_bank import MemoryBank
from sam2lite.runtimes.rules.sam2lite.motion import MotionSignal
from sam2lite.runtimes.segmenter import VideoSegmenter

FRAMES = 14
CORRECTED_AT = (5, 9)  # with the first prompt, more anchors than small budgets have room for
Kept = set[tuple[int, int]]  # ordinal, token


@pytest.fixture(scope="module")
def clip() -> Clip:
    # In clip 3 two tokens of the random network rank equal to six digits, which is nobody's fault.
    return generate_clip(4, ClipConfig(height=120, width=160, frames=FRAMES))


def kept_by_the_runtime(segmenter: VideoSegmenter) -> Kept:
    bank = segmenter._objects[1].memory
    assert isinstance(bank, MemoryBank)
    columns = bank.columns
    valid = columns["valid"]
    ordinals, tokens = columns["ordinal"][valid], columns["token"][valid]
    return set(zip(ordinals.tolist(), tokens.tolist(), strict=True))


def kept_by_the_reference(loop: ReferenceLoop) -> Kept:
    bank = loop.objects[1].bank
    ordinals, tokens = bank.ordinal_n[bank.valid_n], bank.token_n[bank.valid_n]
    return set(zip(ordinals.tolist(), tokens.tolist(), strict=True))


def run_both(
    bundle: Path,
    model: LoadedModel,
    clip: Clip,
    policy: str,
    budget: int | None,
    window: int | None,
) -> Kept:
    """Follow an object in both loops, compare every frame, and return what is kept at the end."""
    motion = MotionSignal()
    loop = ReferenceLoop(
        model.model,
        lambda _, logits: motion.inside(logits.numpy()),
        policy=policy,
        budget=budget,
        window=window,
    )
    height, width = clip.labels_thw.shape[1:]
    click = Prompt(points=[first_click(clip, clip.object_ids[0])])
    correction = Prompt(points=[(width // 3, height // 3)])
    with VideoSegmenter(
        str(bundle), rung=240, policy=policy, tokens=budget, window=window
    ) as segmenter:
        for index, frame_rgb in enumerate(clip.frames_rgb_thwc):
            frame = np.ascontiguousarray(frame_rgb[..., ::-1])
            image = network_input(frame, 240)
            motion.update(image)
            loop.start_frame(torch.from_numpy(image))
            if index == 0:
                segmenter.give(frame, 1, click)
                loop.prompt(1, click.slots(width, height))
            actual, expected = segmenter.track(frame).objects[1], loop.track(1)
            if index in CORRECTED_AT:
                actual = segmenter.give(frame, 1, correction)
                expected = loop.correct(1, correction.slots(width, height))
            kept = kept_by_the_runtime(segmenter)
            assert kept == kept_by_the_reference(loop)
            np.testing.assert_allclose(actual.logits, expected.logits_hw.numpy(), atol=1e-3)
            assert actual.visible == expected.present
    return kept


@pytest.mark.parametrize("policy", pruning.POLICIES)
@pytest.mark.parametrize(("budget", "window"), [(64, None), (96, 4), (None, None)])
def test_loops_keep_the_same_tokens(
    tiny_bundle: Path,
    tiny_model: LoadedModel,
    clip: Clip,
    policy: str,
    budget: int | None,
    window: int | None,
) -> None:
    kept = run_both(tiny_bundle, tiny_model, clip, policy, budget, window)
    assert len(kept) == (budget or 256)  # the bank has overflown
    assert (0, 0) in kept or policy == "fifo"


@pytest.mark.parametrize("policy", pruning.POLICIES)
@pytest.mark.parametrize("budget", [50, 64, 128, 256])
def test_survivors_agree_on_any_candidates(policy: str, budget: int) -> None:
    rng = np.random.default_rng(budget)
    ordinals, tokens = np.divmod(rng.permutation(40 * TOKENS_PER_FRAME)[:288], TOKENS_PER_FRAME)
    columns = {
        "ordinal": ordinals,
        "token": tokens,
        "uncertainty": rng.random(288).astype(np.float32) / 20,  # many within a thousandth
        "anchor": np.isin(ordinals, [0, 7]),
        "valid": rng.random(288) < 0.9,
    }
    bank = Bank.empty(288, torch.device("cpu"))._replace(
        **{f"{name}_n": torch.from_numpy(column) for name, column in columns.items()}
    )
    expected = pruning.Pruning(256, policy, budget, None).survivors(columns, stored=41)
    found = reference.Pruning(policy, budget, None).survivors(bank, 41, budget)
    np.testing.assert_array_equal(found.numpy(), expected)
    valid = int(columns["valid"].sum())
    assert expected.sum() == (valid if policy == "learned" else min(valid, budget))


def test_both_loops_know_the_same_policies() -> None:
    assert list(pruning.POLICIES) == list(reference.POLICIES)


def test_the_reference_refuses_what_the_runtime_refuses(tiny_model: LoadedModel) -> None:
    with pytest.raises(UnknownNameError, match="unknown pruning policy 'lifo'"):
        ReferenceLoop(tiny_model.model, policy="lifo")
    with pytest.raises(ArgumentError, match="is 300 tokens; choose 32 to 256"):
        ReferenceLoop(tiny_model.model, budget=300)
