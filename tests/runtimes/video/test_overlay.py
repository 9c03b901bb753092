import numpy as np
import pytest

from sam2lite.errors import ArgumentError
from sam2lite.runtimes.video.colours import PALETTE_BGR
from sam2lite.runtimes.video.overlay import contact_sheet, draw_overlay

FRAME_BGR = np.full((240, 320, 3), 100, np.uint8)


def square(top: int, left: int, side: int = 80) -> np.ndarray:
    mask = np.zeros(FRAME_BGR.shape[:2], bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_the_inside_is_half_the_colour_and_the_rest_untouched() -> None:
    image = draw_overlay(FRAME_BGR, {1: square(100, 100)})
    expected = np.round(0.5 * 100 + 0.5 * np.array(PALETTE_BGR[0]))
    assert image[140, 140].tolist() == expected.tolist()
    assert image[100, 140].tolist() == list(PALETTE_BGR[0])  # the outline
    is_changed = (image != FRAME_BGR).any(axis=2)
    assert not is_changed[:, :98].any()
    assert not is_changed[182:].any()
    assert is_changed[100:180, 100:180].all()


def test_the_frame_itself_is_left_alone() -> None:
    draw_overlay(FRAME_BGR, {1: square(100, 100)})
    assert (FRAME_BGR == 100).all()


@pytest.mark.parametrize("dtype", [bool, np.uint8])
def test_masks_are_bool_or_integers(dtype: type) -> None:
    mask = square(100, 100)
    as_given: np.ndarray = np.where(mask, 255, 0).astype(dtype)
    assert np.array_equal(
        draw_overlay(FRAME_BGR, {1: as_given}), draw_overlay(FRAME_BGR, {1: mask})
    )


def test_an_absent_object_draws_nothing() -> None:
    assert np.array_equal(draw_overlay(FRAME_BGR, {1: np.zeros((240, 320), bool)}), FRAME_BGR)


def test_objects_have_colours_of_their_own_that_do_not_change() -> None:
    masks = {number: square(0, 0) for number in range(1, len(PALETTE_BGR) + 1)}
    colours = {tuple(draw_overlay(FRAME_BGR, {n: mask})[60, 60]) for n, mask in masks.items()}
    assert len(colours) == len(PALETTE_BGR)
    alone = draw_overlay(FRAME_BGR, {3: square(100, 200)})
    together = draw_overlay(FRAME_BGR, {2: square(0, 0), 3: square(100, 200)})
    assert np.array_equal(alone[150, 250], together[150, 250])


def test_colours_that_are_given_are_drawn() -> None:
    image = draw_overlay(FRAME_BGR, {1: square(100, 100)}, colours={1: (1, 2, 255)})
    assert image[100, 140].tolist() == [1, 2, 255]
    other = draw_overlay(FRAME_BGR, {1: square(100, 100)}, colours={2: (1, 2, 255)})
    assert np.array_equal(other, draw_overlay(FRAME_BGR, {1: square(100, 100)}))


def test_a_caption_replaces_the_number() -> None:
    number = draw_overlay(FRAME_BGR, {1: square(100, 100)})
    caption = draw_overlay(FRAME_BGR, {1: square(100, 100)}, {1: "cup 0.93"})
    other = draw_overlay(FRAME_BGR, {1: square(100, 100)}, {2: "cup 0.93"})
    assert (number[:100] != caption[:100]).any()
    assert np.array_equal(number, other)


@pytest.mark.parametrize("corner", [(0, 0), (0, 240), (160, 240), (239, 319)])
def test_labels_stay_inside_the_frame(corner: tuple[int, int]) -> None:
    mask = square(*corner)
    image = draw_overlay(FRAME_BGR, {1: mask}, {1: "object"})
    is_black = np.asarray((image < 60).all(axis=2))  # of the letters
    assert is_black.sum() > 20
    assert not is_black[:, [0, -1]].any()


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"object 4 is \(3, 3\), but the frame is \(240, 320\)"):
        draw_overlay(FRAME_BGR, {4: np.ones((3, 3), bool)})


def test_a_contact_sheet_is_filled_row_by_row() -> None:
    frames = [np.full((60, 80, 3), 40 * index, np.uint8) for index in range(1, 6)]
    sheet = contact_sheet(frames, columns=3, width=123)
    assert sheet.shape == (2 * 31, 123, 3)  # cells of 41 x 31 px
    assert [int(sheet[15, x, 0]) for x in (20, 60, 100)] == [40, 80, 120]
    assert [int(sheet[45, x, 0]) for x in (20, 60, 100)] == [160, 200, 0]


def test_frames_of_other_sizes_fit_the_cells() -> None:
    sheet = contact_sheet([FRAME_BGR, FRAME_BGR[:50]], columns=2, width=80)
    assert sheet.shape == (30, 80, 3)
    assert (sheet == 100).all()


@pytest.mark.parametrize(("count", "columns"), [(0, 2), (3, 0), (3, 500)])
def test_a_sheet_needs_frames_and_columns(count: int, columns: int) -> None:
    with pytest.raises(ArgumentError, match=f"{count} frames in {columns} columns"):
        contact_sheet([FRAME_BGR] * count, columns, width=80)
