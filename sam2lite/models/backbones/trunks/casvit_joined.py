"""CAS-ViT's attention for inference: queries and keys go through the same layers together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2lite.models.backbones.trunks.casvit import AdditiveAttention

_PARTS = {"qkv": ("qk", "v")}  # layers here, by those of `AdditiveAttention`


class JoinedAttention(nn.Module):
    """`AdditiveAttention` of one image, with batch norms in its convolutions.

    A graph has 18 nodes of it, where `chunk` and two paths would be 40.
    """

    def __init__(self, attention: AdditiveAttention) -> None:
        """Build it.

        Args:
            attention: whose convolutions have batch norms in them, and a bias.
        """
        super().__init__()
        channels = attention.dwc.in_channels
        both = 2 * channels
        paths = attention.oper_q, attention.oper_k
        spread, gate, share = (
            [path.get_submodule(name) for path in paths]
            for name in ("0.block.0", "0.block.3", "1.block.1")
        )
        qkv = attention.qkv
        assert qkv.bias is not None
        self.qk = nn.Conv2d(channels, both, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        for conv, rows in ((self.qk, slice(both)), (self.v, slice(both, None))):
            assert conv.bias is not None
            conv.load_state_dict({"weight": qkv.weight[rows], "bias": qkv.bias[rows]})
        self.spread = _side_by_side(spread, nn.Conv2d(both, both, 3, 1, 1, groups=both))
        self.gate = _side_by_side(gate, nn.Conv2d(both, 2, 1, groups=2, bias=False))
        matrices = [each.get_parameter("weight")[..., 0, 0] for each in share]
        self.share_2cc = nn.Parameter(torch.stack(matrices).detach())
        self.dwc, self.proj = attention.dwc, attention.proj
        self.requires_grad_(False)

    def forward(self, x_1chw: Tensor) -> Tensor:
        """Return the same shape."""
        channels, height, width = (int(side) for side in x_1chw.shape[1:])
        cells = height * width
        qk_1chw = self.qk(x_1chw)
        gate_12hw = torch.sigmoid(self.gate(torch.relu(self.spread(qk_1chw))))
        # From here on queries and keys lie along the first axis.
        gated_2cn = qk_1chw.reshape(2, channels, cells) * gate_12hw.reshape(2, 1, cells)
        share_2c1 = torch.sigmoid(self.share_2cc @ gated_2cn.mean(2, keepdim=True))
        sum_1cn = (gated_2cn * share_2c1).sum(0, keepdim=True)
        beside_1chw = self.dwc(sum_1cn.reshape(1, channels, height, width))
        result: Tensor = self.proj(beside_1chw * self.v(x_1chw))
        return result


def joined_names(path: str) -> list[str]:
    """Return what a layer of `AdditiveAttention` is called here, by paths: it may go in two."""
    within, dot, name = path.rpartition(".")
    return [within + dot + part for part in _PARTS.get(name, (name,))]


def _side_by_side(parts: list[nn.Module], made: nn.Conv2d) -> nn.Conv2d:
    """Return a convolution that does to each half of the channels what a part does."""
    states = [part.state_dict() for part in parts]
    made.load_state_dict({name: torch.cat([s[name] for s in states]) for name in states[0]})
    return made
