"""Checkpoints of EfficientTAM: which variant they are of is asked, and never guessed."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sam2lite.errors import ArgumentError, ModelError
from sam2lite.models.checkpoint import state_sha256
from sam2lite.models.efficienttam.config import PUBLISHED, EfficientTamConfig, VitConfig
from sam2lite.models.efficienttam.family import HOST
from sam2lite.models.efficienttam.network import EfficientTam
from sam2lite.models.registry import load_model
from tests.oracles.efficienttam_networks import KEY_POOLED, LOGIT_POOLED, PLAIN, SMALL

# Parameters of the published networks, as counted in theirs.
COUNTS = {"efficienttam_s": 34_055_842, "efficienttam_ti": 17_866_018}
TABLE = "image_encoder.trunk.pos_embed"
LAST = "image_encoder.neck.convs.0.norm_1.bias"

State = dict[str, Tensor]


@pytest.mark.parametrize("variant", [PLAIN, LOGIT_POOLED, KEY_POOLED, SMALL])
def test_a_file_is_what_the_user_says(
    variant: EfficientTamConfig, checkpoint: Path, network: EfficientTam
) -> None:
    name = variant.name
    loaded = load_model(checkpoint, variant=name)
    assert (loaded.family.name, loaded.config, loaded.name) == ("efficienttam", variant, name)
    assert loaded.sha256 == state_sha256(network.state_dict())  # whatever the variant
    assert loaded.trained
    state = loaded.model.state_dict()
    assert all(torch.equal(state[key], each) for key, each in network.state_dict().items())
    assert loaded.sizes == ((512,) if variant is SMALL else (1024,))


def test_nothing_is_guessed(checkpoint: Path) -> None:
    with pytest.raises(ArgumentError, match="do not show which variant") as caught:
        load_model(checkpoint)
    message = str(caught.value)
    assert "--variant" in message
    assert "file's name" not in message
    for variant in (PLAIN, LOGIT_POOLED, KEY_POOLED, SMALL):
        assert f"{variant.name} ({variant.attention} attention to memory" in message


def test_a_files_name_is_a_hint_and_no_answer(
    checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    named = checkpoint.rename(checkpoint.with_name(f"{KEY_POOLED.name}.pt"))
    with pytest.raises(ArgumentError, match=f"file's name says {KEY_POOLED.name}"):
        load_model(named)
    with caplog.at_level(logging.WARNING, "sam2lite"):
        assert load_model(named, variant=KEY_POOLED.name).config == KEY_POOLED
        assert not caplog.records
        assert load_model(named, variant=PLAIN.name).config == PLAIN
    (record,) = caplog.records
    assert f"read as {PLAIN.name}, and its name says {KEY_POOLED.name}" in record.getMessage()


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ("pooled", r"no variant 'pooled'; its variants are efficienttam_128x3 \("),
        ("", "no variant ''"),
        ("efficienttam_s_1", "not efficienttam_s_1, which has 384 channels"),
        ("x" * 500, "no variant 'xxx"),
        ("a\x1b[31m", r"no variant 'a\\x1b"),
    ],
)
def test_what_it_cannot_be(variant: str, words: str, checkpoint: Path) -> None:
    with pytest.raises(ArgumentError, match=words) as caught:
        load_model(checkpoint, variant=variant)
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


def test_networks_without_variants_refuse_one(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"SAM2-Lite has no variants: .*leave it out"):
        load_model("tiny", variant="efficienttam_ti")


def test_published_networks_have_their_parameters() -> None:
    for name, config in PUBLISHED.items():
        with torch.device("meta"):
            network = EfficientTam(config)
        size = name.removesuffix("_512x512").removesuffix("_1").removesuffix("_2")
        assert sum(each.numel() for each in network.parameters()) == COUNTS[size]
        assert len(network.state_dict()) == 455
        assert config.trunk.global_blocks == (2, 5, 8, 11)
        assert (config.trunk.width, config.trunk.heads) in ((384, 6), (192, 3))


def without(name: str) -> Callable[[State], State]:
    return lambda state: {key: each for key, each in state.items() if key != name}


def with_tensor(name: str, tensor: Tensor) -> Callable[[State], State]:
    return lambda state: {**state, name: tensor}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without(LAST), r"(?s)do not fit EfficientTAM \(efficienttam_128x3.*norm_1.bias: expected"),
        (with_tensor(TABLE, torch.zeros(1, 197, 100)), "a multiple of 64 up to 1024, found"),
        (with_tensor(TABLE, torch.zeros(1, 128, 14, 14)), r"expected \[1, 197, C\]"),
        (with_tensor(TABLE, torch.zeros(1, 196, 128)), r"found \[1, 196, 128\]"),
        (with_tensor(LAST, torch.full((256,), torch.nan)), "NaN or infinite"),
        (with_tensor("obj_ptr_tpos_proj.weight", torch.zeros(2)), "found float32"),
    ],
)
def test_what_does_not_fit(
    change: Callable[[State], State], words: str, network: EfficientTam, tmp_path: Path
) -> None:
    torch.save({"model": change(dict(network.state_dict()))}, tmp_path / "weights.pt")
    with pytest.raises(ModelError, match=words):
        load_model(tmp_path / "weights.pt", variant=PLAIN.name)


def test_safetensors_and_folders_are_taken(network: EfficientTam, tmp_path: Path) -> None:
    save_file(dict(network.state_dict()), tmp_path / "model.safetensors")
    for path in (tmp_path / "model.safetensors", tmp_path):
        assert load_model(path, variant=PLAIN.name).config == PLAIN


@pytest.mark.parametrize(
    ("variant", "good", "bad", "nearest"),
    [
        (PLAIN, (128, 144, 528, 1024, 2048), 520, "512 and 528"),
        (LOGIT_POOLED, (128, 160, 544, 1024), 528, "512 and 544"),
        (KEY_POOLED, (512,), 16, "nearest is 128"),
    ],
)
def test_input_sizes(
    variant: EfficientTamConfig, good: tuple[int, ...], bad: int, nearest: str
) -> None:
    for size in good:
        HOST.check_size(variant, size)
    with pytest.raises(ArgumentError, match=nearest):
        HOST.check_size(variant, bad)


def test_a_trunk_of_no_published_size_has_names_of_its_own() -> None:
    assert PLAIN.trunk == VitConfig(128, 3)
    assert SMALL.name == "efficienttam_128x3_512x512"
