"""Blocks shared by the encoder, the decoder and the memory encoder."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class ConvBn(nn.Module):
    """Convolution and batch norm; with `residual`, a depthwise one added to its input.

    After `fused` the three are one convolution: the batch norm scales the kernel, and the identity
    is a one at the kernel's centre (the re-parameterisation of RepVGG, Ding et al. 2021, sec. 3.3).
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        stride: int = 1,
        depthwise: bool = False,
        residual: bool = False,
        init_scale: float = 1.0,
    ) -> None:
        super().__init__()
        groups = c_in if depthwise else 1
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(c_out)
        self.residual = residual
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_in", nonlinearity="relu")
        nn.init.constant_(self.bn.weight, init_scale)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Convolve.

        Shape: `[b, c_in, h, w]` -> `[b, c_out, h/stride, w/stride]`, rounded up.
        """
        y_bchw: Tensor = self.bn(self.conv(x_bchw))
        return x_bchw + y_bchw if self.residual else y_bchw

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the one convolution, with gradients to what they are made of.

        Shape: `[c_out, c_in / groups, kernel, kernel]` and `[c_out]`.
        """
        conv, bn = self.conv, self.bn
        assert bn.running_var is not None and bn.running_mean is not None
        scale_c = bn.weight / torch.sqrt(bn.running_var + bn.eps)
        weight = conv.weight * scale_c[:, None, None, None]
        if self.residual:
            centre = conv.kernel_size[0] // 2
            weight[:, 0, centre, centre] += 1.0
        return weight, bn.bias - bn.running_mean * scale_c

    def fused(self) -> nn.Conv2d:
        """Return one convolution that equals this module in evaluation mode."""
        conv = self.conv
        fused = nn.Conv2d(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,  # type: ignore[arg-type]
            conv.stride,  # type: ignore[arg-type]
            conv.padding,  # type: ignore[arg-type]
            groups=conv.groups,
            device=conv.weight.device,
            dtype=conv.weight.dtype,
        )
        assert fused.bias is not None
        with torch.no_grad():
            weight, bias = self.folded()
            fused.weight.copy_(weight)
            fused.bias.copy_(bias)
        return fused


class ConvBlock(nn.Module):
    """Depthwise 3x3 for space, then a pointwise MLP for channels, both residual.

    The layout of RepViT (Wang et al. 2024) without squeeze-and-excitation and with ReLU: in INT8 on
    a CPU it runs 1.5x faster than the same block with GELU.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.space = ConvBn(width, width, 3, depthwise=True, residual=True, init_scale=0.5)
        self.expand = ConvBn(width, hidden, 1)
        self.project = ConvBn(hidden, width, 1, init_scale=0.5)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Mix. Shape: `[b, width, h, w]` in and out."""
        x_bchw = self.space(x_bchw)
        y_bchw: Tensor = self.project(torch.relu(self.expand(x_bchw)))
        return x_bchw + y_bchw


