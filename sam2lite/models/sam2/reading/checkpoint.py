"""Checkpoints of SAM 2 and 2.1, as Meta and as Hugging Face publish them.

`read` is for those of families that are built on it, too.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sam2lite.errors import ModelError
from sam2lite.files.reading import printable
from sam2lite.models.checkpoint import (
    CONFIG_FILE,
    COPY_AGAIN,
    check_finite,
    check_fit,
    state_sha256,
)
from sam2lite.models.found import Found, look_at
from sam2lite.models.sam2.config import PUBLISHED, STRIDE, HieraConfig, Sam2Config, SlotBankConfig
from sam2lite.models.sam2.network import Sam2, SlotBankNetwork
from sam2lite.models.sam2.reading.huggingface_config import (
    check_settings,
    features_said,
    size_said,
    trunk_said,
)
from sam2lite.models.sam2.reading.huggingface_keys import is_huggingface, with_meta_names
from sam2lite.models.sam2.reading.recognition import MODEL_TYPE
from sam2lite.models.sam2.reading.trunk_shapes import trunk_of

LICENCE = "Apache-2.0"  # of all published weights

# Inputs have multiples of so many cells at stride 4, which windows of the position table fill.
_TABLE_SIDE = STRIDE // 4

_OF_2_1 = ("no_obj_embed_spatial", "obj_ptr_tpos_proj.weight", "obj_ptr_tpos_proj.bias")
# Tables that are computed, and that some versions of some code save nevertheless.
NO_WEIGHTS = re.compile(r"memory_attention\.(.+\.)?(rotary_emb\..+|freqs_cis)$")


@dataclass(frozen=True)
class Checkpoint:
    """Weights, and the network that they are of.

    Attributes:
        state: tensors by Meta's names, FP32, in the order of the network; they share no memory.
        config: of the network.
        sha256: of `state`, so that the same weights have the same, however they were stored; see
            `state_sha256`.
        licence: SPDX identifier.
    """

    state: dict[str, Tensor]
    config: SlotBankConfig
    sha256: str
    licence: str = LICENCE


class Reader(NamedTuple):
    """How the checkpoints of a family are read.

    Attributes:
        by_meta_names: the tensors of a checkpoint by Meta's names, without those that are no
            weights; from what is stored or claimed, and the path for messages.
        told: the configuration, by what was found and the tensors by Meta's names.
        build: a network of a configuration.
        title: of a network of a configuration, for messages.
    """

    by_meta_names: Callable[[Mapping[str, Tensor], Path], dict[str, Tensor]]
    told: Callable[[Found, Mapping[str, Tensor]], Any]
    build: Callable[[Any], SlotBankNetwork]
    title: Callable[[Any], str]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of SAM 2 or 2.1, by the names of Meta or of Hugging Face.

    A `config.json` of Hugging Face says what the network is, and where there is none the shapes do.

    Args:
        path: see `read`.

    Raises:
        ModelError: see `read`; or tensors are of two versions.
        DependencyError: safetensors is not installed.
    """
    return read(path, _READER)


def read(path: Path, reader: Reader) -> Checkpoint:
    """Read a file of weights or a folder; weights in other floating-point types become FP32.

    Args:
        path: a folder with `model.safetensors`, shards with their index, or a single file of
            weights; or such a file.
        reader: of the family.

    Raises:
        ModelError: a file is missing or damaged, or holds more than weights; or tensors are
            missing, left over, mis-shaped or not finite. They are listed, by Meta's names.
        DependencyError: safetensors is not installed.
    """
    found = look_at(path)
    if not found.files:
        raise ModelError(f"{printable(path)} has no weights beside its {CONFIG_FILE}; {COPY_AGAIN}")
    claims = reader.by_meta_names(found.claims, found.path)
    config = reader.told(found, claims)
    weights = found.files[0] if len(found.files) == 1 else path
    # Without memory or time: weights can claim more than there is.
    with torch.device("meta"):
        outline = reader.build(config).state_dict()
    title = f"{reader.title(config)} ({config.name}; by Meta's names)"
    check_fit(weights, outline, claims, title)
    stored = reader.by_meta_names(found.read(), found.path)
    check_fit(weights, outline, stored, title)
    state = {
        name: stored.pop(name).to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        for name in outline
    }
    check_finite(weights, state)
    return Checkpoint(state, config, state_sha256(state))


def _by_meta_names(stored: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    named = with_meta_names(stored, path) if is_huggingface(stored) else dict(stored)
    return {name: tensor for name, tensor in named.items() if not NO_WEIGHTS.match(name)}


def _described(found: Found) -> Sam2Config | None:
    """Return what the configuration of Hugging Face says; None where there is none."""
    if found.config is None or found.config.get("model_type") != MODEL_TYPE:
        return None
    path = found.path / CONFIG_FILE
    check_settings(found.config, path)
    occlusion, pointer_time = features_said(found.config, path)
    if occlusion != pointer_time:
        raise ModelError(
            f"{printable(path)} mixes SAM 2 and 2.1: the occlusion embedding is {occlusion}, the "
            f"time of pointers {pointer_time}; 2.1 has both, and 2 has neither"
        )
    size = size_said(found.config, path)
    return _config(path, trunk_said(found.config, path), pointer_time, (size,))


def _told(found: Found, claims: Mapping[str, Tensor]) -> Sam2Config:
    """Return what is described, or what the tensors say; one that 2.1 alone has makes it 2.1."""
    described = _described(found)
    if described is not None:
        return described
    trunk = trunk_of(claims, found.path)
    return _config(found.path, trunk, any(name in claims for name in _OF_2_1))


def _config(
    path: Path, trunk: HieraConfig, of_2_1: bool, sizes: tuple[int, ...] | None = None
) -> Sam2Config:
    if _TABLE_SIDE % trunk.windows[0]:
        raise ModelError(
            f"{printable(path)}: the windows of the first stage have {trunk.windows[0]} cells a "
            f"side, of which none fill every input; they must divide {_TABLE_SIDE}"
        )
    title = "sam2.1_hiera" if of_2_1 else "sam2_hiera"
    name = f"{title}_{trunk.embed_dim}x{sum(trunk.blocks)}"
    for config in PUBLISHED.values():
        if config.trunk == trunk and config.pointer_time == of_2_1:
            name = config.name
    config = Sam2Config(name, trunk, of_2_1, of_2_1)
    return config if sizes is None else dataclasses.replace(config, sizes=sizes)


_READER = Reader(_by_meta_names, _told, Sam2, lambda config: f"SAM {config.version}")
