"""Convolution and transposed convolution over 1, 2 or 3 axes."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from sam2lite.mil.ops.window import border, last_first
from sam2lite.mil.steps import Handler

_CONV: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED: dict[int, Callable[..., Tensor]] = {
    1: F.conv_transpose1d,
    2: F.conv_transpose2d,
    3: F.conv_transpose3d,
}


def conv(
    *,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    strides: Tensor,
    pad_type: str,
    pad: Tensor | None,
    dilations: Tensor,
    groups: Tensor,
) -> Tensor:
    """Convolve. Shape: `[n, c_in, ...]` by `[c_out, c_in / groups, ...]`."""
    extent = [d * (k - 1) + 1 for d, k in zip(dilations.tolist(), weight.shape[2:], strict=True)]
    sides = border(pad_type, pad, list(x.shape[2:]), extent, strides.tolist())
    return _CONV[x.ndim - 2](
        F.pad(x, last_first(sides)),
        weight,
        bias,
        stride=strides.tolist(),
        dilation=dilations.tolist(),
        groups=int(groups),
    )


def conv_transpose(
    *,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    pad: Tensor | None,
    output_shape: Tensor | None,
    pad_type: str,
    strides: Tensor,
    dilations: Tensor,
    groups: Tensor,
) -> Tensor:
    """Convolve transposed, then cut the border off. Shape: weight `[c_in, c_out / groups, ...]`.

    Where `output_shape` is larger than what is left, zeros (and then the bias) fill the end.
    """
    if pad_type not in ("valid", "custom"):
        raise NotImplementedError(f"conv_transpose with pad_type {pad_type}")
    whole = _TRANSPOSED[x.ndim - 2](
        x, weight, stride=strides.tolist(), dilation=dilations.tolist(), groups=int(groups)
    )
    sides = border(pad_type, pad, [], [], []) if pad_type == "custom" else [(0, 0)] * (x.ndim - 2)
    if output_shape is None:
        ends = [-after for _, after in sides]
    else:
        lengths = zip(output_shape[2:].tolist(), whole.shape[2:], sides, strict=True)
        ends = [wanted + before - length for wanted, length, (before, _) in lengths]
    cut = [(-before, end) for (before, _), end in zip(sides, ends, strict=True)]
    y = F.pad(whole, last_first(cut))
    return y if bias is None else y + bias.reshape(-1, *[1] * (x.ndim - 2))


HANDLERS: dict[str, Handler] = {"conv": conv, "conv_transpose": conv_transpose}
