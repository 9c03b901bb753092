"""Keep coremltools 9.0 from running two graph passes that change what a network computes.

Both were found by simulating our graphs. They must be off for every call that converts a program,
and compressing weights or activations converts it anew, so a `PassPipeline` given to the first
conversion is not enough.

- `fuse_conv_bias` folds `conv(x) - c` into the convolution and negates `c` in place to do so. Where
  `c` is used elsewhere as well, as in `c + flag * (conv(x) - c)`, its sign is wrong there: Tiny's
  mask decoder falls to 19 dB, without a word.
- `fuse_elementwise_to_batchnorm` makes `a x + b` a batch norm of variance 1 and leaves the epsilon
  at 1e-5, which makes `a` smaller by 5e-6 of itself. In a program that is FP16 already it fails.

What is lost is one subtraction, and an addition instead of part of a batch norm.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sam2lite.mil.coremltools_import import import_coremltools

INEXACT_PASSES = ("common::fuse_conv_bias", "common::fuse_elementwise_to_batchnorm")


@contextmanager
def exact_passes() -> Iterator[None]:
    """Run `coremltools.convert`, or a compression, without `INEXACT_PASSES`.

    Raises:
        DependencyError, SessionError: coremltools is missing, or another version.
    """
    import_coremltools()
    from coremltools.converters.mil.mil.passes.graph_pass import AbstractGraphPass
    from coremltools.converters.mil.mil.passes.pass_registry import PASS_REGISTRY

    class LeaveAsIs(AbstractGraphPass):  # type: ignore[misc]  # its base is untyped
        def apply(self, prog: Any) -> None:
            pass

    with patch.dict(PASS_REGISTRY.passes, dict.fromkeys(INEXACT_PASSES, LeaveAsIs)):
        yield
