"""Run one handler, and hold what it gives against what the operator declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sam2lite.contracts.tensors import TensorSpec
from sam2lite.errors import SessionError
from sam2lite.mil.dtypes import integer_range, round_to_half, storage
from sam2lite.mil.steps import Handler, Step

# What handlers raise for arguments that do not fit them; torch's errors are RuntimeError.
_MISFITS = (RuntimeError, ValueError, IndexError, TypeError, NotImplementedError)


def checked_results(
    step: Step,
    function: str,
    handler: Handler,
    arguments: Mapping[str, Any],
    *,
    round_fp16: bool,
) -> tuple[Tensor, ...]:
    """Return an operator's results, in the types and shapes that it declares.

    Args:
        step: the operator.
        function: whose it is, for messages.
        handler: of its type.
        arguments: tensors, strings and lists of tensors, by parameter.
        round_fp16: round what is declared as FP16.

    Raises:
        SessionError: it cannot be computed, or is not what was declared.
    """
    where = f"{step.op} ({step.name!r} in function {function!r})"
    try:
        results = handler(**arguments)
    except _MISFITS as error:
        raise SessionError(f"{where} cannot be simulated: {error}") from error
    tensors = (results,) if isinstance(results, Tensor) else tuple(results)
    if len(tensors) != len(step.outputs):
        raise SessionError(
            f"{where} gives {len(tensors)} results, but declares {len(step.outputs)}"
        )
    return tuple(
        _settled(tensor, spec, where, round_fp16)
        for tensor, spec in zip(tensors, step.outputs, strict=True)
    )


def _settled(tensor: Tensor, spec: TensorSpec, where: str, round_fp16: bool) -> Tensor:
    if tuple(tensor.shape) != spec.shape or tensor.dtype != storage(spec.dtype):
        raise SessionError(
            f"{where} gives {_words(tensor)}, but declares {spec.dtype} {list(spec.shape)} as "
            f"{spec.name!r}"
        )
    if round_fp16 and spec.dtype == "float16":
        return round_to_half(tensor)
    if tensor.dtype == torch.int32 and tensor.numel():
        low, high = integer_range(spec.dtype)
        least, most = int(tensor.min()), int(tensor.max())
        if least < low or most > high:
            raise SessionError(
                f"{where} gives {least} to {most} as {spec.name!r}, which {spec.dtype} cannot hold"
            )
    return tensor


def _words(tensor: Tensor) -> str:
    kinds = {torch.float32: "floats", torch.int32: "integers", torch.bool: "booleans"}
    return f"{kinds.get(tensor.dtype, str(tensor.dtype))} {list(tensor.shape)}"
