"""What fixes the parameters of a SAM 2 network, and the published sizes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from sam2lite.contracts.families.sam2 import (
    CONDITIONING_FRAMES,
    LAYOUT,
    MEMORY_CHANNELS,
    NAME,
    POINTER_SLOTS,
    RECENT_FRAMES,
    SlotBankLayout,
)
from sam2lite.contracts.input_sizes import SQUARE, Aspect

# An image encoder has cells at stride 32, and tiles its windowed position table at stride 4.
STRIDE = 32
TRAINED_SIZE = 1024


@dataclass(frozen=True)
class HieraConfig:
    """The image encoder's trunk: four stages, each at half the resolution of the one before.

    Attributes:
        embed_dim: channels of the first stage; each of the others has twice as many.
        heads: of attention in the first stage; each of the others has twice as many.
        blocks: of each stage.
        windows: sides of the attention windows of each stage, cells.
        global_blocks: those that attend to all cells, counted through all stages.
        background: sides of the coarse part of the position table.
    """

    embed_dim: int
    heads: int
    blocks: tuple[int, int, int, int]
    windows: tuple[int, int, int, int]
    global_blocks: tuple[int, ...]
    background: tuple[int, int] = (7, 7)


class SlotBankConfig:
    """What configurations of SAM 2 and of families that are built on it say.

    Attributes:
        name: the published size it is, or any other name.
        sizes: input sides that it is exported for unless others are asked for, ascending, px.
        occlusion_embedding: memory of frames without the object is marked as such.
        pointer_time: object pointers are told how long ago their frame is.
        layout: of the family's graphs.
        stride: of the coarsest cells, px.
        attention_layers: of memory attention.
    """

    name: str
    sizes: tuple[int, ...]
    occlusion_embedding: bool = False
    pointer_time: bool = False
    layout: ClassVar[SlotBankLayout] = LAYOUT
    stride: ClassVar[int] = STRIDE
    attention_layers: ClassVar[int] = 4

    @property
    def size_step(self) -> int:
        """That every input side is a multiple of, px: whole cells, unless it takes more."""
        return self.stride

    @property
    def rungs(self) -> tuple[int, ...]:
        """See `models.networks.Config`."""
        return self.sizes

    def dims(self, rung: int, aspect: Aspect = SQUARE) -> dict[str, int]:
        """See `models.networks.Config`."""
        return self.layout.dims(rung, aspect)

    def memory(self) -> dict[str, Any]:
        """Return the layout of the memory bank, as manifests have it."""
        return {
            "slots": list(self.layout.slots),
            "channels": MEMORY_CHANNELS,
            "pointers": POINTER_SLOTS,
            "conditioning_frames": CONDITIONING_FRAMES,
            "recent_frames": RECENT_FRAMES,
        }

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        raise NotImplementedError


@dataclass(frozen=True)
class Sam2Config(SlotBankConfig):
    """Everything that fixes the parameters of a SAM 2 network.

    Attributes:
        name: the published size it is, or any other name.
        trunk: of the image encoder.
        occlusion_embedding: memory of frames without the object is marked as such (2.1).
        pointer_time: object pointers are told how long ago their frame is (2.1).
        sizes: input sides that it is exported for unless others are asked for, ascending, px.
    """

    name: str
    trunk: HieraConfig
    occlusion_embedding: bool = True
    pointer_time: bool = True
    sizes: tuple[int, ...] = (TRAINED_SIZE,)

    @property
    def version(self) -> str:
        """Of the published networks that have the same tensors."""
        return "2.1" if self.pointer_time else "2.0"

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {"model_type": NAME, "version": self.version, **dataclasses.asdict(self)}


_HIERA = {
    "tiny": HieraConfig(96, 1, (1, 2, 7, 2), (8, 4, 14, 7), (5, 7, 9)),
    "small": HieraConfig(96, 1, (1, 2, 11, 2), (8, 4, 14, 7), (7, 10, 13)),
    "base_plus": HieraConfig(112, 2, (2, 3, 16, 3), (8, 4, 14, 7), (12, 16, 20), (14, 14)),
    "large": HieraConfig(144, 2, (2, 6, 36, 4), (8, 4, 16, 8), (23, 33, 43)),
}


def _published() -> dict[str, Sam2Config]:
    found = {}
    for size, trunk in _HIERA.items():
        found[f"sam2_hiera_{size}"] = Sam2Config(f"sam2_hiera_{size}", trunk, False, False)
        found[f"sam2.1_hiera_{size}"] = Sam2Config(f"sam2.1_hiera_{size}", trunk)
    return found


PUBLISHED = _published()
