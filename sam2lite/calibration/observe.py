"""From recorded calls to a range for every tensor that INT8 will hold."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor, nn

from sam2lite.calibration.observers import OBSERVERS, Observer, Range
from sam2lite.calibration.recorder import Recording
from sam2lite.errors import UnknownNameError
from sam2lite.models.loaded import LoadedModel


def observe(
    loaded: LoadedModel,
    recording: Recording,
    observer: str,
    report: Callable[[str], None] = lambda graph: None,
) -> dict[str, Range]:
    """Run the graphs on recorded calls and reduce the inputs and outputs of every layer.

    Args:
        loaded: the network that was recorded, not fused.
        recording: of it.
        observer: name in `OBSERVERS`.
        report: told the name of each graph when it is done.

    Returns:
        Ranges by `<module path>:input` and `<module path>:output`, for all rungs together. Tensors
        that held nothing but zeros have none.

    Raises:
        UnknownNameError: there is no such observer.
    """
    if observer not in OBSERVERS:
        raise UnknownNameError("observer", observer, OBSERVERS)
    fused = loaded.fused()
    layers = fused.quantized_layers()
    # Graphs may share layers, which then have several paths: each is watched once.
    ends = {layer: (OBSERVERS[observer](), OBSERVERS[observer]()) for layer in layers.values()}
    with torch.no_grad(), ExitStack() as stack:
        for layer, (source, result) in ends.items():
            hook = partial(_see, source, result)
            stack.callback(layer.register_forward_hook(hook).remove)
        for graph in loaded.family.graphs:
            for _, inputs in recording.calls(graph.name):
                fused.module(graph.name)(*inputs)
            report(graph.name)
    spans = {layer: (source.range(), result.range()) for layer, (source, result) in ends.items()}
    ranges = {
        f"{path}:{end}": span
        for path, layer in layers.items()
        for end, span in zip(("input", "output"), spans[layer], strict=True)
    }
    return {key: span for key, span in ranges.items() if span != (0.0, 0.0)}


def _see(
    source: Observer, result: Observer, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor
) -> None:
    for observer, tensor in ((source, inputs[0]), (result, output)):
        if tensor.numel():
            observer.observe(tensor)
