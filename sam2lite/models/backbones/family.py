"""SAM 2's heads and memory behind other image encoders, on the host."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sam2lite.contracts.families.backbones import FAMILY
from sam2lite.errors import UnknownNameError
from sam2lite.models.activation_ranges import RANGES_FILE, read_ranges
from sam2lite.models.backbones.config import BACKBONES
from sam2lite.models.backbones.folded import folded, folds
from sam2lite.models.backbones.grafting import check_teacher, grafted, maps
from sam2lite.models.backbones.network import BackboneNetwork, ImageEncoder
from sam2lite.models.backbones.reading.checkpoint import read_checkpoint
from sam2lite.models.backbones.reading.recognition import is_backbone
from sam2lite.models.backbones.trunks.casvit_joined import joined_names
from sam2lite.models.layers.batch_norm import Fold
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2.family import SlotBankHost
from sam2lite.models.sam2.graphs import ImageEncoderGraph

# Gates, and what takes products of gates: hardly any work, and one range for all channels of a
# product of three activations is what INT8 breaks at.
_FLOAT = re.compile(
    r".*\.trunk\.(network\..+\.attn\.(oper_[qk]\..+|spread|gate|share|dwc|proj)"
    r"|base\..+\.fc[12])$"
)


class BackboneFamily(SlotBankHost):
    """Networks of nanosam2 and of `distill-encoder`; none is asked for by its name."""

    family = FAMILY

    def recognises(self, keys: Collection[str], config: Mapping[str, Any] | None) -> bool:
        """See `HostFamily`: a known trunk and a memory, by the keys of Meta."""
        return is_backbone(keys, config)

    def load(self, path: Path) -> LoadedModel:
        """See `HostFamily`; the errors are those of `read_checkpoint` and `read_ranges`."""
        loaded = self.loaded(read_checkpoint(path), BackboneNetwork)
        if not (path / RANGES_FILE).exists():
            return loaded
        ranges = read_ranges(path, loaded.quantizable_paths())
        return dataclasses.replace(loaded, activation_ranges=ranges)

    def build(self, name: str, seed: int) -> LoadedModel:
        """See `HostFamily`: no network has a name to be asked for by."""
        raise UnknownNameError("network behind another image encoder", name, self.published)

    def fused(self, network: nn.Module) -> BackboneNetwork:
        """See `Networks`."""
        assert isinstance(network, BackboneNetwork)
        return folded(network)

    def quantized_layers(self, network: nn.Module) -> dict[str, nn.Module]:
        """See `Networks`; gates of the trunk, and what takes their products, stay in float."""
        layers = super().quantized_layers(network)
        return {name: layer for name, layer in layers.items() if not _FLOAT.match(name)}

    def core_ml_form(self, module: nn.Module, inputs: Sequence[Tensor]) -> nn.Module:
        """See `Networks`; trunks of convolutions are taken as they are."""
        if isinstance(module, ImageEncoderGraph):
            return module
        return super().core_ml_form(module, inputs)

    @property
    def encoder_names(self) -> tuple[str, ...]:
        """See `Grafting`."""
        return tuple(BACKBONES)

    def check_teacher(self, teacher: LoadedModel) -> None:
        """See `Grafting`: heads and memory are those of SAM 2, whatever stands before them."""
        check_teacher(teacher)

    def grafted(
        self, teacher: LoadedModel, encoder: str, size: int | None, seed: int
    ) -> LoadedModel:
        """See `Grafting`."""
        student = grafted(teacher, encoder, size, seed)
        loaded = self.untrained(student, student.config)
        for network in (teacher, loaded):
            network.check_size(student.config.sizes[0])
        return dataclasses.replace(loaded, licence=teacher.licence)

    def trained_part(self, network: nn.Module) -> nn.Module:
        """See `Grafting`."""
        return network.get_submodule("image_encoder")

    def maps(self, network: nn.Module, image_bchw: Tensor) -> list[Tensor]:
        """See `Grafting`: before the decoder's own convolutions, which the teacher has, too."""
        return maps(network, image_bchw)

    def folds(self, network: nn.Module) -> Sequence[Fold]:
        """See `Grafting`."""
        encoder = network.get_submodule("image_encoder")
        assert isinstance(encoder, ImageEncoder)
        return list(folds(encoder).values())

    def exported_ranges(
        self, ranges: Mapping[str, tuple[float, float]]
    ) -> dict[str, tuple[float, float]]:
        """See `Grafting`."""
        return {name: span for path, span in ranges.items() for name in joined_names(path)}

    def description(self, student: LoadedModel) -> dict[str, Any]:
        """See `Grafting`; the reader asks it for the input sizes alone."""
        return {**student.config.to_json(), "licence": student.licence, "trained": True}


HOST = BackboneFamily()
