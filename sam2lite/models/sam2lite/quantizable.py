"""Which layers of a network are computed in INT8, and which stay in float whatever is asked."""

from __future__ import annotations

from torch import nn

from sam2lite.models.sam2lite.blocks import ConvBn, FewQueriesAttention
from sam2lite.models.sam2lite.memory_select import MemorySelect

Layer = ConvBn | nn.Conv2d | nn.Linear


def quantized_layers(model: nn.Module) -> dict[str, Layer]:
    """Return the layers that may run in INT8, by path, of a network fused or not.

    In float stay the products of attention (q k^T, softmax, a v), normalisation, coordinates, and
    the whole of `memory_select`. The key projection of `FewQueriesAttention` is absorbed into
    q k^T, so it stays in float as well.
    """
    left_out: set[nn.Module] = set()
    for module in model.modules():
        if isinstance(module, ConvBn):
            left_out.update(module.children())
        elif isinstance(module, FewQueriesAttention):
            left_out.add(module.k)
        elif isinstance(module, MemorySelect):
            left_out.update(module.modules())
    return {
        path: module
        for path, module in model.named_modules()
        if isinstance(module, Layer) and module not in left_out
    }
