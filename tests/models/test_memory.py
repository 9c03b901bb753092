import copy

import pytest
import torch
from torch import Tensor

from sam2lite.contracts.families.sam2lite import (
    MEMORY_CHANNELS,
    META_AGE,
    META_ANCHOR,
    META_COLUMNS,
    META_MOTION,
    META_UNCERTAINTY,
    META_VALID,
    TOKENS_PER_FRAME,
)
from sam2lite.models.sam2lite.memory_encoder import (
    CELL_TOKENS,
    GRID,
    MemoryEncoder,
    entropy_bits,
    spread_order,
)
from sam2lite.models.sam2lite.memory_select import MemorySelect
from sam2lite.models.sam2lite.network import Sam2Lite

BUDGET = 64


def features(tiny: Sam2Lite, side: int = 15) -> Tensor:
    generator = torch.Generator().manual_seed(side)
    return torch.randn(1, tiny.config.embed_dim, side, side, generator=generator)


def pointer() -> Tensor:
    return torch.randn(1, MEMORY_CHANNELS, generator=torch.Generator().manual_seed(0))


def chosen_cells(tiny: Sam2Lite, mask_logits_b1hw: Tensor) -> Tensor:
    """Find the cells behind the tokens by an encoder whose keys hold nothing but the place."""
    encoder: MemoryEncoder = copy.deepcopy(tiny.memory_encoder)
    encoder.key.weight.zero_()
    encoder.key.bias.zero_()
    key_bkc, _, _ = encoder(features(tiny), mask_logits_b1hw, pointer())
    places_nc = encoder.place(encoder.fourier.grid(GRID))[0]
    distance, cell = torch.cdist(key_bkc[0, :CELL_TOKENS], places_nc).min(dim=1)
    assert distance.max() < 1e-2
    return cell


