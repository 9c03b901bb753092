"""SAM 2 and 2.1 on the host."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from sam2lite.contracts.families.sam2 import FAMILY
from sam2lite.contracts.provenance import OWN
from sam2lite.models.effort import Effort
from sam2lite.models.family import HostFamily
from sam2lite.models.input_sizes import check_multiple
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.networks import Choice, Config
from sam2lite.models.sam2.config import PUBLISHED, SlotBankConfig
from sam2lite.models.sam2.core_ml_forms import core_ml_form
from sam2lite.models.sam2.fused import fused
from sam2lite.models.sam2.graphs import graph_module
from sam2lite.models.sam2.network import Sam2, SlotBankNetwork, build
from sam2lite.models.sam2.quantizable import quantized_layers
from sam2lite.models.sam2.reading.checkpoint import Checkpoint, read_checkpoint
from sam2lite.models.sam2.reading.recognition import is_sam2
from sam2lite.models.sam2.reference.loop import SlotBankReference

# Of the sides that are exported: far from those it was trained with, a network is of no use.
SMALLEST, LARGEST = 128, 2048
# Up to so many px: PyTorch's loop takes seconds a frame.
_EFFORTS = ((256, Effort()), (512, Effort(12, 16, 1)), (LARGEST, Effort(6, 8, 1)))


class SlotBankHost(HostFamily):
    """What SAM 2 and the families that are built on it have in common on the host."""

    # Rounded to bfloat16, as it is stored, memory turns a last bit into one of eight.
    parity_settings = MappingProxyType({"memory_dtype": "float32"})

    def check_size(self, config: Config, size: int) -> None:
        """See `Networks`: a multiple of what the configuration says."""
        assert isinstance(config, SlotBankConfig)
        check_multiple(size, config.size_step, max(SMALLEST, config.size_step), LARGEST)

    def effort(self, size: int) -> Effort:
        """See `Networks`."""
        return next(effort for largest, effort in _EFFORTS if size <= largest)

    def module(self, network: nn.Module, graph: str) -> nn.Module:
        """See `Networks`: graphs share parts, so a graph's module is made when it is asked for."""
        assert isinstance(network, SlotBankNetwork)
        return graph_module(network, graph)

    def fused(self, network: nn.Module) -> SlotBankNetwork:
        """See `Networks`."""
        assert isinstance(network, SlotBankNetwork)
        return fused(network)

    def quantized_layers(self, network: nn.Module) -> dict[str, nn.Module]:
        """See `Networks`."""
        assert isinstance(network, SlotBankNetwork)
        return quantized_layers(network)

    def core_ml_form(self, module: nn.Module, inputs: Sequence[Tensor]) -> nn.Module:
        """See `Networks`."""
        return core_ml_form(module, inputs)

    def reference(
        self, network: nn.Module, choose: Choice | None = None, **settings: Any
    ) -> SlotBankReference:
        """See `Networks`; the settings are those of `reference.settings.Settings`."""
        assert isinstance(network, SlotBankNetwork)
        return SlotBankReference(network, choose, **settings)

    def loaded(self, found: Checkpoint, build: Callable[[Any], SlotBankNetwork]) -> LoadedModel:
        """Return what was read as a network, which takes its weights over."""
        with torch.device("meta"):
            made = build(found.config)
        made.load_state_dict(found.state, assign=True)
        return LoadedModel(made.eval(), found.config, found.licence, OWN, found.sha256, self)


class Sam2Family(SlotBankHost):
    """The four published sizes in both versions, and whatever has the same parts.

    None of them is asked for by its name: their weights do not come with the package, and random
    ones are not what anybody means by it.
    """

    family = FAMILY

    def recognises(self, keys: Collection[str], config: Mapping[str, Any] | None) -> bool:
        """See `HostFamily`: Hiera's trunk and a memory, by the keys of Meta or Hugging Face."""
        return is_sam2(keys, config)

    def load(self, path: Path) -> LoadedModel:
        """See `HostFamily`; the errors are those of `read_checkpoint`."""
        return self.loaded(read_checkpoint(path), Sam2)

    def build(self, name: str, seed: int) -> LoadedModel:
        """See `HostFamily`."""
        config = PUBLISHED[name]
        return self.untrained(build(config, seed), config)


HOST = Sam2Family()
