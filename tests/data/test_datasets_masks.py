"""Masks: polygons, run lengths, overlaps, and label PNGs of every depth."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from sam2lite.data.datasets.coco import read_annotations
from sam2lite.data.datasets.label_png import read_label_png
from sam2lite.data.datasets.masks import largest, painted, segmentation_mask
from sam2lite.errors import VideoError
from sam2lite.runtimes import rle

SOURCE = Path("x.json")


def decoded(segmentation: object, height: int, width: int) -> np.ndarray:
    return segmentation_mask(segmentation, height, width, SOURCE)


def test_a_polygon_covers_the_pixels_whose_centre_it_encloses() -> None:
    expected = np.zeros((8, 10), bool)
    expected[2:5, 1:7] = True
    assert np.array_equal(decoded([[1, 2, 7, 2, 7, 5, 1, 5]], 8, 10), expected)


def test_a_polygon_agrees_with_its_half_planes() -> None:
    corners = np.array([[3.3, 1.2], [40.7, 12.1], [22.4, 29.6]])
    y, x = np.mgrid[:32, :48] + 0.5
    depth_px = np.full((32, 48), np.inf)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        (dx, dy), (x0, y0) = end - start, start
        depth_px = np.minimum(depth_px, (dx * (y - y0) - dy * (x - x0)) / np.hypot(dx, dy))
    clear = np.abs(depth_px) > 0.3  # corners and edges are rounded to fifths
    mask = decoded([corners.ravel().tolist()], 32, 48)
    assert np.array_equal(mask[clear], depth_px[clear] > 0)


def test_a_polygon_may_leave_the_frame() -> None:
    assert decoded([[-5, -5, 50, -5, 50, 50, -5, 50]], 8, 10).all()


def test_polygons_of_one_object_are_joined() -> None:
    two = [[0, 0, 2, 0, 2, 2, 0, 2], [1, 1, 4, 1, 4, 4, 1, 4]]
    assert decoded(two, 6, 6).sum() == 4 + 9 - 1


@pytest.mark.parametrize("corner", ["nan", "inf", "-inf", 1e308, -1e30])
def test_corners_that_are_nowhere_are_refused(corner: object) -> None:
    with pytest.raises(VideoError, match=r"malformed.*nowhere near the picture"):
        decoded([[0, 0, 4, corner, 4, 4]], 6, 6)


def test_run_lengths_as_text_and_as_numbers() -> None:
    mask = np.random.default_rng(0).random((7, 9)) > 0.6
    changes = np.flatnonzero(np.diff(mask.ravel(order="F"), prepend=False))
    counts = np.diff([0, *changes, mask.size]).tolist()
    assert np.array_equal(decoded(rle.encode(mask), 7, 9), mask)
    assert np.array_equal(decoded({"size": [7, 9], "counts": counts}, 7, 9), mask)


def test_nothing_is_an_empty_mask() -> None:
    assert not decoded(None, 3, 4).any()


@pytest.mark.parametrize("is_small_first", [False, True])
def test_the_smaller_of_overlapping_masks_is_on_top(is_small_first: bool) -> None:
    whole = np.ones((6, 6), bool)
    hand = np.zeros((6, 6), bool)
    hand[1:3, 1:4] = True
    masks = [hand, whole] if is_small_first else [whole, hand]
    labels = painted(masks, 6, 6)
    assert np.array_equal(labels == (1 if is_small_first else 2), hand)
    assert (labels > 0).all()


def test_of_too_many_objects_the_largest_are_kept_in_their_order() -> None:
    areas = [float(index % 200) for index in range(300)]
    kept = largest(areas)
    assert len(kept) == 255
    assert kept == sorted(kept)
    left_out = set(range(300)) - set(kept)
    assert max(areas[index] for index in left_out) <= min(areas[index] for index in kept)


def test_an_image_with_too_many_objects_gives_a_label_map_of_255() -> None:
    rows = [np.arange(20 * 20).reshape(20, 20) == index for index in range(300)]
    annotations = [{"area": 1.0, "segmentation": rle.encode(mask)} for mask in rows]
    labels = read_annotations({"height": 20, "width": 20}, annotations, SOURCE)
    assert np.unique(labels).tolist() == list(range(256))


def encode_png(labels: np.ndarray, bits: int, colour: int) -> bytes:
    """Encode a palette or grey PNG of 1 to 8 bits, with a palette where all colours are equal."""
    height, width = labels.shape
    spread = (labels[..., None] >> np.arange(bits)[::-1]) & 1
    rows = np.packbits(spread.reshape(height, -1).astype(np.uint8), axis=1)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = zlib.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes())
    palette = b"\x07\x07\x07" * (1 << bits)
    chunks = [(b"IHDR", header), (b"tEXt", b"a\0b"), (b"IDAT", body), (b"IEND", b"")]
    if colour == 3:
        chunks.insert(2, (b"PLTE", palette))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("colour", [0, 3])
def test_a_label_png_is_read_as_numbers_whatever_its_palette(
    tmp_path: Path, bits: int, colour: int
) -> None:
    labels = np.random.default_rng(1).integers(0, 1 << bits, (5, 13)).astype(np.uint8)
    path = tmp_path / "labels.png"
    path.write_bytes(encode_png(labels, bits, colour))
    assert np.array_equal(read_label_png(path), labels)
