import cv2
import numpy as np
import pytest

from sam2lite.runtimes.rules.sam2lite.motion import GRID, MotionSignal

SIDE = 240
CELL_PX = SIDE // GRID
EVERYWHERE = np.ones((60, 60), np.float32)
NOWHERE = -EVERYWHERE


def texture(seed: int = 0, contrast: float = 1.0) -> np.ndarray:
    """A smooth texture [2 SIDE, 2 SIDE], float."""
    noise = np.random.default_rng(seed).normal(size=(2 * SIDE, 2 * SIDE)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3 * CELL_PX)
    grey: np.ndarray = 128 + contrast * 100 * smooth / np.abs(smooth).max()
    return grey


def image(grey: np.ndarray, shift_px: int = 0) -> np.ndarray:
    """The middle of a texture, moved to the left, as `image_bchw`."""
    top, left = SIDE // 2, SIDE // 2 + shift_px
    window = grey[top : top + SIDE, left : left + SIDE]
    return np.repeat(np.round(window).astype(np.uint8)[np.newaxis, np.newaxis], 3, axis=1)


def speed(grey: np.ndarray, shift_px: int, logits: np.ndarray = EVERYWHERE) -> float:
    signal = MotionSignal()
    signal.update(image(grey))
    signal.update(image(grey, shift_px))
    return signal.inside(logits)


def ranks(values: list[float]) -> np.ndarray:
    return np.argsort(np.argsort(values))


def test_faster_texture_has_a_larger_signal() -> None:
    shifts = list(range(3 * CELL_PX + 1))
    for seed in range(5):
        speeds = [speed(texture(seed), shift) for shift in shifts]
        assert np.corrcoef(ranks(speeds), shifts)[0, 1] > 0.95
        assert speeds[0] == 0.0
        assert all(0.0 <= value <= 1.0 for value in speeds)


def test_the_unit_is_a_share_of_the_full_speed() -> None:
    # One cell a frame is a quarter of the full speed. The normal flow sees the component along the
    # gradient: 2 / pi of it on average over all directions of the texture.
    mean = np.mean([speed(texture(seed), CELL_PX) for seed in range(8)])
    assert mean == pytest.approx(0.25 * 2 / np.pi, rel=0.25)


def test_contrast_does_not_matter() -> None:
    strong, weak = (speed(texture(0, contrast), CELL_PX) for contrast in (1.0, 0.5))
    assert weak == pytest.approx(strong, rel=0.15)


def test_only_what_is_inside_the_mask_counts() -> None:
    still, moved = image(texture()), image(texture(), CELL_PX)
    half = np.concatenate([still[..., : SIDE // 2], moved[..., SIDE // 2 :]], axis=-1)
    signal = MotionSignal()
    signal.update(still)
    signal.update(half)
    left = NOWHERE.copy()
    left[:, :25] = 1.0
    assert signal.inside(left) == 0.0
    assert signal.inside(left[:, ::-1].copy()) > 0.05


def test_the_first_frame_and_an_empty_mask_have_no_motion() -> None:
    signal = MotionSignal()
    assert signal.inside(EVERYWHERE) == 0.0
    signal.update(image(texture()))
    assert signal.inside(EVERYWHERE) == 0.0
    signal.update(image(texture(), CELL_PX))
    assert signal.inside(NOWHERE) == 0.0


def test_a_jump_of_the_whole_frame_saturates() -> None:
    signal = MotionSignal()
    signal.update(np.zeros((1, 3, SIDE, SIDE), np.uint8))
    signal.update(np.full((1, 3, SIDE, SIDE), 255, np.uint8))
    assert signal.inside(EVERYWHERE) == 1.0


def test_a_change_of_rung_is_not_motion() -> None:
    still = image(texture())
    larger = cv2.resize(still[0, 0], (480, 480), interpolation=cv2.INTER_CUBIC)
    signal = MotionSignal()
    signal.update(still)
    signal.update(np.repeat(larger[np.newaxis, np.newaxis], 3, axis=1))
    assert signal.inside(EVERYWHERE) < 0.02
