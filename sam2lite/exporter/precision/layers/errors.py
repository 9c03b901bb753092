"""What each layer's own output loses in INT8, for the table that a bundle has of its layers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sam2lite.calibration.observers import Range
    from sam2lite.calibration.recorder import Recording
    from sam2lite.models.loaded import LoadedModel

MOST_CALLS = 4  # of a graph, spread over those recorded at the size


def int8_errors(
    fused: LoadedModel, graph: str, spans: Mapping[str, Range], recording: Recording, size: int
) -> dict[str, float]:
    """Return the error of layers' outputs as a share of their power, by path.

    Args:
        fused: the network, as it is exported.
        graph: whose calls are run.
        spans: of the layers' inputs, by the layers' paths; all of the graph.
        recording: of the network.
        size: of the input, px.
    """
    import torch

    layers = fused.quantized_layers()
    watched = {path: _Lost(span) for path, span in spans.items()}
    module = fused.module(graph)
    with torch.no_grad(), ExitStack() as stack:
        for path, lost in watched.items():
            stack.callback(layers[path].register_forward_hook(lost.see).remove)
        for inputs in recording.sample(graph, size, MOST_CALLS):
            module(*inputs)
    return {path: lost.share for path, lost in watched.items()}


class _Lost:
    """The power of a layer's output, and of what INT8 adds to it."""

    def __init__(self, span: Range) -> None:
        import torch

        self._least, self._greatest = torch.tensor(span[0]), torch.tensor(span[1])
        self._error, self._power = 0.0, 0.0

    def see(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Take in a call of the layer."""
        from sam2lite.training.quantization import int8_output

        found = int8_output(layer, inputs[0], self._least, self._greatest)
        self._error += float((found - output).double().square().sum())
        self._power += float(output.double().square().sum())

    @property
    def share(self) -> float:
        return self._error / self._power if self._power > 0.0 else 0.0
