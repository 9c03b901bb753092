"""CAS-ViT's attention for inference: queries and keys go through the same layers together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2lite.models.backbones.trunks.casvit import AdditiveAttention


class JoinedAttention(nn.Module):
    """`AdditiveAttention` of one image, with batch norms in its convolutions.

    A graph has 20 nodes of it, where `chunk` and two paths would be 40.
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
        (spread, gate), (share,) = (
            [[path.get_submodule(name) for path in paths] for name in names]
            for names in (("0.block.0", "0.block.3"), ("1.block.1",))
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
        self.share = _side_by_side(share, nn.Conv2d(both, both, 1, groups=2, bias=False))
        self.dwc, self.proj = attention.dwc, attention.proj
        self.requires_grad_(False)

    def forward(self, x_1chw: Tensor) -> Tensor:
        """Return the same shape."""
        channels, height, width = (int(side) for side in x_1chw.shape[1:])
        qk_1chw = self.qk(x_1chw)
        gate_12hw = torch.sigmoid(self.gate(torch.relu(self.spread(qk_1chw))))
        # From here on queries and keys lie along the first axis.
        gated_2chw = qk_1chw.reshape(2, channels, height, width) * gate_12hw.reshape(
            2, 1, height, width
        )
        mean_1c11 = gated_2chw.mean((2, 3)).reshape(1, 2 * channels, 1, 1)
        share_2c11 = torch.sigmoid(self.share(mean_1c11)).reshape(2, channels, 1, 1)
        sum_1chw = (gated_2chw * share_2c11).sum(0, keepdim=True)
        result: Tensor = self.proj(self.dwc(sum_1chw) * self.v(x_1chw))
        return result


def _side_by_side(parts: list[nn.Module], made: nn.Conv2d) -> nn.Conv2d:
    """Return a convolution that does to each half of the channels what a part does."""
    states = [part.state_dict() for part in parts]
    made.load_state_dict({name: torch.cat([s[name] for s in states]) for name in states[0]})
    return made