def test_full_mask_gives_distinct_cells_all_over_the_grid(tiny: Sam2Lite) -> None:
    cells = chosen_cells(tiny, torch.full((1, 1, 60, 60), 10.0))
    assert len(torch.unique(cells)) == CELL_TOKENS
    blocks = (cells // GRID) // 5 * 3 + (cells % GRID) // 5  # 3 x 3 blocks of 25 cells
    assert torch.bincount(blocks, minlength=9).min() >= 2


def test_small_mask_takes_its_cells_first(tiny: Sam2Lite) -> None:
    logits_b1hw = torch.full((1, 1, 60, 60), -10.0)
    logits_b1hw[..., 8:16, 20:32] = 10.0  # cells 2..3 by 5..7
    cells = chosen_cells(tiny, logits_b1hw)
    inside = (cells // GRID >= 2) & (cells // GRID < 4) & (cells % GRID >= 5) & (cells % GRID < 8)
    assert inside.sum() == 6
    assert len(torch.unique(cells)) == CELL_TOKENS


def test_tokens_depend_on_image_mask_and_pointer(tiny: Sam2Lite) -> None:
    mask_b1hw = torch.zeros(1, 1, 60, 60)
    mask_b1hw[..., 20:40, 20:40] = 5.0
    key, value, uncertainty = tiny.memory_encoder(features(tiny), mask_b1hw, pointer())
    for other in (
        tiny.memory_encoder(-features(tiny), mask_b1hw, pointer()),
        tiny.memory_encoder(features(tiny), mask_b1hw.flip(2) - 1.0, pointer()),
    ):
        assert (other[1][:, :-1] - value[:, :-1]).abs().max() > 1e-3
        assert torch.equal(other[1][:, -1], value[:, -1])  # the pointer's token
    other_pointer = tiny.memory_encoder(features(tiny), mask_b1hw, -pointer())
    assert torch.equal(other_pointer[0][:, :-1], key[:, :-1])
    assert not torch.equal(other_pointer[0][:, -1], key[:, -1])
    assert ((uncertainty >= 0) & (uncertainty <= 1)).all()


def test_uncertainty_is_the_entropy_under_the_token(tiny: Sam2Lite) -> None:
    encoder = tiny.memory_encoder
    for logit, expected in ((0.0, 1.0), (10.0, 0.0)):
        _, _, uncertainty = encoder(features(tiny), torch.full((1, 1, 60, 60), logit), pointer())
        torch.testing.assert_close(uncertainty, torch.full((1, 32), expected), atol=1e-3, rtol=0)
    p = torch.tensor([0.0, 0.25, 0.5, 1.0])
    torch.testing.assert_close(
        entropy_bits(p), torch.tensor([0.0, 0.8112781, 1.0, 0.0]), atol=3e-5, rtol=0
    )


def test_same_mask_gives_the_same_cells_at_every_rung(tiny: Sam2Lite) -> None:
    # Tokens of different rungs must mean the same, or the bank would not survive a change of rung.
    blob = torch.linspace(-1.0, 1.0, 60).square()
    coarse = (8.0 - 12.0 * (blob[:, None] + blob[None]))[None, None]
    fine = torch.nn.functional.interpolate(coarse, (120, 120), mode="nearest")
    flat = torch.ones(1, tiny.config.embed_dim, 15, 15)
    low = tiny.memory_encoder(flat, coarse, pointer())
    high = tiny.memory_encoder(flat.new_ones(1, flat.shape[1], 30, 30), fine, pointer())
    for a, b in zip(low, high, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_spread_order_is_distinct() -> None:
    order = spread_order(GRID * GRID)
    assert len(torch.unique(order)) == GRID * GRID
    assert ((order >= 0) & (order < 1)).all()


class Candidates:
    """A bank and new tokens, filled at random; every slot valid and none an anchor."""

    def __init__(self) -> None:
        count = BUDGET + TOKENS_PER_FRAME
        generator = torch.Generator().manual_seed(6)
        self.key, self.value = torch.randn(2, 1, count, MEMORY_CHANNELS, generator=generator)
        self.meta = torch.rand(1, count, META_COLUMNS, generator=generator)
        self.meta[..., META_ANCHOR] = 0.0
        self.meta[..., META_VALID] = 1.0

    def selected(self, select: MemorySelect) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        key, value, index, score = select(
            self.key[:, :BUDGET],
            self.value[:, :BUDGET],
            self.key[:, BUDGET:],
            self.value[:, BUDGET:],
            self.meta,
        )
        return key[0], value[0], index[0].long(), score[0]


@pytest.fixture
def candidates() -> Candidates:
    return Candidates()


def test_index_says_what_was_kept(tiny: Sam2Lite, candidates: Candidates) -> None:
    key, value, index, score = candidates.selected(tiny.memory_select)
    assert len(torch.unique(index)) == BUDGET
    assert torch.equal(key, candidates.key[0, index])
    assert torch.equal(value, candidates.value[0, index])
    dropped = torch.ones_like(score, dtype=torch.bool)
    dropped[index] = False
    assert score[index].min() >= score[dropped].max()


def test_anchors_stay_and_empty_slots_go_first(tiny: Sam2Lite, candidates: Candidates) -> None:
    candidates.meta[0, 3:11, META_ANCHOR] = 1.0
    candidates.meta[0, 20:40, META_VALID] = 0.0
    candidates.meta[0, 38:40, META_ANCHOR] = 1.0  # an empty slot that was an anchor once
    _, _, index, _ = candidates.selected(tiny.memory_select)
    kept = set(index.tolist())
    assert set(range(3, 11)) <= kept
    assert not kept & set(range(20, 40))


def test_empty_slots_fill_what_is_left(tiny: Sam2Lite, candidates: Candidates) -> None:
    candidates.meta[0, :BUDGET, META_VALID] = 0.0
    _, _, index, _ = candidates.selected(tiny.memory_select)
    assert set(range(BUDGET, BUDGET + TOKENS_PER_FRAME)) <= set(index.tolist())


@pytest.mark.parametrize("column", [META_AGE, META_MOTION, META_UNCERTAINTY])
def test_importance_reads_the_meta_data(
    tiny: Sam2Lite, candidates: Candidates, column: int
) -> None:
    before = candidates.selected(tiny.memory_select)[3]
    candidates.meta[..., column] = 1.0 - candidates.meta[..., column]
    assert (candidates.selected(tiny.memory_select)[3] - before).abs().max() > 1e-5
