"""Which layers of a bundle are in a lower precision, as its manifest says."""

from collections.abc import Mapping
from typing import Any, NamedTuple

# What a manifest's `calibration` lists, and how that is called.
_KINDS = {"four_bit_layers": "in four bits", "int8_layers": "in INT8"}


class Lowered(NamedTuple):
    """Layers in a lower precision.

    Attributes:
        layers: how many there are of each kind, such as `in INT8`.
        kept: why each of the others stays in float, by path.
    """

    layers: Mapping[str, int]
    kept: Mapping[str, str]

    def __str__(self) -> str:
        counts = {**self.layers, "in float": len(self.kept)}
        return ", ".join(f"{count} {called}" for called, count in counts.items())


def lowered(calibration: Mapping[str, Any]) -> Lowered | None:
    """Return what a manifest's `calibration` says; None where no layers were chosen."""
    kinds = {called: len(calibration[key]) for key, called in _KINDS.items() if key in calibration}
    if not kinds or "float_layers" not in calibration:
        return None
    return Lowered(kinds, calibration["float_layers"])
