"""Checkpoints in the forms in which people have them."""

import json
import logging
import os
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sam2lite.errors import ModelError
from sam2lite.models.known_networks import KNOWN, recognised
from sam2lite.models.registry import load_model
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.config import Sam2LiteConfig
from sam2lite.models.sam2lite.network import Sam2Lite

HIERA = ["image_encoder.trunk.blocks.0.attn.qkv.weight", "image_encoder.trunk.pos_embed_window"]
SAM_1 = ["image_encoder.blocks.0.attn.rel_pos_h", "mask_decoder.iou_token.weight"]
NAMES = {
    "SAM 2 for single images": [*HIERA, "sam_mask_decoder.iou_token.weight"],
    "EdgeTAM's memory behind another trunk": [
        "image_encoder.trunk.blocks.0.attn.qkv.weight",
        "spatial_perceiver.latents",
        "memory_attention.layers.0.norm1.weight",
    ],
    "EdgeTAM for single images, in the layout of Hugging Face": [
        "vision_encoder.backbone.timm_model.stem_0.conv.weight",
        "mask_decoder.iou_token.weight",
    ],
    "SAM 2 for single images, in the layout of Hugging Face": [
        "vision_encoder.backbone.blocks.0.attn.qkv.weight",
        "mask_decoder.iou_token.weight",
    ],
    "SAM 3": ["detector.backbone.vision_backbone.trunk.pos_embed", "tracker.maskmem_tpos_enc"],
    "SAM 3 in the layout of Hugging Face": ["tracker_model.no_memory_embedding"],
    "HQ-SAM": [*SAM_1, "mask_decoder.hf_token.weight"],
    "SAM (the first one)": SAM_1,
    "MobileSAM": [
        "image_encoder.patch_embed.seq.0.c.weight",
        "mask_decoder.iou_token.weight",
    ],
    "YOLO": ["model.0.conv.weight", "model.22.cv2.0.0.conv.weight"],
    "ResNet": ["conv1.weight", "layer1.0.conv1.weight", "fc.weight"],
    "optimiser": ["optimizer.state.0.exp_avg"],
    "LoRA": ["base_model.model.q_proj.lora_A.weight", "base_model.model.q_proj.lora_B.weight"],
    "training run of SAM2-Lite": ["model/mask_decoder.queries", "average/mask_decoder.queries"],
}


@pytest.fixture
def folder(mini: Sam2Lite, tmp_path: Path) -> Path:
    save_checkpoint(mini, tmp_path / "mini")
    return tmp_path / "mini"


def renamed(folder: Path, prefix: str) -> None:
    weights = folder / "model.safetensors"
    state = load_file(weights)
    # torch.compile wraps a part of a network, too.
    parts = {"middle": ("mask_decoder.", "mask_decoder._orig_mod.")}
    if prefix in parts:
        old, new = parts[prefix]
        save_file({name.replace(old, new, 1): tensor for name, tensor in state.items()}, weights)
    else:
        save_file({prefix + name: tensor for name, tensor in state.items()}, weights)


@pytest.mark.parametrize(
    "prefix",
    ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module.", "middle"],
)
def test_what_wrappers_put_before_names_is_taken_off_and_said(
    folder: Path, mini: Sam2Lite, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    renamed(folder, prefix)
    with caplog.at_level(logging.WARNING, "sam2lite"):
        state = load_model(folder).model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in mini.state_dict().items())
    (record,) = caplog.records
    assert "off the names of its tensors" in record.getMessage()


def test_a_prefix_before_some_names_alone_is_none(folder: Path) -> None:
    weights = folder / "model.safetensors"
    state = load_file(weights)
    first = next(iter(state))
    save_file({**state, f"_orig_mod.{first}": state[first].clone()}, weights)
    with pytest.raises(ModelError, match="tensors twice, with and without _orig_mod"):
        load_model(folder)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_found_and_named(folder: Path, number: float) -> None:
    weights = folder / "model.safetensors"
    state = load_file(weights)
    state["mask_decoder.null_key"].view(-1)[3] = number
    save_file(state, weights)
    with pytest.raises(ModelError, match=r"(?s)NaN or infinite; .*earlier.*null_key: 1 of 256"):
        load_model(folder)


