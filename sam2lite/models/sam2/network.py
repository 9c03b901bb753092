"""A SAM 2 network: modules and parameters have the names that Meta's checkpoints have."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2lite.contracts.families.sam2 import EMBED_CHANNELS, MEMORY_CHANNELS, TIME_ROWS
from sam2lite.models.sam2.blocks import Mlp
from sam2lite.models.sam2.config import Sam2Config, SlotBankConfig
from sam2lite.models.sam2.image_encoder import ImageEncoder
from sam2lite.models.sam2.mask_decoder import MaskDecoder
from sam2lite.models.sam2.memory_attention import MemoryAttention
from sam2lite.models.sam2.memory_encoder import Cells, MemoryEncoder
from sam2lite.models.sam2.positions import cell_places
from sam2lite.models.sam2.prompt_encoder import PromptEncoder

_MASK_STRIDE = 4
_PRESENCE = 2.0  # logit that random networks add to the object score


class SlotBankNetwork(nn.Module):
    """The parts that SAM 2 and the families that are built on it have in common.

    `graphs.py` has what each exported graph computes with them.

    Attributes:
        config: what it was built from.
        for_inference: whether it is a copy that `fused` has made.
    """

    places = staticmethod(cell_places)  # of a frame's memory, on a grid of some height and width

    def __init__(self, config: SlotBankConfig, image_encoder: nn.Module) -> None:
        """Build the parts.

        Args:
            config: says which there are.
            image_encoder: from a normalised image to maps of 256 channels, finest first.
        """
        super().__init__()
        self.config = config
        self.for_inference = False
        width = EMBED_CHANNELS
        self.image_encoder = image_encoder
        self.memory_attention = MemoryAttention(config.attention_layers)
        self.memory_encoder = MemoryEncoder()
        self.sam_prompt_encoder = PromptEncoder()
        self.sam_mask_decoder = MaskDecoder(config.layout.high_res)
        self.obj_ptr_proj = Mlp(width, width, width, width)
        self.mask_downsample = nn.Conv2d(1, 1, _MASK_STRIDE, stride=_MASK_STRIDE)
        self.maskmem_tpos_enc = nn.Parameter(torch.zeros(TIME_ROWS, 1, 1, MEMORY_CHANNELS))
        self.no_mem_embed = nn.Parameter(torch.zeros(1, 1, width))
        self.no_mem_pos_enc = nn.Parameter(torch.zeros(1, 1, width))  # of checkpoints, not used
        self.no_obj_ptr = nn.Parameter(torch.zeros(1, width))
        self.no_obj_embed_spatial: nn.Parameter | None = None
        self.obj_ptr_tpos_proj: nn.Linear | None = None
        if config.occlusion_embedding:
            self.no_obj_embed_spatial = nn.Parameter(torch.zeros(1, MEMORY_CHANNELS))
        if config.pointer_time:
            self.obj_ptr_tpos_proj = nn.Linear(width, MEMORY_CHANNELS)

    def resampler(self) -> nn.Module:
        """Return what makes a frame's tokens `[1, N, 64]` of its memory `[1, 64, H16, W16]`."""
        return Cells()


class Sam2(SlotBankNetwork):
    """A network of SAM 2 or 2.1."""

    config: Sam2Config

    def __init__(self, config: Sam2Config) -> None:
        super().__init__(config, ImageEncoder(config.trunk))


def build(config: Sam2Config, seed: int = 0) -> Sam2:
    """Return a network with random weights, in evaluation mode; the same seed gives the same.

    No tensor is left at zero or one, so that a part that is missing from a graph shows. What is
    pointed at is mostly judged present: a loop over empty masks would say nothing.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Sam2(config)
        randomise(network)
    return network.eval()


def randomise(network: SlotBankNetwork) -> None:
    """Give a network random weights; see `build`."""
    for name, parameter in network.named_parameters():
        _randomise(name, parameter)
    bias = network.sam_mask_decoder.get_parameter("pred_obj_score_head.layers.2.bias")
    nn.init.constant_(bias, _PRESENCE)


@torch.no_grad()
def _randomise(name: str, parameter: Tensor) -> None:
    if parameter.dim() >= 2 and name.endswith("weight") and "embed" not in name:
        # Keeps the variance of what goes through a layer.
        parameter.normal_(std=(parameter[0].numel()) ** -0.5)
    elif name.endswith("weight") and parameter.dim() == 1:
        parameter.normal_(1.0, 0.1)
    elif name.endswith("bias"):
        parameter.normal_(std=0.1)
    else:
        parameter.normal_(std=0.5)
