"""What fixes the parameters of an EdgeTAM network, and the published one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from sam2lite.contracts.families.edgetam import GRID_SIDE, LAYOUT, NAME
from sam2lite.contracts.families.sam2 import SlotBankLayout
from sam2lite.models.sam2.config import TRAINED_SIZE, SlotBankConfig

_CELL_STRIDE = 16  # px of the input a cell of the map that the grid of tokens divides


@dataclass(frozen=True)
class RepVitConfig:
    """The image encoder's trunk: four stages, each at half the resolution of the one before.

    Attributes:
        widths: channels of each stage.
        blocks: of each stage.
    """

    widths: tuple[int, int, int, int] = (48, 96, 192, 384)
    blocks: tuple[int, int, int, int] = (2, 2, 14, 2)


M1 = RepVitConfig()


@dataclass(frozen=True)
class EdgeTamConfig(SlotBankConfig):
    """Everything that fixes the parameters of an EdgeTAM network.

    Attributes:
        name: the published one's, or any other.
        trunk: of the image encoder.
        sizes: input sides that it is exported for unless others are asked for, ascending, px.
    """

    name: str = NAME
    trunk: RepVitConfig = M1
    sizes: tuple[int, ...] = (TRAINED_SIZE,)
    layout: ClassVar[SlotBankLayout] = LAYOUT
    stride: ClassVar[int] = _CELL_STRIDE * GRID_SIDE
    attention_layers: ClassVar[int] = 2

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {"model_type": NAME, **dataclasses.asdict(self)}
