"""The one configuration of a SAM2-Lite network, and the three published sizes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from sam2lite.contracts.arguments import shown
from sam2lite.contracts.families.sam2lite import (
    MEMORY_CHANNELS,
    RUNGS,
    TOKENS_PER_FRAME,
    graph_dims,
)
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.contracts.loop import WINDOW_MAX
from sam2lite.errors import ModelError, UnknownNameError

# Far beyond Base, and still something that can be built.
_MOST_STAGES = 8
_MOST_BLOCKS = 128
_MOST_CHANNELS = 8192
_LARGEST = {"kv_stride": 64, "mlp_ratio": 64, "memory_blocks": 128, "decoder_layers": 128}


@dataclass(frozen=True)
class StageConfig:
    """One stage of the image encoder, each at half the resolution of the one before.

    Attributes:
        width: channels.
        blocks: one letter a block: `c` is a convolution block, `a` an attention block.
        kv_stride: keys and values of the attention blocks are pooled by it on each axis.
        mlp_ratio: hidden width of the attention blocks' MLP over `width`.
    """

    width: int
    blocks: str
    kv_stride: int = 1
    mlp_ratio: int = 3


@dataclass(frozen=True)
class Sam2LiteConfig:
    """Everything that fixes the parameters of a SAM2-Lite network.

    Attributes:
        name: the published size it is, or any other name.
        stages: image encoder at strides 4, 8, 16 and, where a fourth is given, 32.
        embed_dim: channels of the stride-16 features and of the decoder.
        skip_dims: channels of the stride-8 and stride-4 features.
        attention_dim: inner width of the decoder's attentions.
        mix_dim: hidden width of the decoder's convolutional mixing of image tokens.
        query_mlp_dim: hidden width of the decoder's query MLP.
        memory_dim: channels of the memory encoder.
        memory_blocks: convolution blocks in the memory encoder.
        budget: tokens in the memory bank.
        decoder_layers: layers of the decoder; three in every published size.
        base_size: side of the input that `rungs` are fractions of, px.
    """

    name: str
    stages: tuple[StageConfig, ...]
    embed_dim: int
    skip_dims: tuple[int, int]
    attention_dim: int
    mix_dim: int
    query_mlp_dim: int
    memory_dim: int
    memory_blocks: int
    budget: int
    decoder_layers: int = 3
    base_size: int = 480

    @property
    def rungs(self) -> tuple[int, ...]:
        """Input sides the network is exported for, ascending, px."""
        return tuple(rung * self.base_size // RUNGS[-1] for rung in RUNGS)

    def dims(self, rung: int, aspect: Aspect = SQUARE) -> dict[str, int]:
        """See `models.networks.Config`."""
        skip_s8, skip_s4 = self.skip_dims
        return graph_dims(rung, self.embed_dim, skip_s8, skip_s4, self.budget, aspect)

    def memory(self) -> dict[str, Any]:
        """Return the layout of the memory bank, as manifests have it."""
        return {
            "budget": self.budget,
            "tokens_per_frame": TOKENS_PER_FRAME,
            "channels": MEMORY_CHANNELS,
            "window_max": WINDOW_MAX,
            "window_saves_time": False,
        }

    def to_json(self) -> dict[str, Any]:
        """Return plain data for `config.json`."""
        return {"model_type": "sam2lite", **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Sam2LiteConfig:
        """Read `config.json`.

        Raises:
            ModelError: a key is missing or unknown, a number is not one, or the file is of another
                model type.
        """
        values = dict(data)
        model_type = values.pop("model_type", None)
        if model_type != "sam2lite":
            raise ModelError(f"config.json has model_type {model_type!r}; expected 'sam2lite'")
        try:
            values["stages"] = tuple(StageConfig(**stage) for stage in values["stages"])
            values["skip_dims"] = tuple(values["skip_dims"])
            config = cls(**values)
        except (KeyError, TypeError) as error:
            raise ModelError(
                f"config.json does not describe a SAM2-Lite network: {error}"
            ) from None
        _check(config)
        return config


def _check(config: Sam2LiteConfig) -> None:
    """Raise ModelError for a number that is none, or beyond any network that could run."""
    for stage in config.stages:
        if not isinstance(stage.blocks, str) or len(stage.blocks) > _MOST_BLOCKS:
            raise ModelError(
                f"config.json has a stage of which the network cannot be built: its blocks must "
                f"be up to {_MOST_BLOCKS} letters"
            )
    if len(config.stages) > _MOST_STAGES or not isinstance(config.name, str):
        raise ModelError(
            f"config.json has {len(config.stages)} stages and the name {shown(config.name)}; at "
            f"most {_MOST_STAGES}, and text, are read"
        )
    numbers = [("skip_dims", side) for side in config.skip_dims]
    parts: tuple[Sam2LiteConfig | StageConfig, ...] = (config, *config.stages)
    for part in parts:
        fields = dataclasses.fields(part)
        numbers += [(f.name, getattr(part, f.name)) for f in fields if f.type == "int"]
    for name, value in numbers:
        if type(value) is not int or value < 1:
            raise ModelError(
                f"config.json has {name} {shown(value)}; it must be a whole number above 0, or the "
                "network cannot be built"
            )
        if value > _LARGEST.get(name, _MOST_CHANNELS):
            raise ModelError(
                f"config.json has {name} {value}; more than "
                f"{_LARGEST.get(name, _MOST_CHANNELS)} is not read"
            )


# The widths were chosen for INT8 on a CPU: docs/adr/0001-encoder.md has the candidates and figures.
TINY = Sam2LiteConfig(
    name="tiny",
    stages=(
        StageConfig(64, "c"),
        StageConfig(128, "cc"),
        StageConfig(288, "c" * 7),
        StageConfig(192, "a", mlp_ratio=2),
    ),
    embed_dim=128,
    skip_dims=(32, 16),
    attention_dim=64,
    mix_dim=128,
    query_mlp_dim=256,
    memory_dim=128,
    memory_blocks=1,
    budget=256,
)
SMALL = Sam2LiteConfig(
    name="small",
    stages=(
        StageConfig(64, "cc"),
        StageConfig(128, "ccc"),
        StageConfig(352, "c" * 12),
        StageConfig(320, "aa"),
    ),
    embed_dim=192,
    skip_dims=(48, 24),
    attention_dim=128,
    mix_dim=192,
    query_mlp_dim=384,
    memory_dim=192,
    memory_blocks=1,
    budget=384,
)
BASE = Sam2LiteConfig(
    name="base",
    stages=(
        StageConfig(96, "cc"),
        StageConfig(192, "ccc"),
        StageConfig(512, "c" * 21),
        StageConfig(448, "aaa"),
    ),
    embed_dim=256,
    skip_dims=(64, 32),
    attention_dim=128,
    mix_dim=512,
    query_mlp_dim=1024,
    memory_dim=256,
    memory_blocks=2,
    budget=512,
)

SIZES = {config.name: config for config in (TINY, SMALL, BASE)}


def size_config(name: str) -> Sam2LiteConfig:
    """Return a published size by name.

    Raises:
        UnknownNameError: there is no such size.
    """
    if name not in SIZES:
        raise UnknownNameError("model", name, SIZES)
    return SIZES[name]
