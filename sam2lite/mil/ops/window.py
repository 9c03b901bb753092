"""The border that a sliding window adds: by type, or given for each side of each axis."""

from __future__ import annotations

from torch import Tensor

Border = list[tuple[int, int]]


def border(
    pad_type: str, pad: Tensor | None, sizes: list[int], kernels: list[int], strides: list[int]
) -> Border:
    """Return what is added before and after each spatial axis.

    Args:
        pad_type: `valid`, `custom`, `same` or `same_lower`.
        pad: of `custom`, before and after every axis in turn.
        sizes: length of each spatial axis.
        kernels: extent of the window along each, dilation included.
        strides: its step along each.
    """
    if pad_type == "valid":
        return [(0, 0)] * len(sizes)
    if pad_type == "custom":
        assert pad is not None
        return [(before, after) for before, after in pad.reshape(-1, 2).tolist()]
    found = []
    for size, kernel, stride in zip(sizes, kernels, strides, strict=True):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        # An odd one goes to the end, in `same_lower` to the front.
        less, more = total // 2, total - total // 2
        found.append((less, more) if pad_type == "same" else (more, less))
    return found


def last_first(sides: Border) -> list[int]:
    """Return a border in the order of `torch.nn.functional.pad`."""
    return [count for pair in reversed(sides) for count in pair]
