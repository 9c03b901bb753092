"""What a handler is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# From an operator's parameters, by name, to a tensor or a tuple of tensors.
Handler = Callable[..., Any]
