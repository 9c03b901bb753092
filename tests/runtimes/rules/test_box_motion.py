import numpy as np
import pytest

from sam2lite.runtimes.rules.box_motion import (
    GOOD_IOU,
    POSITION_NOISE,
    SPEED_NOISE,
    STEADY_FRAMES,
    BoxTrack,
    box_of,
    overlap,
    started,
    weighed,
)

BOX = np.array([0.4, 0.5, 0.2, 0.1])


def right(share: float) -> np.ndarray:
    """Return the box moved to the right."""
    return BOX + share * np.array([1, 0, 0, 0])


def matrices(side: float) -> tuple[np.ndarray, ...]:
    step = np.array([[1.0, 1.0], [0.0, 1.0]])
    noise = np.diag([(POSITION_NOISE * side) ** 2, (SPEED_NOISE * side) ** 2])
    start = np.diag([(2 * POSITION_NOISE * side) ** 2, (10 * SPEED_NOISE * side) ** 2])
    return step, noise, start


def test_it_is_a_kalman_filter() -> None:
    """Each coordinate against the filter's textbook form, in matrices."""
    track = started(BOX)
    state, (step, noise, covariance) = np.array([BOX[0], 0.0]), matrices(0.2)
    look = np.array([[1.0, 0.0]])
    sides = 0.2
    for place in (0.42, 0.45, 0.46, 0.5):
        _, noise, _ = matrices(sides)
        state, covariance = step @ state, step @ covariance @ step.T + noise
        measured = look @ covariance @ look.T + (POSITION_NOISE * sides) ** 2
        gain = covariance @ look.T / measured
        state = state + gain[:, 0] * (place - state[0])
        covariance = covariance - gain @ look @ covariance
        track = track.ahead(1).met(np.array([place, 0.5, 0.2, 0.1]))
        found = [track.place[0], track.speed[0]]
        np.testing.assert_allclose(found, state, rtol=1e-9)
        np.testing.assert_allclose(track.place_variance[0], covariance[0, 0], rtol=1e-9)
        np.testing.assert_allclose(track.covariance[0], covariance[0, 1], rtol=1e-9)
        np.testing.assert_allclose(track.speed_variance[0], covariance[1, 1], rtol=1e-9)
    assert track.steady == 4


def test_a_box_that_moves_evenly_is_foreseen() -> None:
    track = started(BOX)
    for frame in range(1, 30):
        track = track.ahead(1).met(right(0.01 * frame))
    np.testing.assert_allclose(track.ahead(5).place, right(0.34), atol=2e-3)
    assert track.trusted
    assert not track.missed().trusted
    assert not started(BOX)._replace(steady=STEADY_FRAMES - 1).trusted


def test_boxes_of_masks() -> None:
    logits = np.full((10, 20), -1.0, np.float32)
    assert box_of(logits) is None
    logits[2:5, 4:10] = 1
    box = box_of(logits)
    assert box is not None
    np.testing.assert_allclose(box, [0.35, 0.35, 0.3, 0.3])


def test_overlaps() -> None:
    assert overlap(BOX, BOX) == pytest.approx(1)
    assert overlap(BOX, right(0.1)) == pytest.approx(1 / 3)
    assert overlap(BOX, right(0.3)) == 0
    assert overlap(BOX, None) == overlap(None, None) == 0
    assert overlap(BOX, np.array([0.4, 0.5, -0.2, 0.1])) == 0  # foreseen, and shrunk away


def test_motion_has_a_small_say() -> None:
    iou = np.array([0.8, 0.75, 0.2])
    assert weighed(iou, [0.0, 1.0, 1.0]).argmax() == 1
    assert weighed(iou, [0.9, 1.0, 1.0]).argmax() == 0


def test_it_never_fails_whatever_is_seen() -> None:
    random = np.random.default_rng(0)
    track: BoxTrack = started(np.zeros(4))
    for _ in range(500):
        track = track.ahead(int(random.integers(0, 200))).met(random.uniform(-3, 3, 4))
        assert np.isfinite(track.place).all()
        assert (track.place_variance >= 0).all()
        assert (track.speed_variance >= -1e-12).all()
    assert 0 < GOOD_IOU < 1
