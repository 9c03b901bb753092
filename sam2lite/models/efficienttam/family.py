"""EfficientTAM on the host."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sam2lite.contracts.families.efficienttam import FAMILY
from sam2lite.models.efficienttam.config import PUBLISHED
from sam2lite.models.efficienttam.core_ml_forms import core_ml_form
from sam2lite.models.efficienttam.network import EfficientTam, build
from sam2lite.models.efficienttam.reading.checkpoint import read_checkpoint
from sam2lite.models.efficienttam.reading.recognition import is_efficienttam
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2.family import SlotBankHost


class EfficientTamFamily(SlotBankHost):
    """The eight published variants, and those of other widths and depths.

    None of them is asked for by its name, as their weights do not come with the package.
    """

    family = FAMILY
    has_variants = True
    # Random weights leave what the memory encoder makes with 52.
    half_precision_db = 50.0

    def recognises(self, keys: Collection[str], config: Mapping[str, Any] | None) -> bool:
        """See `HostFamily`: a plain trunk with its neck, and a memory."""
        return is_efficienttam(keys)

    def load(self, path: Path) -> LoadedModel:
        """See `HostFamily`; without a variant there is always an error."""
        return self.load_variant(path, None)

    def load_variant(self, path: Path, variant: str | None) -> LoadedModel:
        """See `HostFamily`; the errors are those of `read_checkpoint`."""
        return self.loaded(read_checkpoint(path, variant), EfficientTam)

    def build(self, name: str, seed: int) -> LoadedModel:
        """See `HostFamily`."""
        config = PUBLISHED[name]
        return self.untrained(build(config, seed), config)

    def core_ml_form(self, module: nn.Module, inputs: Sequence[Tensor]) -> nn.Module:
        """See `Networks`."""
        return core_ml_form(module, inputs)


HOST = EfficientTamFamily()
