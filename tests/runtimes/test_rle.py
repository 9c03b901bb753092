import numpy as np
import pytest

from sam2lite.errors import ArgumentError
from sam2lite.runtimes.rle import decode, encode


def rows(*lines: str) -> np.ndarray:
    return np.array([[character == "#" for character in line] for line in lines])


# Computed by hand: a count below 16 is chr(48 + count), a greater one has two characters or more.
KNOWN = {
    "columns first": (rows(".#", "##"), "13"),  # counts 1, 3
    "starts with the object": (rows("#.", ".."), "013"),  # counts 0, 1, 3
    "no object": (np.zeros((4, 5), bool), "d0"),  # 20 = 0b10100: low five bits with more, then 0
    "all object": (np.ones((4, 5), bool), "0d0"),  # counts 0, 20
    # Counts 1, 2, 3, 4, 5: the fourth and the fifth are 4 - 2 and 5 - 3.
    "differences": (rows(".##...####.....").T, "12322"),
    # Counts 1, 5, 1, 2: the last is 2 - 5 = -3, whose low five bits are 29.
    "a negative difference": (rows(".#####.##").T, "151M"),
    "one pixel": (rows("#"), "01"),
    "1000 pixels": (np.zeros((25, 40), bool), "Xo0"),  # 1000 = 31 * 32 + 8, and 31 is signed
}


@pytest.mark.parametrize(("mask", "text"), KNOWN.values(), ids=KNOWN.keys())
def test_known_vectors(mask: np.ndarray, text: str) -> None:
    assert encode(mask) == {"size": list(mask.shape), "counts": text}
    assert np.array_equal(decode({"size": mask.shape, "counts": text}), mask)


@pytest.mark.parametrize("density", [0.001, 0.02, 0.5, 0.98])
@pytest.mark.parametrize("block", [1, 7], ids=["specks", "blocks"])
def test_random_masks_survive(density: float, block: int) -> None:
    rng = np.random.default_rng(block)
    for _ in range(50):
        height, width = rng.integers(1, 40, 2)
        mask = np.kron(rng.random((height, width)) < density, np.ones((block, 3))) > 0
        decoded = decode(encode(mask))
        assert decoded.dtype == bool
        assert np.array_equal(decoded, mask)


def test_a_large_mask_survives() -> None:
    mask = np.zeros((2160, 3840), np.uint8)
    mask[100:2000, 3000:3001] = 255
    assert np.array_equal(decode(encode(mask)), mask > 0)


def test_sizes_are_plain_integers() -> None:
    assert {type(side) for side in encode(np.ones((3, 4), bool))["size"]} == {int}


@pytest.mark.parametrize("shape", [(0, 4), (4,), (1, 4, 4)])
def test_what_is_no_mask_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ArgumentError, match=r"give \[height, width\]"):
        encode(np.ones(shape, bool))


@pytest.mark.parametrize("text", ["14", "1", "1A3"], ids=["too many", "too few", "negative"])
def test_counts_that_do_not_fill_the_mask_are_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match=r"2x2 mask add up to .* not 4"):
        decode({"size": [2, 2], "counts": text})


@pytest.mark.parametrize("text", ["", "é", "1 3", "1P"], ids=["empty", "unicode", "space", "cut"])
def test_text_that_is_no_encoding_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="are not COCO's run-length encoding"):
        decode({"size": [2, 2], "counts": text})
