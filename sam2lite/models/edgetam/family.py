"""EdgeTAM on the host."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from sam2lite.contracts.families.edgetam import FAMILY
from sam2lite.errors import UnknownNameError
from sam2lite.models.edgetam.checkpoint import read_checkpoint
from sam2lite.models.edgetam.folded import folded
from sam2lite.models.edgetam.network import EdgeTam
from sam2lite.models.edgetam.recognition import is_edgetam
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2.family import SlotBankHost


class EdgeTamFamily(SlotBankHost):
    """The published network, and whatever has the same parts; none is asked for by its name."""

    family = FAMILY
    # The trunk rounds 120 times, one after the other; random weights are left with 41 to 52.
    half_precision_db = 40.0

    def recognises(self, keys: Collection[str], config: Mapping[str, Any] | None) -> bool:
        """See `HostFamily`: RepViT and a perceiver, by the keys of Meta or Hugging Face."""
        return is_edgetam(keys, config)

    def load(self, path: Path) -> LoadedModel:
        """See `HostFamily`; the errors are those of `read_checkpoint`."""
        return self.loaded(read_checkpoint(path), EdgeTam)

    def build(self, name: str, seed: int) -> LoadedModel:
        """See `HostFamily`: no network has a name to be asked for by."""
        raise UnknownNameError("EdgeTAM network", name, self.published)

    def fused(self, network: nn.Module) -> EdgeTam:
        """See `Networks`."""
        assert isinstance(network, EdgeTam)
        return folded(network)


HOST = EdgeTamFamily()
