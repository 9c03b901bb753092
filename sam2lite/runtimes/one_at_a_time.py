"""Methods that threads may call: one runs at a time, and none once the object is closed."""

import functools
from typing import Any, Callable, TypeVar, cast

from sam2lite.errors import SessionError

_Method = TypeVar("_Method", bound=Callable[..., Any])


def one_at_a_time(method: _Method) -> _Method:
    """Let calls of several threads wait for one another, and refuse them once all is closed.

    Args:
        method: of a class with a `lock`, one that its holder may take again, and `closed`.
    """

    @functools.wraps(method)
    def alone(self: Any, *arguments: Any, **keywords: Any) -> Any:
        with self.lock:
            if self.closed:
                raise SessionError("the segmenter is closed; make another one")
            return method(self, *arguments, **keywords)

    return cast(_Method, alone)
