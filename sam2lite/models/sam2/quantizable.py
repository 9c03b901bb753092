"""Which layers of a network may be computed in INT8."""

from __future__ import annotations

from torch import nn

from sam2lite.models.sam2.graphs import graph_module
from sam2lite.models.sam2.network import SlotBankNetwork


def quantized_layers(network: SlotBankNetwork) -> dict[str, nn.Module]:
    """Return convolutions and linear layers by graph and path, of a network fused or not.

    A layer that several graphs share is there once for each of them.
    """
    return {
        f"{graph.name}.{path}": module
        for graph in network.config.layout.graphs()
        for path, module in graph_module(network, graph.name).named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    }
