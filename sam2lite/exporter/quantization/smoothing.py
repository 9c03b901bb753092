"""SmoothQuant on graphs: scales that what comes before linear layers takes over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sam2lite.exporter.onnx.absorbing import Absorbing

if TYPE_CHECKING:
    import onnx

    from sam2lite.calibration.four_bits.inputs import LayerInputs
    from sam2lite.calibration.four_bits.smoothing import Rounding, Smoothing, SmoothSettings
    from sam2lite.calibration.observers import Observer, Range


class Roundings(NamedTuple):
    """What a precision does to a layer.

    Attributes:
        weight: gives `[out, in]` as it is computed with.
        rows: gives inputs `[n, in]` as they are computed with.
    """

    weight: Rounding
    rows: Rounding


class Smoother:
    """Smooths the graphs of a network, each layer in the same way wherever it is."""

    def __init__(
        self,
        inputs: Mapping[str, LayerInputs],
        settings: SmoothSettings,
        roundings: Callable[[str], Roundings],
    ) -> None:
        """Take what is known.

        Args:
            inputs: of layers, by path.
            settings: how scales are found.
            roundings: what the precision does to the layer of a path.
        """
        self._inputs, self._settings, self._roundings = inputs, settings, roundings
        self._done: dict[tuple[str, ...], Smoothing | None] = {}

    def smooth(self, model: onnx.ModelProto, layers: Mapping[str, str]) -> dict[str, Smoothing]:
        """Scale the inputs of layers of a graph, in place; in float it computes what it did.

        Args:
            model: in float, with its weights inside.
            layers: the whole paths of the layers that are lowered, by the names of their nodes.

        Returns:
            what was done, by path. Layers whose inputs nothing takes the scale over of, and those
            that are no better for it, are left out.
        """
        from sam2lite.calibration.four_bits.smoothing import smoothed

        absorbing = Absorbing(model)
        scaled: dict[str, Smoothing] = {}
        for scalable in absorbing.found():
            own = [(name, layers[name]) for name in scalable.layers if name in layers]
            paths = tuple(path for _, path in own)
            if not paths or any(path not in self._inputs for path in paths):
                continue
            if paths not in self._done:
                weight = np.concatenate([absorbing.weight_oi(name) for name, _ in own])
                roundings = self._roundings(paths[0])
                self._done[paths] = smoothed(
                    weight, self._inputs[paths[0]], self._settings, *roundings
                )
            found = self._done[paths]
            if found is not None:
                absorbing.scale(scalable, found.scale_i)
                scaled.update(dict.fromkeys(paths, found))
        return scaled

    def spans(
        self, smoothings: Mapping[str, Smoothing], observer: Callable[[], Observer]
    ) -> dict[str, Range]:
        """Return the ranges of scaled inputs by `<path>:input`, from the rows that were kept."""
        import torch

        found = {}
        for path, smoothing in smoothings.items():
            watched = observer()
            rows = self._inputs[path].divided(smoothing.scale_i).sample_ni
            watched.observe(torch.from_numpy(rows))
            found[f"{path}:input"] = watched.range()
        return found
