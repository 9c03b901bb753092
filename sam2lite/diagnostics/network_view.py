"""What a network in PyTorch gives of a frame: the outputs of any of its image encoder's modules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sam2lite.diagnostics.maps import TokenMap, View, token_map
from sam2lite.runtimes.geometry import network_input

if TYPE_CHECKING:
    from torch import nn

    from sam2lite.models.loaded import LoadedModel


def network_view(model: LoadedModel, frame_bgr: NDArray[np.uint8], size: int) -> View:
    """Encode a frame in PyTorch and return every map on the way, in the order of computing.

    Names are the paths of modules within the image encoder, such as `stages.2.blocks.0`, and those
    of the encoder's own outputs.

    Args:
        model: the network.
        frame_bgr: uint8 [height, width, 3].
        size: width of the input, px.

    Raises:
        ArgumentError: the network does not take the size, or a number is not finite.
    """
    import torch

    model.check_size(size)
    encoder = model.module(model.family.image_encoder.name).eval()
    image = torch.from_numpy(network_input(frame_bgr, size, aspect=model.aspect))
    arrays: dict[str, NDArray[Any]] = {}
    with torch.no_grad(), _recording(encoder, arrays):
        outputs = encoder(image)
    whole = outputs if isinstance(outputs, Sequence) else (outputs,)
    for tensor, output in zip(model.family.image_encoder.outputs, whole, strict=True):
        arrays[tensor.name] = output.numpy()
    maps: dict[str, TokenMap] = {}
    for name, array in arrays.items():
        found = token_map(array, model.aspect)
        if found is not None:
            maps[name] = found
    return View(f"{model.name} in PyTorch, {model.aspect.sides_text(size)} px", maps)


def block_names(model: LoadedModel) -> list[str]:
    """Return the paths of the image encoder's blocks: what stands in a list and has parts."""
    from torch import nn

    encoder = model.module(model.family.image_encoder.name)
    return [
        f"{path}.{name}" if path else name
        for path, module in encoder.named_modules()
        if isinstance(module, nn.ModuleList)
        for name, item in module.named_children()
        if any(item.children())
    ]


@contextmanager
def _recording(encoder: nn.Module, arrays: dict[str, NDArray[Any]]) -> Iterator[None]:
    """Take down what every module gives, by its path."""
    handles = []
    for path, module in encoder.named_modules():
        if not path:
            continue

        def keep(_module: nn.Module, _inputs: Any, output: Any, path: str = path) -> None:
            # A block may give its grid beside its tokens.
            first = output[0] if isinstance(output, tuple) else output
            if hasattr(first, "numpy"):
                arrays[path] = first.numpy()

        handles.append(module.register_forward_hook(keep))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
