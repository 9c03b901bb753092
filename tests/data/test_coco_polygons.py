"""Polygons against what pycocotools 2.0.11 made of them, recorded, and against it where it is."""

from pathlib import Path

import numpy as np
import pytest

from sam2lite.data.datasets.masks import segmentation_mask
from sam2lite.data.datasets.polygons import polygon_mask
from sam2lite.runtimes import rle

STAR = [17.95, 30.64, -1.8, 2.03, 42.82, 21.81, 6.34, 20.34, 12.45, 36.34]  # half of it
# What it is, height, width, polygons, and the counts that COCO's code gives.
RECORDED: list[tuple[str, int, int, list[list[float]], str]] = [
    (
        "convex",
        24,
        30,
        [[3.3, 1.2, 27.7, 8.1, 14.4, 21.6]],
        "Q32g01N2N2O1N1O2N2O1N2N10N1O1O2N1O1O1O2N1O1O2N1OQ2",
    ),
    (
        "crossing itself",
        24,
        30,
        [[2.5, 2.5, 25.1, 20.3, 25.1, 2.5, 2.5, 20.3]],
        "[2a08N2N2N1O2O1N2N2N101N10O2N101N2N2N2N101N2N2d3",
    ),
    (
        "beyond the frame",
        16,
        20,
        [[-4.2, -3.1, 24.9, 3.3, 9.05, 30.7]],
        "0972N3MR4OoK0000001O000N2OO",
    ),
    ("thin", 16, 20, [[1.0, 1.0, 18.3, 14.1, 18.6, 14.1]], "P:"),
    ("no pixel", 16, 20, [[4.6, 4.6, 4.9, 4.6, 4.9, 4.9]], "P:"),
    (
        "two that overlap",
        24,
        30,
        [
            [2.2, 2.7, 15.3, 3.1, 13.9, 17.2, 3.3, 14.4],
            [10.1, 9.9, 28.2, 10.3, 20.4, 23.9],
        ],
        "c13e08H1O0000001O00001O0000O8JO2N1O1O2N1ON2N2N2O1N2N2OW1",
    ),
    (
        "a star",
        40,
        50,
        [[*STAR, 45.54, 13.9, 25.53, 24.32, 43.75, 0.61, 32.54, 15.06]],
        "32V1101N101N101TOIc08\\OJb08\\OKb05^OM?5_OM`0`0MCC1<NF0:0GN;1GL:4GK95IH97GH:8EI<6CJ>6AJa0"
        "5^OLb04]OLe03ZOMg03WONj04VOJk02UOL02l01WONk00RO001n0NRO20Oo052O1LnNOm00WO1T1OM1N20MmN1R1"
        "OoN1U1O^O0G0H0^:",
    ),
]


@pytest.mark.parametrize(
    ("height", "width", "polygons", "counts"),
    [case[1:] for case in RECORDED],
    ids=[case[0] for case in RECORDED],
)
def test_polygons_are_the_pixels_that_cocos_code_finds(
    height: int, width: int, polygons: list[list[float]], counts: str
) -> None:
    expected = rle.decode({"size": [height, width], "counts": counts})
    found = segmentation_mask(polygons, height, width, Path("x.json"))
    assert np.array_equal(found, expected)


def test_polygons_of_chance_beside_pycocotools() -> None:
    oracle = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    rng = np.random.default_rng(0)
    for case in range(300):
        height, width = (int(side) for side in rng.integers(1, 40, 2))
        reach = (45, 2000)[case % 2]
        corners_xy = rng.uniform(-reach / 9, reach, (int(rng.integers(3, 12)), 2))
        runs = oracle.frPyObjects([corners_xy.ravel().tolist()], height, width)
        expected = oracle.decode(oracle.merge(runs)).astype(bool)
        assert np.array_equal(polygon_mask(corners_xy, height, width), expected)
