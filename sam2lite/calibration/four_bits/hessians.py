"""How the inputs of linear layers vary together, from recorded calls of the running loop."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from sam2lite.calibration.four_bits.grid import Floats
from sam2lite.calibration.recorder import Recording
from sam2lite.errors import CalibrationError
from sam2lite.files.staging import cached_folder
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.tensor_files import claimed_tensors

FORMAT = 1
_FILE = "hessians.safetensors"
_REMEDY = "delete its folder, and it is made again"

Hessians = dict[str, Floats]


class _Sum:
    """Sum of `x x^T` over rows of inputs."""

    def __init__(self) -> None:
        self.total: Tensor | None = None
        self.rows = 0

    def see(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        rows = inputs[0].detach().reshape(-1, inputs[0].shape[-1]).float()
        product = rows.T @ rows
        self.total = product if self.total is None else self.total + product
        self.rows += len(rows)


def hessians(
    loaded: LoadedModel,
    recording: Recording,
    paths: Collection[str],
    cache: Path,
    report: Callable[[str], None] = lambda graph: None,
) -> Hessians:
    """Return the mean of `x x^T` over all inputs of each layer, by its path, or find them again.

    Args:
        loaded: the network that was recorded, not fused.
        recording: of it.
        paths: of linear layers. Those that no call reaches are left out.
        cache: folder in which they are kept, by what they are made from.
        report: told the name of each graph when it is done.

    Raises:
        CalibrationError: what is in the cache is damaged.
        OutputError: the cache cannot be written.
    """
    folder = cache / _key(loaded, recording, paths)
    if not folder.is_dir():
        found = _collected(loaded, recording, paths, report)
        with cached_folder(folder) as staging:
            safetensors.torch.save_file(found, staging / _FILE)
    path = folder / _FILE
    claimed_tensors(path, CalibrationError, _REMEDY)
    try:
        return {name: value.numpy() for name, value in safetensors.torch.load_file(path).items()}
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        raise CalibrationError(f"{path} cannot be read ({error}); {_REMEDY}") from None


def _collected(
    loaded: LoadedModel,
    recording: Recording,
    paths: Collection[str],
    report: Callable[[str], None],
) -> dict[str, Tensor]:
    fused = loaded.fused()
    layers = {path: layer for path, layer in fused.quantized_layers().items() if path in paths}
    sums = {layer: _Sum() for layer in layers.values()}  # graphs may share layers
    with torch.no_grad(), ExitStack() as stack:
        for layer, found in sums.items():
            stack.callback(layer.register_forward_pre_hook(partial(_Sum.see, found)).remove)
        for graph in loaded.family.graphs:
            for _, inputs in recording.calls(graph.name):
                fused.module(graph.name)(*inputs)
            report(graph.name)
    means: dict[str, Tensor] = {}
    for path, layer in layers.items():
        found = sums[layer]
        if found.total is not None and found.rows:
            means[path] = (found.total / found.rows).contiguous().clone()
    return means


def _key(loaded: LoadedModel, recording: Recording, paths: Collection[str]) -> str:
    parts = [FORMAT, loaded.sha256, recording.folder.name, sorted(paths)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
