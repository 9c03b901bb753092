"""What a config.json of Hugging Face says; settings that nothing here would follow are refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sam2lite.errors import ModelError
from sam2lite.models.sam2.config import PUBLISHED
from sam2lite.models.sam2.reading.huggingface_config import (
    check_settings,
    features_said,
    size_said,
    trunk_said,
)
from tests.oracles.hugging_face import hugging_face_config

HERE = Path("config.json")
Config = dict[str, Any]


def described(name: str = "sam2.1_hiera_tiny", size: int = 1024) -> Config:
    config: Config = json.loads(hugging_face_config(PUBLISHED[name], size).to_json_string())
    return config


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_are_described(name: str) -> None:
    config, network = described(name), PUBLISHED[name]
    check_settings(config, HERE)
    assert trunk_said(config, HERE) == network.trunk
    assert features_said(config, HERE) == (network.occlusion_embedding, network.pointer_time)
    assert (size_said(config, HERE),) == network.sizes


def test_what_is_not_said_is_as_in_hiera_tiny() -> None:
    config = {"model_type": "sam2_video"}
    check_settings(config, HERE)
    assert trunk_said(config, HERE) == PUBLISHED["sam2.1_hiera_tiny"].trunk
    assert features_said(config, HERE) == (True, True)
    assert size_said(config, HERE) == 1024


def test_a_size_may_be_a_number_or_two() -> None:
    assert size_said(described(size=512), HERE) == 512
    assert size_said({"image_size": [768, 768]}, HERE) == 768


@pytest.mark.parametrize("said", [0, 1000, 1 << 20, -32, 512.0, "512", [512, 768], [512], True, {}])
def test_a_size_that_no_network_takes_is_refused(said: object) -> None:
    with pytest.raises(ModelError, match=r"image_size is .* must be a multiple of 32"):
        size_said({"image_size": said}, HERE)


def setting(*path: str, value: object) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        for part in path[:-1]:
            config = config[part]
        config[path[-1]] = value

    return change


BACKBONE = ("vision_config", "backbone_config")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (setting("num_maskmem", value=5), "num_maskmem: 5, all published networks 7"),
        (setting("rope_parameters", "rope_theta", value=1e5), "rope_theta: 100000.0, .* 10000"),
        (setting("memory_attention_rope_theta", value=7), "rope_theta: 7"),
        (setting("mask_decoder_config", "num_attention_heads", value=4), "heads: 4"),
        (setting(*BACKBONE, "query_stride", value=[1, 2]), r"query_stride: \[1, 2\]"),
        (setting(*BACKBONE, "hidden_act", value="relu"), "hidden_act: 'relu'"),
        (setting("vision_config", "fpn_top_down_levels", value=[3]), r"levels: \[3\]"),
        (setting("num_maskmem", value="\x1b[2J"), "num_maskmem: '.x1b"),
    ],
)
def test_settings_that_change_what_is_computed_are_refused(
    change: Callable[[Config], None], message: str
) -> None:
    config = described()
    change(config)
    with pytest.raises(ModelError, match=f"(?s)no network that is known to be SAM 2.*{message}"):
        check_settings(config, HERE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (setting(*BACKBONE, "embed_dim_per_stage", value=[8, 16, 24, 32]), "widths .* double"),
        (setting(*BACKBONE, "num_attention_heads_per_stage", value=[5, 10, 20, 40]), "divide"),
        (setting(*BACKBONE, "num_attention_heads_per_stage", value=[1, 1, 1, 1]), "double"),
        (setting(*BACKBONE, "blocks_per_stage", value=[1, 2, 3]), "has 3 numbers; .* 4 stages"),
        (setting(*BACKBONE, "blocks_per_stage", value=[1, 2, 0, 1]), r"blocks \(1, 2, 0, 1\)"),
        (setting(*BACKBONE, "blocks_per_stage", value=[1, 2, 10**5, 1]), "blocks"),
        (setting(*BACKBONE, "blocks_per_stage", value="1,2,7,2"), "list of whole numbers"),
        (setting(*BACKBONE, "window_size_per_stage", value=[8, 4, 14, 7.5]), "whole numbers"),
        (setting(*BACKBONE, "global_attention_blocks", value=[12]), r"all cells in blocks \(12,\)"),
        (setting(*BACKBONE, "embed_dim_per_stage", value=[2**40] * 4), "whole numbers"),
        (
            setting(*BACKBONE, "window_positional_embedding_background_size", value=[7]),
            r"background \(7,\)",
        ),
    ],
)
def test_trunks_that_are_none_of_hiera_are_refused(
    change: Callable[[Config], None], message: str
) -> None:
    config = described()
    change(config)
    with pytest.raises(ModelError, match=message):
        trunk_said(config, HERE)


def test_features_are_there_or_not() -> None:
    with pytest.raises(ModelError, match="enable_occlusion_spatial_embedding is 'yes'"):
        features_said({"enable_occlusion_spatial_embedding": "yes"}, HERE)
    assert trunk_said({"vision_config": 3}, HERE) == trunk_said({}, HERE)
