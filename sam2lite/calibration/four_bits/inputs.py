"""What is known of a linear layer's inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sam2lite.calibration.four_bits.grid import Floats

LEVELS_INT8 = 127  # of activations, on either side of 0


@dataclass(frozen=True)
class LayerInputs:
    """Moments of the inputs, and some of them.

    Attributes:
        rows: that were seen.
        hessian_ii: mean of `x x^T`, float32 `[in, in]`.
        mean_i: of `x`, float32 `[in]`.
        largest_i: of `|x|`, float32 `[in]`.
        sample_ni: rows that were taken at even distances, float32 `[n, in]`.
    """

    rows: int
    hessian_ii: Floats
    mean_i: Floats
    largest_i: Floats
    sample_ni: Floats

    @property
    def are_few(self) -> bool:
        """Whether there are fewer rows than inputs, so that damping alone tells some apart."""
        return self.rows < len(self.mean_i)

    @property
    def are_nothing(self) -> bool:
        """Whether nothing but zeros was seen."""
        return not self.largest_i.any()

    def divided(self, scale_i: Floats) -> LayerInputs:
        """Return what is known of the inputs once each was divided by its scale, above 0."""
        return replace(
            self,
            hessian_ii=self.hessian_ii / np.outer(scale_i, scale_i),
            mean_i=self.mean_i / scale_i,
            largest_i=self.largest_i / scale_i,
            sample_ni=self.sample_ni / scale_i,
        )

    def centred(self) -> Floats:
        """Return the mean of `(x - mean) (x - mean)^T`: what is left where a bias can follow."""
        found: Floats = self.hessian_ii - np.outer(self.mean_i, self.mean_i)
        return found


def in_eight_bits_together(rows_ni: Floats) -> Floats:
    """Return rows as they are rounded that share one scale and zero point of 256 codes."""
    low, high = min(float(rows_ni.min()), 0.0), max(float(rows_ni.max()), 0.0)
    step = (high - low) / 255 or 1.0
    found: Floats = (np.rint(rows_ni / step) * step).astype(np.float32)
    return found


def in_eight_bits(rows_ni: Floats, block: int | None) -> Floats:
    """Return rows as a kernel rounds them that finds its own scales, symmetric around 0.

    Args:
        rows_ni: float32 `[n, in]`.
        block: inputs of a row that share a scale; all of it if None.
    """
    count, inputs = rows_ni.shape
    width = inputs if block is None else block
    padded = np.zeros((count, -(-inputs // width) * width), np.float32)
    padded[:, :inputs] = rows_ni
    grouped = padded.reshape(count, -1, width)
    scale = np.abs(grouped).max(axis=2, keepdims=True) / LEVELS_INT8
    steps = np.where(scale > 0, scale, np.float32(1.0))
    found: Floats = (np.rint(grouped / steps) * steps).reshape(count, -1)[:, :inputs]
    return found