def split_heads(x_bnc: Tensor, heads: int) -> Tensor:
    """Shape: `[b, n, heads*c]` -> `[b, heads, n, c]`."""
    b, n, c = x_bnc.shape
    return x_bnc.reshape(b, n, heads, c // heads).transpose(1, 2)


def merge_heads(x_bhnc: Tensor) -> Tensor:
    """Shape: `[b, heads, n, c]` -> `[b, n, heads*c]`."""
    b, h, n, c = x_bhnc.shape
    return x_bhnc.transpose(1, 2).reshape(b, n, h * c)


def attend(
    q_bhnc: Tensor, k_bhmc: Tensor, v_bhmc: Tensor, bias_b11m: Tensor | None = None
) -> Tensor:
    """Return softmax(q k^T + bias) v; the scale must be in q already.

    Written out as two MatMuls and a Softmax rather than as one fused call, so that it exports to
    opset 13 and so that calibration can keep exactly these nodes in float.

    Shape: q `[b, h, n, c]`, k and v `[b, h, m, c]`, bias `[b, 1, 1, m]` -> `[b, h, n, c]`; h may be
    missing where there is no bias.
    """
    scores_bhnm = q_bhnc @ k_bhmc.transpose(-1, -2)
    if bias_b11m is not None:
        scores_bhnm = scores_bhnm + bias_b11m
    return torch.softmax(scores_bhnm, dim=-1) @ v_bhmc


class SelfAttention(nn.Module):
    """Multi-head attention of tokens to each other, or to fewer, pooled ones."""

    def __init__(self, dim: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (inner // heads) ** -0.5
        self.q = nn.Linear(dim, inner)
        self.k = nn.Linear(dim, inner)
        self.v = nn.Linear(dim, inner)
        self.out = nn.Linear(inner, dim)

    def forward(self, q_bnc: Tensor, kv_bmc: Tensor, bias_b11m: Tensor | None = None) -> Tensor:
        """Attend. Shape: `[b, n, dim]` and `[b, m, dim]` -> `[b, n, dim]`."""
        read_bhnc = attend(
            split_heads(self.q(q_bnc) * self.scale, self.heads),
            split_heads(self.k(kv_bmc), self.heads),
            split_heads(self.v(kv_bmc), self.heads),
            bias_b11m,
        )
        out_bnc: Tensor = self.out(merge_heads(read_bhnc))
        return out_bnc


class FewQueriesAttention(nn.Module):
    """Multi-head attention from a few queries to many tokens, without projecting the tokens.

    q (W_k x)^T = (q W_k) x^T, and a weighted sum of W_v x is W_v times the weighted sum of x: with
    14 queries and 900 tokens it is cheaper to project the queries and the read-outs instead. The
    same function as projecting keys and values (their biases cancel in the softmax, or add up to a
    bias of the output), at under half the multiplications.
    """

    def __init__(self, dim: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (inner // heads) ** -0.5
        self.q = nn.Linear(dim, inner)
        self.k = nn.Linear(inner // heads, heads * dim, bias=False)
        self.v = nn.Linear(heads * dim, dim)

    def forward(self, q_bqc: Tensor, k_bnc: Tensor, v_bnc: Tensor) -> Tensor:
        """Attend. Shape: queries `[b, q, dim]`, tokens `[b, n, dim]` -> `[b, q, dim]`."""
        dim = q_bqc.shape[-1]
        q_bhqc = split_heads(self.q(q_bqc) * self.scale, self.heads)
        # One matrix [heads, c, dim]: every head has its own key projection, applied to the query.
        k_hcd = self.k.weight.reshape(self.heads, dim, -1).transpose(1, 2)
        absorbed_bhqd = q_bhqc @ k_hcd
        # Heads see the same tokens now, so their queries are simply more queries.
        read_bnd = attend(absorbed_bhqd.flatten(1, 2), k_bnc, v_bnc)
        out_bqc: Tensor = self.v(merge_heads(read_bnd.reshape(absorbed_bhqd.shape)))
        return out_bqc


class Mlp(nn.Module):
    """Linear layers with ReLU between them."""

    def __init__(self, *dims: int) -> None:
        super().__init__()
        pairs = list(pairwise(dims))
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairs[:-1])
        self.last = nn.Linear(*pairs[-1])

    def forward(self, x_bnc: Tensor) -> Tensor:
        """Map the last axis from the first of `dims` to the last."""
        for layer in self.hidden:
            x_bnc = torch.relu(layer(x_bnc))
        out_bnc: Tensor = self.last(x_bnc)
        return out_bnc


def tokens_from_map(x_bchw: Tensor) -> Tensor:
    """Flatten a map row by row. Shape: `[b, c, h, w]` -> `[b, h*w, c]`.

    Channels move last before the axes merge, here and below: to a runtime that keeps its maps
    channels-last, as INT8 ones do, neither costs anything then.
    """
    return x_bchw.permute(0, 2, 3, 1).flatten(1, 2)


def map_from_tokens(x_bnc: Tensor, height: int, width: int) -> Tensor:
    """Undo `tokens_from_map`. Shape: `[b, h*w, c]` -> `[b, c, h, w]`."""
    b, _, c = x_bnc.shape
    return x_bnc.reshape(b, height, width, c).permute(0, 3, 1, 2)


def sub_pixel(x_bchw: Tensor) -> Tensor:
    """Double a map's sides by giving each of a pixel's four quarters to one of four new pixels.

    The sub-pixel step of Shi et al. 2016 (sec. 3.2), its channels ordered quarter by quarter, row
    by row. So whole runs of channels move, and no runtime needs an operator for it.

    Shape: `[b, 4*c, h, w]` -> `[b, c, 2*h, 2*w]`.
    """
    b, c, h, w = x_bchw.shape
    x_bhwc = x_bchw.permute(0, 2, 3, 1).reshape(b * h, w, 2, c // 2)
    return x_bhwc.transpose(1, 2).reshape(b, 2 * h, 2 * w, c // 4).permute(0, 3, 1, 2)


def patches(x_b1hw: Tensor, side: int) -> Tensor:
    """Make the pixels of every square patch its channels.

    Shape: `[b, 1, h, w]` -> `[b, side*side, h/side, w/side]`.
    """
    b, _, h, w = x_b1hw.shape
    x_bhwc = x_b1hw.reshape(b * h // side, side, w // side, side).transpose(1, 2)
    return x_bhwc.reshape(b, h // side, w // side, side * side).permute(0, 3, 1, 2)
