"""Element by element: arithmetic and elementary functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sam2lite.mil.steps import Handler


def _binary(kernel: Callable[[Tensor, Tensor], Tensor], *, x: Tensor, y: Tensor) -> Tensor:
    return kernel(x, y)


def _unary(kernel: Callable[[Tensor], Tensor], *, x: Tensor) -> Tensor:
    return kernel(x)


def log(*, x: Tensor, epsilon: Tensor) -> Tensor:
    """Natural logarithm of `x + epsilon`."""
    return torch.log(x + epsilon)


def rsqrt(*, x: Tensor, epsilon: Tensor) -> Tensor:
    """One over the square root of `x + epsilon`."""
    return torch.rsqrt(x + epsilon)


def inverse(*, x: Tensor, epsilon: Tensor) -> Tensor:
    """One over `x + epsilon`."""
    return 1.0 / (x + epsilon)


def clip(*, x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Limit to alpha..beta."""
    return torch.minimum(torch.maximum(x, alpha), beta)


def threshold(*, x: Tensor, alpha: Tensor) -> Tensor:
    """Take the larger of `x` and alpha."""
    return torch.maximum(x, alpha)


def cast(*, x: Tensor, dtype: str) -> Tensor:
    """Change the type: floats lose their fraction on the way to integers, bool is "not zero".

    To `fp16` nothing happens here: rounding is the interpreter's, and off in FP32 mode.
    """
    if dtype == "bool":
        return x != 0
    if dtype in ("fp16", "fp32"):
        return x.to(torch.float32)
    return (x.trunc() if x.is_floating_point() else x).to(torch.int32)


_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "real_div": torch.true_divide,
    "floor_div": torch.floor_divide,
    "mod": torch.remainder,  # the sign of the divisor, as in NumPy
    "pow": torch.pow,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}
_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs,
    "ceil": torch.ceil,
    "cos": torch.cos,
    "erf": torch.erf,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "floor": torch.floor,
    "identity": torch.clone,
    "round": torch.round,  # halves to even
    "sign": torch.sign,
    "sin": torch.sin,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "tanh": torch.tanh,
}
HANDLERS: dict[str, Handler] = {
    **{name: partial(_binary, kernel) for name, kernel in _BINARY.items()},
    **{name: partial(_unary, kernel) for name, kernel in _UNARY.items()},
    "cast": cast,
    "clip": clip,
    "inverse": inverse,
    "log": log,
    "rsqrt": rsqrt,
    "threshold": threshold,
}
