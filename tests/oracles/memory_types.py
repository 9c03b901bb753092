"""Memories in another type than bfloat16, which the published loops have no choice about."""

from __future__ import annotations

import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch


@contextmanager
def memories_in(dtype: str, module: types.ModuleType) -> Iterator[None]:
    """Let bfloat16 mean another type of torch, in one module alone."""

    class Renamed(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            return getattr(torch, dtype if name == "bfloat16" else name)

    with mock.patch.object(module, "torch", Renamed("torch")):
        yield
