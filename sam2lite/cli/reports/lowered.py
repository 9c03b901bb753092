"""Which layers of a bundle are in a lower precision, as its manifest says."""

from collections.abc import Mapping
from typing import Any, NamedTuple

# What a manifest's `calibration` lists, and how that is called.
_KINDS = {"int8_layers": "in INT8", "four_bit_layers": "in four bits"}


class Lowered(NamedTuple):
    """Layers in a lower precision.

    Attributes:
        called: such as `in INT8`.
        layers: how many there are.
        kept: why each of the others stays in float, by path.
    """

    called: str
    layers: int
    kept: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.layers} {self.called}, {len(self.kept)} in float"


def lowered(calibration: Mapping[str, Any]) -> Lowered | None:
    """Return what a manifest's `calibration` says; None where no layers were chosen."""
    for key, called in _KINDS.items():
        if key in calibration and "float_layers" in calibration:
            return Lowered(called, len(calibration[key]), calibration["float_layers"])
    return None