@pytest.mark.parametrize("title", NAMES)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_another_network_is_called_what_it_is(tmp_path: Path, title: str, suffix: str) -> None:
    state = {f"module.{name}": torch.zeros(2) for name in NAMES[title]}
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save({"model": state}, path)
    else:
        save_file(state, path)
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert title in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_nobody_knows_every_name() -> None:
    assert recognised(["something.weight"]) is None
    assert recognised([]) is None
    titles = [known.title for known in KNOWN]
    assert len(set(titles)) == len(titles)


def test_objects_graphs_and_bundles_are_called_what_they_are(
    tmp_path: Path, mini_bundle: Path
) -> None:
    torch.save({"state": {}, "param_groups": []}, tmp_path / "optimiser.pt")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pt")
    (tmp_path / "graph.onnx").write_bytes(b"onnx")
    torch.save({}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for path, words in {
        tmp_path / "optimiser.pt": "the state of an optimiser",
        tmp_path / "whole.pt": "holds more than weights",
        tmp_path / "graph.onnx": "is a graph",
        tmp_path / "old.pt": "of a PyTorch before 1.6",
        mini_bundle: "is a bundle, which is made from a checkpoint",
    }.items():
        with pytest.raises(ModelError, match=words):
            load_model(path)


@pytest.mark.parametrize(
    "values",
    [
        {"embed_dim": 8192},
        {"embed_dim": 10**9},
        {"memory_blocks": 10**6},
        {"decoder_layers": 10**6},
        {"budget": 2**40},
        {"base_size": 10**8},
        {"stages": [{"width": 8192, "blocks": "a" * 128, "mlp_ratio": 64}] * 4},
        {"stages": [{"width": 8, "blocks": "c" * 10**6}] * 4},
        {"stages": [{"width": 8, "blocks": "c"}] * 10**4},
        {"stages": [{"width": 8, "blocks": "c", "kv_stride": 0}] * 4},
        {"stages": {"width": 8}},
        {"skip_dims": [10**9, 8]},
        {"name": 3},
    ],
)
def test_a_configuration_is_compared_with_the_weights_before_it_is_built(
    folder: Path, values: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))
    from sam2lite.models.sam2lite import checkpoint

    devices = []

    def spied(config: Sam2LiteConfig) -> Sam2Lite:
        devices.append(torch.empty(0).device.type)
        return Sam2Lite(config)

    monkeypatch.setattr(checkpoint, "build", spied)
    with pytest.raises(ModelError, match=r"config\.json"):
        load_model(folder)
    assert set(devices) <= {"meta"}


def header(claim: object, data: bytes = b"") -> bytes:
    words = json.dumps({"mask_decoder.null_key": claim}).encode()
    return struct.pack("<Q", len(words)) + words + data


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack("<Q", 2**63),
        struct.pack("<Q", 10) + b"{}",
        header({"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 0]}),
        header({"dtype": "F32", "shape": [1], "data_offsets": [0, 2**62]}),
        header({"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}, bytes(4)),
        header({"dtype": "F32", "shape": ["1"], "data_offsets": [0, 4]}, bytes(4)),
        header({"dtype": [], "shape": [1], "data_offsets": [0, 4]}, bytes(4)),
        header({"dtype": "F32", "shape": [1] * 99, "data_offsets": [0, 4]}, bytes(4)),
        header([]),
        struct.pack("<Q", 200000) + b"[" * 200000,
    ],
)
def test_weights_that_lie_are_damaged(folder: Path, raw: bytes) -> None:
    (folder / "model.safetensors").write_bytes(raw)
    for path in (folder, folder / "model.safetensors"):
        with pytest.raises(ModelError, match="damaged"):
            load_model(path)


def test_a_checkpoint_has_regular_files(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.unlink()
    os.mkfifo(weights)
    with pytest.raises(ModelError, match="no regular file"):
        load_model(folder)
    weights.unlink()
    weights.symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="no regular file"):
        load_model(folder)
    weights.unlink()
    with weights.open("wb") as stream:
        stream.truncate(1 << 36)
    with pytest.raises(ModelError, match="damaged"):
        load_model(folder)
    weights.unlink()
    weights.mkdir()
    with pytest.raises(ModelError):
        load_model(str(folder))
