"""A network's linear layers in four bits, each made once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sam2lite.exporter.quantization.smoothing import Roundings, Smoother

if TYPE_CHECKING:
    from sam2lite.calibration.four_bits.grid import Floats
    from sam2lite.calibration.four_bits.inputs import LayerInputs
    from sam2lite.calibration.four_bits.layer import FourBitLayer
    from sam2lite.calibration.quant.settings import Quantization


class Quantizer:
    """Puts a network's linear layers on a grid, each once.

    Attributes:
        inputs: of its layers, by path.
        smoother: of its graphs; None where inputs stay as they are.
    """

    def __init__(
        self, inputs: Mapping[str, LayerInputs], how: Quantization, eight_bit_rows: bool
    ) -> None:
        """Take what is known of the layers' inputs.

        Args:
            inputs: by path.
            how: layers are put into four bits.
            eight_bit_rows: whether the kernel rounds inputs to eight bits.
        """
        from sam2lite.calibration.four_bits.inputs import in_eight_bits
        from sam2lite.calibration.four_bits.layer import rounded_weight

        self.inputs, self._how = inputs, how
        group = how.four_bits.grid.group

        def rows(rows_ni: Floats) -> Floats:
            return in_eight_bits(rows_ni, group) if eight_bit_rows else rows_ni

        self._done: dict[tuple[str, bytes], FourBitLayer] = {}

        def roundings(path: str) -> Roundings:
            settings = how.of_layer(path)
            return Roundings(lambda weight_oi: rounded_weight(weight_oi, settings), rows)

        smooth = how.four_bits.smooth
        self.smoother = None if smooth is None else Smoother(inputs, smooth, roundings)

    def layer(self, path: str, weight_oi: Floats, scale_i: Floats | None = None) -> FourBitLayer:
        """Return a layer in four bits; asked again, the same.

        Args:
            path: of the layer.
            weight_oi: of it, float32 `[out, in]`.
            scale_i: that its inputs were divided by, if they were.
        """
        from sam2lite.calibration.four_bits.layer import four_bit_layer

        key = path, hashlib.sha256(np.ascontiguousarray(weight_oi).tobytes()).digest()
        if key not in self._done:
            inputs = self.inputs[path] if scale_i is None else self.inputs[path].divided(scale_i)
            self._done[key] = four_bit_layer(weight_oi, inputs, self._how.of_layer(path))
        return self._done[key]
