"""What linear layers are fed, from recorded calls of the running loop."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from sam2lite.calibration.four_bits.inputs import LayerInputs
from sam2lite.calibration.recorder import Recording
from sam2lite.errors import CalibrationError
from sam2lite.files.staging import cached_folder
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.tensor_files import claimed_tensors

FORMAT = 2
WHOLE = (0.0, 1.0)
_FILE = "inputs.safetensors"
_REMEDY = "delete its folder, and it is made again"
_MOST_SAMPLED = 384  # rows that are kept of a layer

_NAMES = ("product", "sum", "largest", "rows", "sample")

Sums = dict[str, Tensor]


class _Seen:
    """Sums over the rows of a layer's inputs, and some of the rows."""

    def __init__(self, calls: int) -> None:
        self._a_call = max(1, _MOST_SAMPLED // max(1, calls))
        self.product: Tensor | None = None
        self._sum, self._largest, self._rows = torch.zeros(0), torch.zeros(0), 0
        self._sample: list[Tensor] = []

    def see(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        rows = inputs[0].detach().reshape(-1, inputs[0].shape[-1]).float()
        if not len(rows):
            return
        if self.product is None:
            width = rows.shape[1]
            self.product = torch.zeros(width, width)
            self._sum, self._largest = torch.zeros(width), torch.zeros(width)
        self.product.addmm_(rows.T, rows)
        self._sum += rows.sum(dim=0)
        self._largest = torch.maximum(self._largest, rows.abs().amax(dim=0))
        self._rows += len(rows)
        self._sample.append(rows[:: -(-len(rows) // self._a_call)].clone())

    def sums(self, product: Tensor) -> Sums:
        return {
            "product": product,
            "sum": self._sum,
            "largest": self._largest,
            "rows": torch.tensor([self._rows]),
            "sample": torch.cat(self._sample)[:_MOST_SAMPLED],
        }


def layer_inputs(
    loaded: LoadedModel,
    recording: Recording,
    paths: Collection[str],
    cache: Path,
    report: Callable[[str], None] = lambda graph: None,
    part: tuple[float, float] = WHOLE,
) -> dict[str, LayerInputs]:
    """Return what each layer was fed, by its path, or find it again.

    Every graph is kept by itself as soon as its calls are done, so that what was broken off goes on
    where it was. Layers that graphs share have seen the calls of all of them.

    Args:
        loaded: the network that was recorded, not fused.
        recording: of it.
        paths: of linear layers. Those that no call reaches are left out.
        cache: folder in which sums are kept, by what they are made from.
        report: told the name of each graph after every call, and after a graph that was found.
        part: of each graph's calls, which are in the order of time: where it begins and ends, 0
            to 1.

    Raises:
        CalibrationError: what is in the cache is damaged, or there is no memory for a layer.
        OutputError: the cache cannot be written.
    """
    fused = loaded.fused()
    layers = {path: layer for path, layer in fused.quantized_layers().items() if path in paths}
    found: dict[nn.Module, list[Sums]] = {}
    for graph in loaded.family.graphs:
        calls = recording.count(graph.name)
        taken = range(round(part[0] * calls), round(part[1] * calls))
        module = fused.module(graph.name)
        inside = set(module.modules())
        # A layer is named by the first of its paths.
        own = {layer: path for path, layer in reversed(layers.items()) if layer in inside}
        if not own or not taken:
            continue
        folder = cache / _key(loaded, recording, [graph.name, *sorted(own.values()), *part])
        if not folder.is_dir():
            sums = _collected(module, graph.name, recording, own, taken, report)
            with cached_folder(folder) as staging:
                safetensors.torch.save_file(sums, staging / _FILE)
        else:
            report(graph.name)
        kept = _read(folder / _FILE)
        for layer, path in own.items():
            if f"{path}:product" in kept:
                entry = {name: kept[f"{path}:{name}"] for name in _NAMES}
                found.setdefault(layer, []).append(entry)
    merged = {layer: _merged(parts) for layer, parts in found.items()}
    return {path: merged[layer] for path, layer in layers.items() if layer in merged}


def _collected(
    module: nn.Module,
    graph: str,
    recording: Recording,
    layers: Mapping[nn.Module, str],
    taken: range,
    report: Callable[[str], None],
) -> Sums:
    seen = {layer: _Seen(len(taken)) for layer in layers}
    with torch.no_grad(), ExitStack() as stack:
        for layer, into in seen.items():
            stack.callback(layer.register_forward_pre_hook(partial(_Seen.see, into)).remove)
        for number, (_, inputs) in enumerate(recording.calls(graph)):
            if number not in taken:
                continue
            try:
                module(*inputs)
            except (MemoryError, RuntimeError) as error:
                if isinstance(error, RuntimeError) and "alloc" not in str(error):
                    raise
                widest = max(layers, key=lambda layer: int(getattr(layer, "in_features", 0)))
                raise CalibrationError(
                    f"there is no memory for the products of inputs of {len(layers)} layers of "
                    f"{graph} (the widest is {layers[widest]}, {widest.in_features} inputs); use "
                    "smaller --rungs, or keep layers in float with --keep-float"
                ) from None
            report(graph)
    return {
        f"{layers[layer]}:{name}": value.contiguous()
        for layer, into in seen.items()
        if into.product is not None
        for name, value in into.sums(into.product).items()
    }


def _merged(parts: list[Sums]) -> LayerInputs:
    rows = sum(int(part["rows"][0]) for part in parts)
    product = sum((part["product"] for part in parts[1:]), parts[0]["product"])
    total = sum((part["sum"] for part in parts[1:]), parts[0]["sum"])
    largest = torch.stack([part["largest"] for part in parts]).amax(dim=0)
    sample = torch.cat([part["sample"] for part in parts])
    step = -(-len(sample) // _MOST_SAMPLED)
    return LayerInputs(
        rows,
        np.asarray((product / rows).numpy(), np.float32),
        np.asarray((total / rows).numpy(), np.float32),
        np.asarray(largest.numpy(), np.float32),
        np.asarray(sample[::step].numpy(), np.float32),
    )


def _read(path: Path) -> Sums:
    claimed_tensors(path, CalibrationError, _REMEDY)
    try:
        return dict(safetensors.torch.load_file(path))
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        raise CalibrationError(f"{path} cannot be read ({error}); {_REMEDY}") from None


def _key(loaded: LoadedModel, recording: Recording, more: Collection[object]) -> str:
    parts = [FORMAT, loaded.sha256, recording.folder.name, *more]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
