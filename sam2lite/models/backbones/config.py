"""What fixes the parameters of a network, and the image encoders that have a name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from sam2lite.contracts.families.backbones import NAME
from sam2lite.models.sam2.config import TRAINED_SIZE, SlotBankConfig

Four = tuple[int, int, int, int]


@dataclass(frozen=True)
class ResNetConfig:
    """A residual network of plain blocks.

    Attributes:
        widths: channels of each stage.
        blocks: of each stage.
    """

    widths: Four = (64, 128, 256, 512)
    blocks: Four = (2, 2, 2, 2)
    kind: ClassVar[str] = "resnet"


@dataclass(frozen=True)
class MobileNetConfig:
    """MobileNetV3-Large without its classifier; there is one of it."""

    widths: ClassVar[Four] = (24, 40, 112, 960)
    kind: ClassVar[str] = "mobilenet_v3_large"


@dataclass(frozen=True)
class CasVitConfig:
    """CAS-ViT: four stages of blocks with additive attention.

    Attributes:
        widths: channels of each stage.
        blocks: of each stage.
    """

    widths: Four = (48, 64, 128, 256)
    blocks: Four = (3, 3, 6, 3)
    kind: ClassVar[str] = "casvit"


TrunkConfig = ResNetConfig | MobileNetConfig | CasVitConfig

# By the names under which users ask for them; with the input side that nanosam2 trains each at, px.
BACKBONES: dict[str, tuple[TrunkConfig, int]] = {
    "resnet18": (ResNetConfig(), 512),
    "mobilenet_v3_large": (MobileNetConfig(), TRAINED_SIZE),
    "casvit_s": (CasVitConfig(), TRAINED_SIZE),
}


@dataclass(frozen=True)
class BackboneConfig(SlotBankConfig):
    """Everything that fixes the parameters of a network.

    Attributes:
        name: with that of the image encoder, or any other name.
        trunk: of the image encoder.
        occlusion_embedding: memory of frames without the object is marked as such (2.1).
        pointer_time: object pointers are told how long ago their frame is (2.1).
        sizes: input sides that it is exported for unless others are asked for, ascending, px.
    """

    name: str
    trunk: TrunkConfig
    occlusion_embedding: bool = True
    pointer_time: bool = True
    sizes: tuple[int, ...] = (TRAINED_SIZE,)

    @property
    def version(self) -> str:
        """Of the published networks that have the same heads and memory."""
        return "2.1" if self.pointer_time else "2.0"

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        named = {"model_type": NAME, "version": self.version, "backbone": self.trunk.kind}
        return {**named, **dataclasses.asdict(self)}


def config_of(
    trunk: TrunkConfig, of_2_1: bool = True, sizes: tuple[int, ...] | None = None
) -> BackboneConfig:
    """Return the configuration of a trunk before SAM 2's heads.

    Args:
        trunk: of the image encoder.
        of_2_1: whether heads and memory are those of 2.1.
        sizes: of its input, px; as nanosam2 trains it if not given.
    """
    version = "sam2.1" if of_2_1 else "sam2"
    name, usual = f"{trunk.kind}_{trunk.widths[0]}", TRAINED_SIZE
    if not isinstance(trunk, MobileNetConfig):
        name = f"{name}x{sum(trunk.blocks)}"
    for known, (each, size) in BACKBONES.items():
        if each == trunk:
            name, usual = known, size
    return BackboneConfig(f"{version}_{name}", trunk, of_2_1, of_2_1, sizes or (usual,))
