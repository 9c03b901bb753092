"""One network in the forms that people have; and what is no checkpoint of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sam2lite.errors import ModelError
from sam2lite.models.checkpoint import state_sha256
from sam2lite.models.edgetam.checkpoint import read_checkpoint
from sam2lite.models.edgetam.config import EdgeTamConfig
from sam2lite.models.edgetam.network import EdgeTam
from sam2lite.models.registry import load_model
from sam2lite.models.sam2.config import HieraConfig, Sam2Config
from sam2lite.models.sam2.network import Sam2
from tests.oracles.edge_networks import CONFIG, edge_hugging_face_state

State = dict[str, Tensor]

# What the published folder says, as far as it is asked; its classes' defaults say otherwise.
SAID: dict[str, Any] = {
    "model_type": "edgetam_video",
    "image_size": 1024,
    "enable_occlusion_spatial_embedding": False,
    "enable_temporal_pos_encoding_for_object_pointers": False,
    "memory_attention_rope_k_sizes": [16, 16],
    "vision_config": {"backbone_config": {"architecture": "repvit_m1"}},
}


@pytest.fixture
def state(network: EdgeTam) -> State:
    """Tensors by Meta's names; the dict may be changed, the tensors not."""
    return dict(network.state_dict())


def pickled(content: object, folder: Path) -> Path:
    torch.save(content, folder / "weights.pt")
    return folder / "weights.pt"


def meta_file(state: State, folder: Path) -> Path:
    counters = {
        name.replace("running_var", "num_batches_tracked"): torch.tensor(1000)
        for name in state
        if name.endswith("running_var")
    }
    return pickled({"model": {**state, **counters}}, folder)


def bare(state: State, folder: Path) -> Path:
    return pickled(state, folder)


def half(state: State, folder: Path) -> Path:
    return pickled({name: tensor.bfloat16() for name, tensor in state.items()}, folder)


def huggingface_folder(state: State, folder: Path, **said: Any) -> Path:
    (folder / "config.json").write_text(json.dumps({**SAID, **said}))
    named = edge_hugging_face_state(state)
    save_file({name: each.clone() for name, each in named.items()}, folder / "model.safetensors")
    return folder


def huggingface_file(state: State, folder: Path) -> Path:
    return huggingface_folder(state, folder) / "model.safetensors"


@pytest.mark.parametrize("write", [meta_file, bare, huggingface_folder, huggingface_file])
def test_every_form_gives_the_same(
    write: Callable[[State, Path], Path], state: State, network: EdgeTam, tmp_path: Path
) -> None:
    found = load_model(write(state, tmp_path))
    assert found.family.name == "edgetam"
    assert found.config == network.config == CONFIG
    assert found.licence == "Apache-2.0"
    assert found.sha256 == state_sha256(network.state_dict())
    for name, tensor in network.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], tensor), name
    assert not found.model.training


def test_other_types_become_fp32(state: State, tmp_path: Path) -> None:
    found = read_checkpoint(half(state, tmp_path))
    assert {tensor.dtype for tensor in found.state.values()} == {torch.float32}


def test_the_size_that_a_folder_says(state: State, tmp_path: Path) -> None:
    assert load_model(huggingface_folder(state, tmp_path, image_size=512)).sizes == (512,)


def test_the_published_network_is_told_by_its_trunk(tmp_path: Path) -> None:
    network = EdgeTam(EdgeTamConfig())
    found = read_checkpoint(meta_file(network.state_dict(), tmp_path))
    assert found.config == EdgeTamConfig()
    assert found.config.name == "edgetam"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"image_size": 1000}, "image_size is 1000; it must be a multiple of 256"),
        ({"enable_occlusion_spatial_embedding": True}, "enable_occlusion_spatial_embedding: True"),
        (
            {"enable_temporal_pos_encoding_for_object_pointers": True},
            "enable_temporal_pos_encoding_for_object_pointers: True, all published networks False",
        ),
        ({"memory_attention_rope_k_sizes": [8, 8]}, r"rope_k_sizes: \[8, 8\]"),
        ({"perceiver_resampler_num_attention_heads": 2}, "known to be EdgeTAM"),
        ({"sigmoid_scale_for_mem_enc": 1.0}, "sigmoid_scale_for_mem_enc"),
    ],
)
def test_a_folder_that_describes_another_network(
    said: dict[str, Any], words: str, state: State, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=words):
        load_model(huggingface_folder(state, tmp_path, **said))


def without(name: str) -> Callable[[State], None]:
    return lambda state: state.__delitem__(name)


def replaced(name: str, make: Callable[[Tensor], Tensor]) -> Callable[[State], None]:
    def change(state: State) -> None:
        state[name] = make(state[name])

    return change


LATENTS = "spatial_perceiver.latents_2d"
MIXER = "image_encoder.trunk.body.stages_2.blocks.1.token_mixer.conv1.bn.running_var"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without(MIXER), rf"1 tensors .*\n.*{MIXER}: expected .*\[48\], found nothing"),
        (replaced(LATENTS, lambda x: x[:64]), rf"{LATENTS}: expected .*\[256, 64\], found"),
        (replaced(MIXER, lambda x: x * float("nan")), f"(?s)NaN or infinite.*{MIXER}"),
        (
            lambda state: state.update({"no_obj_embed_spatial": torch.zeros(1, 64)}),
            "no_obj_embed_spatial: expected nothing",
        ),
        (
            without("image_encoder.trunk.body.stages_3.blocks.0.token_mixer.conv.c.weight"),
            "RepViT has 4 stages",
        ),
    ],
    ids=["missing", "mis-shaped", "not finite", "left over", "no stage"],
)
def test_a_damaged_checkpoint(
    change: Callable[[State], None], words: str, state: State, tmp_path: Path
) -> None:
    change(state)
    with pytest.raises(ModelError, match=words):
        load_model(meta_file(state, tmp_path))


def test_keys_and_values_that_do_not_fit_together(state: State, tmp_path: Path) -> None:
    named = edge_hugging_face_state(state)
    name = "spatial_perceiver.layers.0.cross_attention.v_proj.weight"
    named[name] = named[name][:32]
    with pytest.raises(ModelError, match=r"v_proj.weight \[32, 64\]; they must be alike"):
        load_model(pickled(named, tmp_path))


def test_other_families_keep_their_checkpoints(state: State, tmp_path: Path) -> None:
    trunk = HieraConfig(16, 1, (1, 1, 3, 1), (8, 4, 14, 7), (2, 3, 4))
    sam2 = Sam2(Sam2Config("", trunk)).state_dict()
    assert load_model(pickled(sam2, tmp_path)).family.name == "sam2"
    with pytest.raises(ModelError, match="do not fit EdgeTAM"):
        read_checkpoint(pickled({**state, **sam2}, tmp_path))
    of_hiera = {**sam2, **{k: v for k, v in state.items() if k.startswith("spatial_perceiver.")}}
    with pytest.raises(ModelError, match="a network with EdgeTAM's memory behind another trunk"):
        load_model(pickled(of_hiera, tmp_path))


def test_a_network_for_single_images_is_told(state: State, tmp_path: Path) -> None:
    named = edge_hugging_face_state(state)
    of_images = {
        name: tensor
        for name, tensor in named.items()
        if name.startswith(("vision_encoder.", "mask_decoder.", "prompt_encoder."))
    }
    with pytest.raises(
        ModelError, match=r"EdgeTAM for single images.*spatial_perceiver are missing"
    ):
        load_model(pickled(of_images, tmp_path))
