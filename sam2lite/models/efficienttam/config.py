"""What fixes an EfficientTAM network: its trunk, and the variant, which no weight shows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from sam2lite.contracts.families.efficienttam import LAYOUT, NAME
from sam2lite.contracts.families.sam2 import SlotBankLayout
from sam2lite.models.sam2.config import SlotBankConfig

PATCH = 16  # px a cell
WINDOW = 14  # cells a side, of the blocks that do not attend to everything
TABLE_SIDE = 14  # cells, of the position table: the trunk was trained for classes at 224 px first
HEAD_CHANNELS = 64
POOLED_CELLS = 2  # a side, that a key of pooled memory stands for
_GLOBAL_EVERY = 3  # blocks, of which the last attends to everything

# How a frame attends to several frames of memory.
PLAIN = "plain"  # to every cell
LOGIT_POOLED = "pooled-1"  # to four cells at a time, which weigh as much as four that are alike
KEY_POOLED = "pooled-2"  # the same weight added to the keys' channels instead

TRAINED_SIZE, SMALL_SIZE = 1024, 512  # px


@dataclass(frozen=True)
class VitConfig:
    """The image encoder's trunk.

    Attributes:
        width: channels, a multiple of 64.
        blocks: how many there are.
    """

    width: int
    blocks: int = 12

    @property
    def heads(self) -> int:
        """Of attention."""
        return self.width // HEAD_CHANNELS

    @property
    def global_blocks(self) -> tuple[int, ...]:
        """Those that attend to all cells."""
        return tuple(range(_GLOBAL_EVERY - 1, self.blocks, _GLOBAL_EVERY))


@dataclass(frozen=True)
class EfficientTamConfig(SlotBankConfig):
    """Everything that fixes an EfficientTAM network.

    Attributes:
        name: the published variant it is, or any other name.
        trunk: of the image encoder.
        attention: to several frames of memory: `plain`, `pooled-1` or `pooled-2`.
        sizes: input sides that it is exported for unless others are asked for, ascending, px.
    """

    name: str
    trunk: VitConfig
    attention: str = PLAIN
    sizes: tuple[int, ...] = (TRAINED_SIZE,)
    layout: ClassVar[SlotBankLayout] = LAYOUT
    stride: ClassVar[int] = PATCH

    @property
    def size_step(self) -> int:
        """See `SlotBankConfig`: where memory is pooled, two patches."""
        return PATCH if self.attention == PLAIN else POOLED_CELLS * PATCH

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {"model_type": NAME, **dataclasses.asdict(self)}


# What is put after the name of a width: the variants that are published.
_VARIANTS: dict[str, tuple[str, tuple[int, ...]]] = {
    "": (PLAIN, (TRAINED_SIZE,)),
    "_1": (LOGIT_POOLED, (TRAINED_SIZE,)),
    "_2": (KEY_POOLED, (TRAINED_SIZE,)),
    "_512x512": (PLAIN, (SMALL_SIZE,)),
}
_PUBLISHED_TRUNKS = {"s": VitConfig(384), "ti": VitConfig(192)}


def variants(trunk: VitConfig) -> dict[str, EfficientTamConfig]:
    """Return the networks that weights with a trunk may be of, by the names of variants."""
    size = f"{trunk.width}x{trunk.blocks}"
    for published, known in _PUBLISHED_TRUNKS.items():
        if trunk == known:
            size = published
    return {
        f"{NAME}_{size}{end}": EfficientTamConfig(f"{NAME}_{size}{end}", trunk, attention, sizes)
        for end, (attention, sizes) in _VARIANTS.items()
    }


PUBLISHED = {
    name: config for trunk in _PUBLISHED_TRUNKS.values() for name, config in variants(trunk).items()
}
