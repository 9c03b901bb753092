"""Checkpoints with other image encoders: nanosam2's layout, and what is none."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sam2lite.errors import ModelError, UnknownNameError
from sam2lite.models.backbones.config import BACKBONES, ResNetConfig, config_of
from sam2lite.models.backbones.family import HOST
from sam2lite.models.backbones.network import BackboneNetwork, build
from sam2lite.models.backbones.reading.recognition import is_backbone
from sam2lite.models.checkpoint import state_sha256
from sam2lite.models.registry import load_model
from tests.models.backbones.conftest import small_config

State = dict[str, Tensor]


def nanosam2_file(state: State, folder: Path, **more: Any) -> Path:
    """Write what its trainer does: weights beside the optimiser's state and a score."""
    counters = {
        name.replace("running_var", "num_batches_tracked"): torch.tensor(1000)
        for name in state
        if name.endswith("running_var")
    }
    moments = {"exp_avg": torch.ones(2), "exp_avg_sq": torch.ones(2), "step": torch.tensor(3.0)}
    optimiser = {"state": {0: moments}, "param_groups": [{"lr": 3e-4, "params": [0]}]}
    content = {"model": {**state, **counters}, "optimizer": optimiser, "best_miou_all": 0.5}
    torch.save({**content, "epoch": 9, **more}, folder / "checkpoint.pth")
    return folder / "checkpoint.pth"


def test_nanosam2s_file_is_read(network: BackboneNetwork, tmp_path: Path) -> None:
    found = load_model(nanosam2_file(dict(network.state_dict()), tmp_path))
    assert found.family.name == "backbones"
    assert found.config.name == network.config.name
    assert found.config.to_json()["trunk"] == network.config.to_json()["trunk"]
    assert found.sha256 == state_sha256(network.state_dict())
    assert not found.model.training


@pytest.mark.parametrize("name", BACKBONES)
def test_known_trunks_are_named_and_have_the_size_that_they_were_trained_at(
    name: str, tmp_path: Path
) -> None:
    network = BackboneNetwork(config_of(BACKBONES[name][0]))
    found = load_model(nanosam2_file(network.state_dict(), tmp_path))
    assert found.config == network.config
    assert found.name == f"sam2.1_{name}"
    assert found.sizes == ((512,) if name == "resnet18" else (1024,))


def test_heads_of_2_0(tmp_path: Path) -> None:
    network = build(config_of(ResNetConfig((8, 8, 8, 8), (1, 1, 1, 1)), of_2_1=False), 1)
    found = load_model(nanosam2_file(network.state_dict(), tmp_path))
    assert found.config.to_json()["version"] == "2.0"
    assert found.name.startswith("sam2_resnet")


def test_a_file_of_qat_gives_its_float_weights_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network = build(small_config("resnet"), seed=4)
    encoder = network.image_encoder
    prepared = with_fake_quantizers(encoder)
    state = {**network.state_dict(), **{f"image_encoder.{k}": v for k, v in prepared.items()}}
    assert len(state) > len(network.state_dict())
    with caplog.at_level(logging.WARNING, "sam2lite"):
        found = load_model(nanosam2_file(state, tmp_path))
    assert found.sha256 == state_sha256(network.state_dict())
    (said,) = [record.getMessage() for record in caplog.records]
    assert "holds no INT8" in said
    assert "activation_post_process" in said
    assert "were taken" in said
    assert "--calib" in said


def with_fake_quantizers(encoder: nn.Module) -> State:
    """Return what PyTorch's eager QAT, without fusion, adds to a state dict."""
    added: State = {}
    for name, module in encoder.named_modules():
        if isinstance(module, nn.Conv2d):
            for fake in (f"{name}.weight_fake_quant", f"{name}.activation_post_process"):
                added[f"{fake}.fake_quant_enabled"] = torch.ones(1, dtype=torch.uint8)
                added[f"{fake}.observer_enabled"] = torch.ones(1, dtype=torch.uint8)
                added[f"{fake}.scale"] = torch.ones(1)
                added[f"{fake}.zero_point"] = torch.zeros(1, dtype=torch.int32)
                added[f"{fake}.activation_post_process.min_val"] = torch.tensor(float("-inf"))
                added[f"{fake}.activation_post_process.eps"] = torch.ones(1)
    return added


def changed(state: State, change: str) -> State:
    if change == "bottlenecks":
        state["image_encoder.trunk.layer1.0.conv3.weight"] = torch.zeros(4, 4, 1, 1)
    elif change == "a stage is missing":
        return {name: each for name, each in state.items() if ".layer3." not in name}
    elif change == "a tensor is missing":
        del state["image_encoder.trunk.bn1.running_mean"]
    elif change == "not finite":
        state["image_encoder.trunk.bn1.bias"] = torch.full_like(
            state["image_encoder.trunk.bn1.bias"], float("nan")
        )
    else:
        state["sam_mask_decoder.extra"] = torch.zeros(1)
    return state


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("bottlenecks", "ResNet with bottlenecks .*resnet18"),
        ("a stage is missing", "four are needed; take the whole checkpoint"),
        ("a tensor is missing", "bn1.running_mean: expected float32 .*found nothing"),
        ("not finite", "bn1.bias: 16 of 16"),
        ("something is left over", "sam_mask_decoder.extra: expected nothing"),
    ],
)
def test_what_does_not_fit_is_named(change: str, words: str, tmp_path: Path) -> None:
    state = changed(dict(build(small_config("resnet"), seed=4).state_dict()), change)
    with pytest.raises(ModelError, match=words):
        load_model(nanosam2_file(state, tmp_path))


@pytest.mark.parametrize("sizes", [[500], [], "512", [512.0], [True], [1 << 20]])
def test_sizes_that_no_network_takes_are_refused(sizes: object, tmp_path: Path) -> None:
    network = build(config_of(ResNetConfig((8, 8, 8, 8), (1, 1, 1, 1))), 1)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    config = {**network.config.to_json(), "sizes": sizes}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"`sizes` is .*multiples of 32"):
        load_model(tmp_path)


def test_networks_of_others_are_not_taken() -> None:
    resnet = ["image_encoder.trunk.layer1.0.conv1.weight"]
    memory = ["memory_attention.layers.0.norm1.weight"]
    assert is_backbone(resnet + memory, None)
    assert not is_backbone(resnet, None)
    assert not is_backbone([*resnet, *memory, "spatial_perceiver.norm.weight"], None)
    assert not is_backbone(["image_encoder.trunk.blocks.0.norm1.weight", *memory], None)
    assert not is_backbone(["layer1.0.conv1.weight", *memory], None)
    assert not is_backbone([], None)


def test_none_has_a_name_to_be_asked_for_by() -> None:
    with pytest.raises(UnknownNameError, match="network behind another image encoder"):
        HOST.build("resnet18", 0)
