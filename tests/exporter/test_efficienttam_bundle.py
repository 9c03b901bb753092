"""Bundles of EfficientTAM as they are exported, against published rules with the same weights."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

import sam2lite
from sam2lite.exporter.bundle.writer import write_trial_bundle
from sam2lite.exporter.precision.scheme import Float32
from sam2lite.exporter.verify.opening import open_here
from sam2lite.models.efficienttam.config import EfficientTamConfig
from sam2lite.models.efficienttam.family import HOST
from sam2lite.runtimes.bundle import Bundle
from sam2lite.targets.registry import get_target
from tests.oracles.clip import random_clip
from tests.oracles.comparing import check_telling, gap
from tests.oracles.efficienttam import efficienttam_model
from tests.oracles.efficienttam_networks import (
    KEY_POOLED,
    LOGIT_POOLED,
    PLAIN,
    RULES,
    telling_efficienttam,
)
from tests.oracles.hugging_face import run_hugging_face
from tests.oracles.rules import run_bundle
from tests.oracles.scenarios import SIDE, named


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield
    torch.set_num_threads(threads)


@cache
def clip() -> list[Tensor]:
    return random_clip(6)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A file that may be of any variant."""
    torch.save({"model": dict(telling_efficienttam(PLAIN).state_dict())}, tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


def check_exact(bundle: Bundle, variant: EfficientTamConfig, scenario: str) -> None:
    state = dict(telling_efficienttam(variant).state_dict())
    model = efficienttam_model(state, RULES[variant.name], SIDE)
    expected = run_hugging_face(model, clip(), named(scenario), "float32")
    check_telling(expected)
    found = gap(run_bundle(bundle, clip(), named(scenario), memory_dtype="float32"), expected)
    assert found.min_iou == 1.0
    assert found.logit <= 1e-4


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(PLAIN, marks=pytest.mark.slow, id="plain"),
        pytest.param(LOGIT_POOLED, id="pooled-1"),
        pytest.param(KEY_POOLED, marks=pytest.mark.slow, id="pooled-2"),
    ],
)
def test_onnx_runtime_and_published_rules(variant: EfficientTamConfig, tmp_path: Path) -> None:
    loaded = HOST.untrained(telling_efficienttam(variant), variant)
    write_trial_bundle(loaded, get_target("x86-64"), SIDE, Float32(), tmp_path / "bundle")
    bundle = open_here(tmp_path / "bundle")
    assert (bundle.manifest.model.family, bundle.manifest.model.name) == (
        "efficienttam",
        variant.name,
    )
    assert [spec.name for spec in bundle.family.graphs if spec.name.startswith("memory_att")] == [
        f"memory_attention_{slots}" for slots in (1, 2, 4, 7, 10)
    ]
    check_exact(bundle, variant, "correction")


@pytest.mark.slow
def test_a_bundle_knows_its_variant(checkpoint: Path, tmp_path: Path) -> None:
    """`verify` asks for the checkpoint, and not for the variant once more."""
    recipe = sam2lite.Recipe(
        model=checkpoint, variant=KEY_POOLED.name, sizes=[128], output=tmp_path / "bundle"
    )
    bundle = sam2lite.export(recipe)
    assert bundle.manifest.verification["loop"]["min_iou"] == 1.0
    report = sam2lite.verify(bundle, model=checkpoint)
    assert report["loop"]["min_iou"] == 1.0


@pytest.mark.slow
def test_int8(checkpoint: Path, tmp_path: Path) -> None:
    recipe = sam2lite.Recipe(
        model=checkpoint,
        variant=LOGIT_POOLED.name,
        precision="int8",
        sizes=[SIDE],
        output=tmp_path / "bundle",
        calib_frames=24,
        accept_drop=True,
    )
    bundle = sam2lite.export(recipe)
    assert bundle.manifest.precision == "int8"
    assert run_bundle(bundle, clip(), named("click"))


@pytest.mark.slow
@pytest.mark.parametrize("variant", [LOGIT_POOLED, KEY_POOLED], ids=["pooled-1", "pooled-2"])
def test_tensorrt_takes_every_graph(
    variant: EfficientTamConfig, checkpoint: Path, tmp_path: Path
) -> None:
    recipe = sam2lite.Recipe(
        model=checkpoint,
        variant=variant.name,
        backend="trt",
        target="jetson-orin-nano",
        sizes=[SIDE],
        output=tmp_path / "bundle",
        calib_frames=24,
    )
    bundle = sam2lite.export(recipe)
    assert len(bundle.manifest.graphs) == 9
