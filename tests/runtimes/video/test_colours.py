import numpy as np
import pytest

from sam2lite.contracts.loop import MAX_OBJECTS
from sam2lite.runtimes.video.colours import PALETTE_BGR, ObjectColours

SKY_BLUE, ORANGE, *_, BLUE = PALETTE_BGR


def filled(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((120, 160, 3), colour, np.uint8)


def square(top: int, left: int, side: int = 30) -> np.ndarray:
    mask = np.zeros((120, 160), bool)
    mask[top : top + side, left : left + side] = True
    return mask


@pytest.mark.parametrize("colour", PALETTE_BGR)
def test_no_object_is_drawn_in_the_colour_of_its_picture(colour: tuple[int, int, int]) -> None:
    (chosen,) = ObjectColours().of(filled(colour), {1: square(40, 40)}).values()
    assert chosen in PALETTE_BGR
    assert chosen != colour


def test_blue_things_are_not_drawn_in_blue() -> None:
    chosen = ObjectColours().of(filled((240, 190, 100)), {1: square(40, 40)})[1]
    assert chosen not in (SKY_BLUE, BLUE)


def test_what_is_around_an_object_counts_and_what_is_far_does_not() -> None:
    frame = filled(ORANGE)
    frame[:, 100:] = SKY_BLUE
    masks = {1: square(40, 20), 2: square(40, 120)}
    near_orange, near_blue = (
        ObjectColours().of(frame, {key: mask})[key] for key, mask in masks.items()
    )
    assert near_orange == ObjectColours().of(filled(ORANGE), {1: masks[1]})[1]
    assert near_blue == ObjectColours().of(filled(SKY_BLUE), {2: masks[2]})[2]
    assert near_orange != near_blue


def test_objects_have_colours_of_their_own_until_there_are_no_more() -> None:
    masks = {key: square(4 * key, 7 * key) for key in range(1, MAX_OBJECTS + 1)}
    chosen = list(ObjectColours().of(filled((90, 90, 90)), masks).values())
    assert set(chosen[: len(PALETTE_BGR)]) == set(PALETTE_BGR)
    uses = [chosen.count(colour) for colour in PALETTE_BGR]
    assert max(uses) - min(uses) <= 1


def test_a_colour_stays_whatever_comes_later() -> None:
    colours = ObjectColours()
    first = colours.of(filled(SKY_BLUE), {1: square(40, 40)})[1]
    for later in (filled(first), filled(ORANGE)):
        assert colours.of(later, {1: square(10, 10), 2: square(60, 90)})[1] == first


def test_an_object_that_is_not_seen_waits_for_its_colour() -> None:
    colours = ObjectColours()
    hidden = np.zeros((120, 160), bool)
    assert colours.of(filled(ORANGE), {1: hidden}) == {}
    shown = colours.of(filled(SKY_BLUE), {1: square(40, 40)})
    assert shown == ObjectColours().of(filled(SKY_BLUE), {1: square(40, 40)})


@pytest.mark.parametrize("corner", [(0, 0), (119, 159)])
@pytest.mark.parametrize("dtype", [bool, np.uint8])
def test_one_pixel_in_a_corner_will_do(corner: tuple[int, int], dtype: type) -> None:
    mask: np.ndarray = np.zeros((120, 160), dtype)
    mask[corner] = 1
    assert len(ObjectColours().of(filled((0, 0, 0)), {5: mask})) == 1
