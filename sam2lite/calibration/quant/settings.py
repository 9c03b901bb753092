"""How a network is quantized, as a recipe's `quant` says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from sam2lite.calibration.four_bits.layer import FourBitSettings
from sam2lite.calibration.four_bits.smoothing import SmoothSettings

# Parts of a network that can be left in float, whatever the family.
PATCH_EMBED, FIRST, LAST, DECODER = "patch_embed", "first_block", "last_block", "decoder"
SKIPS = (PATCH_EMBED, FIRST, LAST, DECODER)


@dataclass(frozen=True)
class Quantization:
    """All of `quant`.

    Attributes:
        four_bits: how linear layers are put into four bits.
        smooth: how inputs of linear layers are made easier to round in INT8; None leaves them.
        calib_frames: to calibrate on; None where it is not said.
        skips: names of what stays in float, of `SKIPS`.
        rounded: patterns of layers whose errors are not spread.
        branchless: patterns of layers that get no low-rank branch.
    """

    four_bits: FourBitSettings = field(default_factory=FourBitSettings)
    smooth: SmoothSettings | None = None
    calib_frames: int | None = None
    skips: tuple[str, ...] = ()
    rounded: tuple[str, ...] = ()
    branchless: tuple[str, ...] = ()

    def of_layer(self, path: str) -> FourBitSettings:
        """Return how one layer is put into four bits."""
        from dataclasses import replace

        found = self.four_bits
        if any(fnmatchcase(path, pattern) for pattern in self.rounded):
            found = replace(found, gptq=None)
        if any(fnmatchcase(path, pattern) for pattern in self.branchless):
            found = replace(found, low_rank=None)
        return found


USUAL = Quantization()
