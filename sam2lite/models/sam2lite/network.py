"""The whole network: four modules, one for each graph."""

from __future__ import annotations

import copy

import torch
from torch import nn

from sam2lite.models.sam2lite.blocks import ConvBn
from sam2lite.models.sam2lite.config import Sam2LiteConfig
from sam2lite.models.sam2lite.image_encoder import ImageEncoder
from sam2lite.models.sam2lite.mask_decoder import MaskDecoder
from sam2lite.models.sam2lite.memory_encoder import MemoryEncoder
from sam2lite.models.sam2lite.memory_select import MemorySelect


class Sam2Lite(nn.Module):
    """A promptable video segmenter, as modules named like the graphs they are exported to."""

    def __init__(self, config: Sam2LiteConfig) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = ImageEncoder(config)
        self.mask_decoder = MaskDecoder(config)
        self.memory_encoder = MemoryEncoder(config)
        self.memory_select = MemorySelect()

    def parameter_counts(self) -> dict[str, int]:
        """Return the number of parameters of each module, and their `total`."""
        counts = {
            name: sum(parameter.numel() for parameter in module.parameters())
            for name, module in self.named_children()
        }
        return {**counts, "total": sum(counts.values())}

    def fused(self) -> Sam2Lite:
        """Return a copy for inference: batch norms and identities folded into convolutions."""
        model = copy.deepcopy(self)
        for module in list(model.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, ConvBn):
                    setattr(module, name, child.fused())
        return model.eval().requires_grad_(False)  # the new convolutions too


def build(config: Sam2LiteConfig, seed: int = 0) -> Sam2Lite:
    """Construct an untrained network; the same seed gives the same weights.

    The global random state of torch is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        # Unlike torch.manual_seed, this leaves the generators of other devices alone.
        torch.default_generator.manual_seed(seed)
        return Sam2Lite(config).eval()
