import torch

from sam2lite.contracts.families.sam2lite import MEMORY_CHANNELS
from sam2lite.contracts.loop import MASKED_BIAS
from sam2lite.models.sam2lite.memory_select import MemorySelect
from sam2lite.training.bank import Banks, Gate


def banks(tokens: int = 12, anchors: int = 2, objects: int = 2) -> Banks:
    generator = torch.Generator().manual_seed(1)
    key, value = (
        torch.randn(objects, tokens, MEMORY_CHANNELS, generator=generator) for _ in range(2)
    )
    flat = torch.zeros(objects, tokens)
    index = torch.arange(tokens).expand(objects, tokens)
    valid = index != tokens - 1
    return Banks(key, value, flat, index, flat, flat, index < anchors, valid, flat)


def test_anchors_stay_and_invalid_tokens_go_first() -> None:
    torch.manual_seed(0)
    kept, importance = banks().selected(MemorySelect(), Gate(budget=5, temperature=1.0))
    assert kept.key_nmc.shape == (2, 5, MEMORY_CHANNELS)
    assert (kept.anchor_nm.sum(dim=1) == 2).all()
    assert kept.valid_nm.all()
    assert importance.shape == (2 * 11,)
    assert ((importance > 0) & (importance < 1)).all()
    source = banks()
    row = torch.arange(2)[:, None]
    assert torch.equal(kept.key_nmc, source.key_nmc[row, kept.ordinal_nm])


def test_noise_makes_it_explore_and_little_room_does_not_prune() -> None:
    select = MemorySelect()
    torch.manual_seed(0)
    picks = {
        tuple(banks().selected(select, Gate(5, 1.0))[0].ordinal_nm[0].tolist()) for _ in range(8)
    }
    assert len(picks) > 1
    assert banks().selected(select, Gate(12, 1.0))[0].key_nmc.shape[1] == 12


def test_the_gate_is_zero_and_has_a_gradient() -> None:
    torch.manual_seed(0)
    select = MemorySelect()
    kept, _ = banks().selected(select, Gate(budget=5, temperature=0.5))
    assert (kept.gate_nm == 0).all()
    (kept.gate_nm * torch.rand_like(kept.gate_nm)).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in select.parameters())


def test_what_may_be_seen() -> None:
    state = banks(tokens=6, anchors=1, objects=1)
    bias = state.bias(torch.tensor([5]), window=2)[0, 0, 0]
    # The anchor, and the last two stored frames (3 and 4); 5 is invalid.
    assert bias.tolist() == [0.0, MASKED_BIAS, MASKED_BIAS, 0.0, 0.0, MASKED_BIAS]
