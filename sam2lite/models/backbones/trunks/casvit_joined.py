"""CAS-ViT's attention for inference: queries and keys go through the same layers together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2lite.models.backbones.trunks.casvit import AdditiveAttention

_PARTS = {"qkv": ("qk", "v")}  # layers here, by those of `AdditiveAttention`


class JoinedAttention(nn.Module):
    """`AdditiveAttention` of one image, with batch norms in its convolutions.

    A query's channel lies beside the key's, so that to scale both and to add them is one product of
    matrices. A graph has 19 nodes of it, where `chunk` and two paths would be 40.
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
            [path.get_submodule(name).state_dict() for path in paths]
            for name in ("0.block.0", "0.block.3", "1.block.1")
        )
        weight, bias = attention.qkv.state_dict().values()
        query, key, value = (
            {"weight": rows, "bias": shift}
            for rows, shift in zip(weight.chunk(3), bias.chunk(3), strict=True)
        )
        self.qk = nn.Conv2d(channels, both, 1)
        self.qk.load_state_dict(_beside(query, key))
        self.v = nn.Conv2d(channels, channels, 1)
        self.v.load_state_dict(value)
        self.spread = nn.Conv2d(both, both, 3, 1, 1, groups=both)
        self.spread.load_state_dict(_beside(*spread))
        self.gate = nn.Conv2d(both, 2, 1, bias=False)
        self.gate.load_state_dict({"weight": _each_of_its_own(gate)[..., None, None]})
        self.share = nn.Linear(both, both, bias=False)
        self.share.load_state_dict({"weight": _each_of_its_own(share)})
        self.dwc, self.proj = attention.dwc, attention.proj
        self.requires_grad_(False)

    def forward(self, x_1chw: Tensor) -> Tensor:
        """Return the same shape."""
        channels, height, width = (int(side) for side in x_1chw.shape[1:])
        cells = height * width
        qk_1dhw = self.qk(x_1chw)
        gate_12hw = torch.sigmoid(self.gate(torch.relu(self.spread(qk_1dhw))))
        # From here on there is an axis of queries and keys behind that of channels.
        gated_c2n = qk_1dhw.reshape(channels, 2, cells) * gate_12hw.reshape(1, 2, cells)
        share_1d = torch.sigmoid(self.share(gated_c2n.mean(2).reshape(1, 2 * channels)))
        sum_c1n = share_1d.reshape(channels, 1, 2) @ gated_c2n
        beside_1chw = self.dwc(sum_c1n.reshape(1, channels, height, width))
        result: Tensor = self.proj(beside_1chw * self.v(x_1chw))
        return result


def joined_names(path: str) -> list[str]:
    """Return what a layer of `AdditiveAttention` is called here, by paths: it may go in two."""
    within, dot, name = path.rpartition(".")
    return [within + dot + part for part in _PARTS.get(name, (name,))]


def _beside(query: dict[str, Tensor], key: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the numbers of two layers as one's, rows in turn."""
    return {name: torch.stack([query[name], key[name]], 1).flatten(0, 1) for name in query}


def _each_of_its_own(states: list[dict[str, Tensor]]) -> Tensor:
    """Return the weights of two layers of single cells as one's, rows and columns in turn.

    Shape: `[2 * out, 2 * in]`, with zeros where one would read what is the other's.
    """
    query, key = (state["weight"][..., 0, 0] for state in states)
    made = query.new_zeros(2 * query.shape[0], 2 * query.shape[1])
    made[0::2, 0::2], made[1::2, 1::2] = query, key
    return made
