"""Inputs that are not square: the rules against the reference loop, on a small network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sam2lite.contracts.input_sizes import Aspect
from sam2lite.errors import BundleError
from sam2lite.evaluation.reference_tracker import ReferenceTracker
from sam2lite.models.sam2.family import HOST
from sam2lite.models.sam2.network import Sam2
from sam2lite.runtimes.results import FrameResult
from sam2lite.runtimes.rules.sam2.scaling import resampled_memory
from sam2lite.runtimes.segmenter import VideoSegmenter
from tests.oracles.clip import random_clip
from tests.oracles.rules import ModuleBundle
from tests.oracles.telling_networks import small_network

WIDE, SIZES = Aspect(3, 2), (192, 288)
FRAMES = [frame[0].permute(1, 2, 0).numpy()[..., ::-1].copy() for frame in random_clip(6, 150, 250)]
CLICK: dict[str, Any] = {"points": [(110, 60), (20, 140)], "labels": [1, 0]}
MASK: dict[str, Any] = {"mask": np.hypot(*np.ogrid[-70:80, -130:120]) < 40}
CORRECTION: dict[str, Any] = {"points": [(60, 100), (200, 40)], "labels": [1, 0]}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def network() -> Sam2:
    return small_network()


def followed(tracker: Any) -> list[FrameResult]:
    """Return what a loop gives of a clip with a click, a mask, a correction and two sizes."""
    tracker.prompt(FRAMES[0], 1, **CLICK)
    tracker.prompt(FRAMES[0], 2, **MASK)
    found = []
    for index, frame in enumerate(FRAMES[:5]):
        if index in (2, 3):
            tracker.set_rung(SIZES[index == 2])
        found.append(tracker.track(frame))
        if index == 1:
            found[-1].objects[1] = tracker.correct(1, **CORRECTION)
    return found


@pytest.mark.parametrize("reference", ["meta", pytest.param("huggingface", marks=pytest.mark.slow)])
def test_the_reference_loop(network: Sam2, reference: str) -> None:
    settings: dict[str, Any] = {"reference": reference, "memory_dtype": "float32"}
    loaded = HOST.untrained(network, network.config).with_aspect(WIDE)
    expected = followed(ReferenceTracker(loaded, SIZES[0], **settings))
    bundle = ModuleBundle(network, *SIZES, aspect=WIDE)
    with VideoSegmenter(bundle, rung=SIZES[0], **settings) as segmenter:
        actual = followed(segmenter)
    shapes = set()
    for one, other in zip(actual, expected, strict=True):
        for object_id, found in one.objects.items():
            wanted = other.objects[object_id]
            np.testing.assert_allclose(found.logits, wanted.logits, rtol=0, atol=1e-4)
            np.testing.assert_array_equal(found.mask, wanted.mask)
            assert found.mask.shape == FRAMES[0].shape[:2]
            shapes.add(found.logits.shape)
    assert shapes == {(32, 48), (48, 72)}
    assert any(0.01 < each.mask.mean() < 0.99 for each in actual[-1].objects.values())


def test_a_state_goes_on_and_what_has_another_form_is_refused(
    network: Sam2, tmp_path: Path
) -> None:
    path = tmp_path / "state.npz"
    bundle = ModuleBundle(network, *SIZES, aspect=WIDE)
    with VideoSegmenter(bundle, rung=192) as segmenter:
        segmenter.prompt(FRAMES[0], 1, **CLICK)
        segmenter.track(FRAMES[0])
        segmenter.save_state(str(path))
        expected = segmenter.track(FRAMES[1]).objects[1].logits
        segmenter.load_state(str(path))
        np.testing.assert_array_equal(segmenter.track(FRAMES[1]).objects[1].logits, expected)
        with np.load(path) as file:
            arrays = dict(file)
        for name, shape in (("1/logits_0", (32, 72)), ("1/hint", (48, 32))):
            assert name in arrays
            np.savez(path, **dict(arrays, **{name: np.zeros(shape, np.float32)}))
            with pytest.raises(BundleError, match=name.partition("/")[2]):
                segmenter.load_state(str(path))


def test_memory_goes_to_another_grid_by_axis() -> None:
    rows, columns = np.mgrid[:8, :12].astype(np.float32)
    memory_nc = np.stack([rows, columns], axis=2).reshape(-1, 2)
    assert resampled_memory(memory_nc, 96, WIDE) is memory_nc
    found = resampled_memory(memory_nc, 24, WIDE).reshape(4, 6, 2)
    inner = found[1:-1, 1:-1]
    np.testing.assert_allclose(inner[..., 0], np.full((2, 4), [[2.5], [4.5]]), atol=1e-6)
    np.testing.assert_allclose(inner[..., 1], np.full((2, 4), [2.5, 4.5, 6.5, 8.5]), atol=1e-6)
