"""Size and version are told from tensors; what they do not tell is assumed, and said."""

import logging
import re
from pathlib import Path

import pytest
import torch

from sam2lite.errors import ModelError
from sam2lite.models.sam2.config import PUBLISHED, HieraConfig, Sam2Config
from sam2lite.models.sam2.network import Sam2
from sam2lite.models.sam2.reading.trunk_shapes import trunk_of
from tests.models.sam2.conftest import TRUNK, State

HERE = Path("here.pt")
PATCHES = "image_encoder.trunk.patch_embed.proj.weight"


def outline(trunk: HieraConfig) -> State:
    with torch.device("meta"):
        return dict(Sam2(Sam2Config("", trunk)).state_dict())


@pytest.mark.parametrize("size", ["tiny", "small", "base_plus", "large"])
def test_published_sizes_are_told(size: str, caplog: pytest.LogCaptureFixture) -> None:
    trunk = PUBLISHED[f"sam2.1_hiera_{size}"].trunk
    assert trunk_of(outline(trunk), HERE) == trunk
    assert not caplog.records


@pytest.mark.parametrize(
    "trunk",
    [
        TRUNK,
        HieraConfig(112, 2, (1, 1, 2, 1), (4, 4, 14, 7), (2, 3), (14, 10)),
        HieraConfig(8, 1, (2, 1, 11, 3), (8, 4, 14, 7), (7, 10, 13)),
        HieraConfig(96, 1, (1, 1, 1, 1), (8, 4, 14, 7), (2,)),
    ],
)
def test_what_is_assumed_of_other_trunks_is_said(
    trunk: HieraConfig, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "sam2lite"):
        assert trunk_of(outline(trunk), HERE) == trunk
    (record,) = caplog.records
    assert re.search(r"here.pt .*no published size .*assumed: heads .*config.json", record.message)
    assert str(trunk.global_blocks) in record.message


def without(*patterns: str) -> State:
    state = outline(TRUNK)
    return {name: t for name, t in state.items() if not any(re.search(p, name) for p in patterns)}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (without("patch_embed"), rf"{PATCHES} tells the size .* 4 dimensions, found nothing"),
        ({**outline(TRUNK), PATCHES: torch.zeros(4)}, rf"{PATCHES} .*found \[4\]"),
        (without(r"trunk\.pos_embed$"), "pos_embed tells the size .*found nothing"),
        (without(r"blocks\.\d+\.proj\."), r"6 blocks in 1 stages \(new ones begin at \[\]\)"),
        (without(r"blocks\."), "0 blocks in 1 stages"),
    ],
)
def test_what_tells_the_size_must_be_there(state: State, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        trunk_of(state, HERE)
