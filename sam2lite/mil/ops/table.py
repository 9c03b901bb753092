"""All handlers by operator."""

from __future__ import annotations

from sam2lite.mil.ops import (
    activation,
    arithmetic,
    attention,
    comparison,
    compressed,
    convolution,
    indexing,
    linear,
    normalization,
    pooling,
    quantization,
    reduction,
    shape,
    upsampling,
)
from sam2lite.mil.steps import Handler

# Decompressed once, when a package is loaded.
CONSTANT_HANDLERS: dict[str, Handler] = compressed.HANDLERS

HANDLERS: dict[str, Handler] = {
    **activation.HANDLERS,
    **arithmetic.HANDLERS,
    **attention.HANDLERS,
    **comparison.HANDLERS,
    **convolution.HANDLERS,
    **indexing.HANDLERS,
    **linear.HANDLERS,
    **normalization.HANDLERS,
    **pooling.HANDLERS,
    **quantization.HANDLERS,
    **reduction.HANDLERS,
    **shape.HANDLERS,
    **upsampling.HANDLERS,
}
