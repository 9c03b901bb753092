import numpy as np
import pytest

from sam2lite.runtimes.rules.sam2lite.mask_prompt import mask_logits


def test_mask_logits_are_the_covered_share() -> None:
    mask = np.zeros((240, 480), np.uint8)
    mask[:, :244] = 255  # cells are 8 x 4 px: 30 whole columns and half of the next
    logits = mask_logits(mask, 60)
    assert logits.shape == (1, 1, 60, 60)
    assert logits.dtype == np.float32
    assert logits[0, 0, 30].tolist() == [10] * 30 + [0] + [-10] * 29


def test_a_small_mask_is_enlarged_smoothly() -> None:
    mask = np.zeros((30, 30), bool)
    mask[:, :15] = True
    row = mask_logits(mask, 60)[0, 0, 30]
    assert (row[0], row[-1]) == (10, -10)
    assert (np.diff(row) <= 0).all()
    assert row[29] == pytest.approx(-row[30])
