"""Rearranging, joining and cutting."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from sam2lite.mil.steps import Handler


def reshape(*, x: Tensor, shape: Tensor) -> Tensor:
    """Change the shape, with at most one -1; a 0 is refused: iOS 16 and 17 read it differently."""
    if (shape == 0).any():
        raise NotImplementedError("a shape with a 0 in it")
    return x.reshape(shape.tolist())


def transpose(*, x: Tensor, perm: Tensor) -> Tensor:
    """Permute the axes."""
    return x.permute(perm.tolist())


def expand_dims(*, x: Tensor, axes: Tensor) -> Tensor:
    """Insert axes of length 1; `axes` are those of the result."""
    rank = x.ndim + axes.numel()
    for axis in sorted(axis % rank for axis in axes.tolist()):
        x = x.unsqueeze(axis)
    return x


def squeeze(*, x: Tensor, axes: Tensor | None) -> Tensor:
    """Drop axes of length 1: these, or all of them."""
    return x.squeeze() if axes is None else x.squeeze(tuple(axes.tolist()))


def concat(*, values: list[Tensor], axis: Tensor, interleave: Tensor) -> Tensor:
    """Join along an axis, or take turns along it."""
    if not interleave:
        return torch.cat(values, dim=int(axis))
    dim = int(axis) % values[0].ndim
    return torch.stack(values, dim=dim + 1).flatten(dim, dim + 1)


def stack(*, values: list[Tensor], axis: Tensor) -> Tensor:
    """Join along a new axis."""
    return torch.stack(values, dim=int(axis))


def split(
    *, x: Tensor, axis: Tensor, num_splits: Tensor | None, split_sizes: Tensor | None
) -> tuple[Tensor, ...]:
    """Cut into pieces of the given sizes, or into equal ones."""
    dim = int(axis)
    if split_sizes is not None:
        return torch.split(x, split_sizes.tolist(), dim=dim)
    assert num_splits is not None  # the operator has one of the two
    return torch.chunk(x, int(num_splits), dim=dim)


def tile(*, x: Tensor, reps: Tensor) -> Tensor:
    """Repeat whole along every axis."""
    return x.repeat(reps.tolist())


def fill(*, shape: Tensor, value: Tensor) -> Tensor:
    """Make a tensor of one value."""
    return value.expand(shape.tolist()).clone()


def flatten2d(*, x: Tensor, axis: Tensor) -> Tensor:
    """Merge the axes before `axis` into one, and those from it on into another."""
    rows = 1
    for size in x.shape[: int(axis) % x.ndim]:
        rows *= size
    return x.reshape(rows, -1)


def pad(*, x: Tensor, pad: Tensor, mode: str, constant_val: Tensor | None) -> Tensor:
    """Pad the last axes; `pad` has what comes before and after each of them, in order."""
    pairs = pad.reshape(-1, 2).tolist()
    last_first = [count for pair in reversed(pairs) for count in pair]
    if mode == "constant":
        return F.pad(x, last_first, value=0.0 if constant_val is None else constant_val.item())
    # torch pads borders of 1, 2 or 3 axes only, and only behind one or two others.
    missing = max(0, 2 + len(pairs) - x.ndim)
    padded = F.pad(x[(None,) * missing], last_first, mode=mode)
    return padded[(0,) * missing]


def pixel_shuffle(*, x: Tensor, upscale_factor: Tensor) -> Tensor:
    """Channels to space, as torch orders them."""
    return F.pixel_shuffle(x, int(upscale_factor))


def pixel_unshuffle(*, x: Tensor, downscale_factor: Tensor) -> Tensor:
    """Space to channels, as torch orders them."""
    return F.pixel_unshuffle(x, int(downscale_factor))


HANDLERS: dict[str, Handler] = {
    "concat": concat,
    "expand_dims": expand_dims,
    "fill": fill,
    "flatten2d": flatten2d,
    "pad": pad,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "reshape": reshape,
    "split": split,
    "squeeze": squeeze,
    "stack": stack,
    "tile": tile,
    "transpose": transpose,
}
