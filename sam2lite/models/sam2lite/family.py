"""SAM2-Lite on the host."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from sam2lite.contracts.families.sam2lite import FAMILY, NAME
from sam2lite.errors import UnknownNameError
from sam2lite.models.family import HostFamily
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.networks import Choice
from sam2lite.models.sam2lite.checkpoint import read_checkpoint
from sam2lite.models.sam2lite.config import size_config
from sam2lite.models.sam2lite.core_ml_forms import core_ml_form
from sam2lite.models.sam2lite.network import Sam2Lite, build
from sam2lite.models.sam2lite.quantizable import quantized_layers
from sam2lite.models.sam2lite.reference.prompted import SETTINGS, TokenBankReference

# Tensors that every network of the family has, and hardly one of another.
_SIGNATURE = {"mask_decoder.null_key", "mask_decoder.null_value", "memory_encoder.pointer_key.bias"}


class Sam2LiteFamily(HostFamily):
    """Tiny, Small and Base, and whatever else was trained from a `Sam2LiteConfig`."""

    family = FAMILY
    published = MappingProxyType({"tiny": 5.2, "small": 12.8, "base": 38.4})

    def recognises(self, keys: Collection[str], config: Mapping[str, Any] | None) -> bool:
        """See `HostFamily`."""
        named = config is not None and config.get("model_type") == NAME
        return named or set(keys) >= _SIGNATURE

    def load(self, path: str | Path) -> LoadedModel:
        """See `HostFamily`; the errors are those of `read_checkpoint`."""
        return read_checkpoint(Path(path), self)

    def build(self, name: str, seed: int) -> LoadedModel:
        """See `HostFamily`."""
        config = size_config(name)
        return self.untrained(build(config, seed), config)

    def fused(self, network: nn.Module) -> Sam2Lite:
        """See `Networks`: batch norms and identities are folded into convolutions."""
        assert isinstance(network, Sam2Lite)
        return network.fused()

    def quantized_layers(self, network: nn.Module) -> dict[str, nn.Module]:
        """See `Networks`."""
        return dict(quantized_layers(network))

    def reference(
        self, network: nn.Module, choose: Choice | None = None, **settings: Any
    ) -> TokenBankReference:
        """See `Networks`; the settings are `policy`, `tokens` and `window`."""
        assert isinstance(network, Sam2Lite)
        for name in settings:
            if name not in SETTINGS:
                raise UnknownNameError(f"{FAMILY.title} setting", name, SETTINGS)
        return TokenBankReference(network, choose, **settings)

    def core_ml_form(self, module: nn.Module, inputs: Sequence[Tensor]) -> nn.Module:
        """See `Networks`."""
        return core_ml_form(module, inputs)


HOST = Sam2LiteFamily()
