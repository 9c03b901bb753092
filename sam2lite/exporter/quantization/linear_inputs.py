"""What a network's linear layers are fed, found once an export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sam2lite.runtimes.cache import cache_dir

if TYPE_CHECKING:
    from sam2lite.calibration.four_bits.grid import Floats
    from sam2lite.calibration.four_bits.inputs import LayerInputs
    from sam2lite.exporter.precision.schemes import Making
    from sam2lite.models.loaded import LoadedModel

LEAST_WEIGHTS = 2048  # of a layer; scales and a fourth input cost smaller ones more than they save
_last: tuple[tuple[str, str], dict[str, LayerInputs]] | None = None  # of one export, asked often


def linear_layers(loaded: LoadedModel) -> dict[str, Floats]:
    """Return the weights of the linear layers that are worth packing, `[out, in]`, by path."""
    from torch import nn

    return {
        path: layer.weight.detach().numpy()
        for path, layer in loaded.fused().quantized_layers().items()
        if isinstance(layer, nn.Linear) and layer.weight.numel() >= LEAST_WEIGHTS
    }


def linear_inputs(making: Making) -> dict[str, LayerInputs]:
    """Return what the linear layers of a network were fed in its recording, by path.

    Raises:
        CalibrationError: what is in the cache is damaged, or there is no memory for a layer.
        OutputError: the cache cannot be written.
    """
    from sam2lite.calibration.four_bits.collecting import layer_inputs

    global _last
    recording, _ = making.footage
    key = making.loaded.sha256, str(recording.folder)
    if _last is None or _last[0] != key:
        cache = Path(cache_dir()) / "inputs"
        layers = linear_layers(making.loaded)
        calls = sum(recording.count(graph.name) for graph in making.loaded.family.graphs)
        with making.progress.phase("inputs of layers", calls) as report:
            found = layer_inputs(making.loaded, recording, layers, cache, report)
        _last = key, found
    return _last[1]
