"""Input sizes as people give them, and the form that all of a bundle have."""

from typing import Any

import pytest

from sam2lite.contracts.family import get_family
from sam2lite.contracts.input_sizes import SQUARE, Aspect, read_sizes
from sam2lite.errors import ArgumentError


@pytest.mark.parametrize(
    ("given", "widths", "aspect"),
    [
        ([480, 240, 480], (240, 480), (1, 1)),
        (["512x512", 1024], (512, 1024), (1, 1)),
        (["672x384"], (672,), (7, 4)),
        (["672x384", "448x256"], (448, 672), (7, 4)),
        (["384x672"], (384,), (4, 7)),
        (["2048x128"], (2048,), (16, 1)),
    ],
)
def test_sizes_of_one_form(
    given: list[Any], widths: tuple[int, ...], aspect: tuple[int, int]
) -> None:
    read = read_sizes(given)
    assert read == (widths, aspect)
    assert read_sizes(read.texts) == read


def test_what_squares_are_called_does_not_change() -> None:
    assert read_sizes(["240x240", 480]).texts == (240, 480)
    assert read_sizes(["672x384", "448x256"]).texts == ("448x256", "672x384")
    assert SQUARE.sides_text(480) == "480"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["672x384", "512x288"], r"512x288 is 16:9, 672x384 is 7:4.*a bundle of their own"),
        ([512, "672x384"], r"512x512 is 1:1, 672x384 is 7:4"),
        (["672x"], "'672x'; give px"),
        (["x384"], "give px"),
        (["672X384"], "give px"),
        (["672x384x3"], "give px"),
        (["0x384"], "give px"),
        ([0], "give px"),
        (["-672x384"], "give px"),
        ([True], "give px"),
        ([67.5], "give px"),
        ([None], "give px"),
        (["\u0663\u0662x32"], "give px"),
        (["9" * 500], "give px"),
    ],
)
def test_sizes_that_are_none(given: list[Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        read_sizes(given)
    assert len(str(caught.value)) < 250


def test_a_height_is_a_whole_number() -> None:
    assert Aspect(7, 4).height_at(672) == 384
    with pytest.raises(
        ArgumentError, match=r"670 px cannot have the form 7:4; .* multiple of 7 px"
    ):
        Aspect(7, 4).height_at(670)


def test_sides_of_maps_by_axis() -> None:
    sides = get_family("sam2").sides(672, Aspect(7, 4))
    assert (sides["H"], sides["W"], sides["H16"], sides["W16"]) == (384, 672, 24, 42)


def test_a_family_for_squares_says_so() -> None:
    family = get_family("sam2lite")
    assert family.sides(480)["H16"] == 30
    with pytest.raises(ArgumentError, match="SAM2-Lite takes square inputs alone, not 7:4; give"):
        family.sides(448, Aspect(7, 4))
