"""Bundles of SAM 2 as they are exported, against the published loop with the same weights."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sam2lite.diagnostics.ablation import ablate_skips
from sam2lite.exporter.bundle.writer import export_float, write_trial_bundle
from sam2lite.exporter.precision.scheme import Float32
from sam2lite.exporter.verify.loop_parity import LEAST_FRAMES, loop_parity
from sam2lite.exporter.verify.opening import open_here
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE, ROUNDING_MARGIN, own_rounding
from sam2lite.models.effort import Effort
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2.config import PUBLISHED
from sam2lite.models.sam2.family import HOST, Sam2Family
from sam2lite.models.sam2.network import Sam2, build
from sam2lite.runtimes import rle
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.masks.everything import everything
from sam2lite.runtimes.masks.options import NOTHING
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.targets.registry import get_target
from tests.oracles.clip import random_clip
from tests.oracles.comparing import check_telling, gap
from tests.oracles.hugging_face import HuggingFaceModel, hugging_face_model, run_hugging_face
from tests.oracles.rules import run_bundle
from tests.oracles.scenarios import SIDE, named
from tests.oracles.telling_networks import SEED, small_network

TARGET = get_target("x86-64")
HUGGING_FACE = {"reference": "huggingface", "corrections": "in-place", "memory_dtype": "float32"}


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def bundle_of(loaded: LoadedModel, size: int, folder: Path) -> Bundle:
    write_trial_bundle(loaded, TARGET, size, Float32(), folder)
    return open_here(folder)


@pytest.fixture(scope="module")
def network() -> Sam2:
    return small_network()


@pytest.fixture(scope="module")
def bundle(network: Sam2, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    loaded = HOST.untrained(network, network.config)
    return bundle_of(loaded, SIDE, tmp_path_factory.mktemp("sam2") / "bundle")


@pytest.fixture(scope="module")
def published(network: Sam2) -> HuggingFaceModel:
    """Hugging Face's, which encodes each frame once for all tests."""
    return hugging_face_model(network, SIDE)


@pytest.fixture(scope="module")
def clip() -> list[Tensor]:
    return random_clip(SEED)


@pytest.mark.parametrize("scenario", ["two objects", "correction"])
def test_onnx_runtime_and_the_published_loop(
    bundle: Bundle, published: HuggingFaceModel, clip: list[Tensor], scenario: str
) -> None:
    expected = run_hugging_face(published, clip, named(scenario), "float32")
    check_telling(expected)
    found = gap(run_bundle(bundle, clip, named(scenario), **HUGGING_FACE), expected)
    assert found.min_iou == 1.0
    assert found.logit <= 1e-4


class Brief(Sam2Family):
    """Loops are compared over few frames."""

    def effort(self, size: int) -> Effort:
        return Effort(LEAST_FRAMES)


def test_choices_are_counted_by_what_they_are_made_by(bundle: Bundle, network: Sam2) -> None:
    report = loop_parity(bundle, Brief().untrained(network, network.config))
    # The box of the second object, and two clicks that correct the first, leave no doubt.
    assert report.choices["stability"].made == 2
    assert report.choices["predicted IoU"].made >= 2 * report.frames - 2
    assert {found.flipped - found.tied for found in report.choices.values()} == {0}


def test_graphs_are_as_exact_as_sharp_attention_lets_them(network: Sam2) -> None:
    """Its last bit is more than the tolerance, in PyTorch too; the export goes on."""
    loaded = HOST.untrained(network, network.config)
    spec = loaded.family.graph("memory_attention_4").bind(loaded.dims(SIDE))
    exported = export_float(loaded, loaded.fused(), spec, SIDE, TARGET.opset)
    (rounding,) = own_rounding(loaded.module(spec.name), spec).values()
    assert exported.parity["image_embed"].relative <= max(
        GRAPH_TOLERANCE, ROUNDING_MARGIN * rounding
    )


@pytest.mark.slow
@pytest.mark.parametrize("size", ["tiny", "small", "base_plus", "large"])
def test_published_sizes_are_exported(size: str, tmp_path: Path) -> None:
    config = PUBLISHED[f"sam2.1_hiera_{size}"]
    bundle = bundle_of(HOST.untrained(build(config, 1), config), 128, tmp_path / "bundle")
    for entry in bundle.manifest.verification["graphs"].values():
        assert all(error["relative"] <= GRAPH_TOLERANCE for error in entry["parity"].values())


@pytest.mark.slow
def test_the_published_tiny_at_512_px(tmp_path: Path) -> None:
    config = PUBLISHED["sam2.1_hiera_tiny"]
    network = build(config, 1)
    bundle = bundle_of(HOST.untrained(network, config), 512, tmp_path / "bundle")
    rng = np.random.default_rng(0)
    frames = [torch.from_numpy(rng.integers(0, 256, (1, 3, 512, 512), np.uint8)) for _ in range(8)]
    scenario = named("click")
    scenario = scenario._replace(steps=scenario.steps[: len(frames) + 1])
    expected = run_hugging_face(hugging_face_model(network, 512), frames, scenario, "float32")
    assert any(0.01 < float((each.logits_hw > 0).mean()) < 0.99 for each in expected)
    found = gap(run_bundle(bundle, frames, scenario, **HUGGING_FACE), expected)
    assert found.min_iou == 1.0
    assert found.logit <= 1e-4


def test_masks_of_everything_are_those_for_doubtful_prompts(bundle: Bundle) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (90, 160, 3), np.uint8)
    found = everything(bundle, picture, 1, NOTHING)
    with VideoSegmenter(bundle) as segmenter:
        chosen = segmenter.prompt(picture, points=[(79.5, 44.5)])
    assert len(found) <= 3
    ious = [each.predicted_iou for each in found]
    assert ious == sorted(ious, reverse=True)
    if chosen.mask.any():
        assert any(np.array_equal(rle.decode(each.rle), chosen.mask) for each in found)


def test_masks_without_the_maps_of_high_resolution(bundle: Bundle) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (90, 160, 3), np.uint8)
    size = bundle.manifest.rungs[-1]
    found = ablate_skips(bundle, picture, (80, 45), size)
    assert [len(each.without) for each in found] == [0, 1, 1, 2]
    assert set(found[-1].without) == {"high_res_feats_0", "high_res_feats_1"}
