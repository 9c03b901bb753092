"""Sizes are a fixed list unless a family says otherwise; the nearest good ones are offered."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import sam2lite
from sam2lite.contracts import family
from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.evaluation.reference_tracker import ReferenceTracker
from sam2lite.exporter.bundle.job import ExportJob
from sam2lite.models.input_sizes import check_multiple
from sam2lite.models.registry import load_model
from tests.doubles.toy_family import TOY


@pytest.fixture(autouse=True, scope="module")
def known() -> Iterator[None]:
    """Register the toy, which takes any multiple of 8, for these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family, "_registered", {})
        family.register_family(TOY)
        yield


@pytest.mark.parametrize("size", [128, 512, 1024, 4096])
def test_multiples_are_taken(size: int) -> None:
    check_multiple(size, 32, least=128)


@pytest.mark.parametrize(
    ("size", "nearest"),
    [
        (1000, "from 128 to 4096: nearest are 992 and 1024"),
        (127, "nearest is 128"),
        (0, "nearest is 128"),
        (-5, "nearest is 128"),
        (129, "nearest are 128 and 160"),
        (4097, "nearest is 4096"),
        (10**20, "nearest is 4096"),
    ],
)
def test_the_nearest_sizes_are_offered(size: int, nearest: str) -> None:
    with pytest.raises(ArgumentError, match=f"does not take {size} px; .*{nearest}$"):
        check_multiple(size, 32, least=128)


def test_a_bound_that_is_no_multiple_is_rounded_down() -> None:
    with pytest.raises(ArgumentError, match="multiples of 32 from 64 to 96: nearest is 96"):
        check_multiple(100, 32, least=64, most=100)


def test_a_list_stays_a_list_where_the_family_says_nothing() -> None:
    tiny = load_model("tiny")
    tiny.check_size(480)
    with pytest.raises(UnknownNameError, match=r"unknown rung 481; known: 240, .*, 480$"):
        tiny.check_size(481)


def test_a_size_beside_the_default_ones_goes_all_the_way(tmp_path: Path) -> None:
    toy = load_model("toy", seed=1)
    assert toy.sizes == (32, 64)
    recipe = sam2lite.Recipe(model="toy", sizes=[48], output=tmp_path / "bundle")
    bundle = sam2lite.export(recipe)
    assert bundle.manifest.rungs == (48,)
    assert bundle.manifest.verification["loop"]["min_iou"] == 1.0
    scores = sam2lite.evaluate(model="toy", sizes=[40], clips=1, baselines=False)
    assert set(scores["rungs"]) == {"40"}
    frame = np.zeros((40, 60, 3), np.uint8)
    tracker = ReferenceTracker(toy, rung=72)
    tracker.prompt(frame, points=[(5, 5)])
    assert tracker.track(frame).objects[1].logits.shape == (9, 9)


def test_everyone_refuses_what_the_family_refuses(tmp_path: Path) -> None:
    toy, refused = load_model("toy", seed=1), "does not take 50 px.*nearest are 48 and 56"
    with pytest.raises(ArgumentError, match=refused):
        sam2lite.export(sam2lite.Recipe(model="toy", sizes=[50], output=tmp_path / "bundle"))
    with pytest.raises(ArgumentError, match=refused):
        ExportJob.of(toy, [50], "ort")
    with pytest.raises(ArgumentError, match=refused):
        ReferenceTracker(toy, rung=50)
    with pytest.raises(ArgumentError, match=refused):
        sam2lite.evaluate(model="toy", sizes=[50], clips=1)
    assert not (tmp_path / "bundle").exists()
