"""Memory of threads that come and go: glibc would keep some of it for each of them."""

import contextlib
import ctypes

_M_ARENA_MAX = -8  # of glibc's malloc.h
_ARENAS = 1


def share_arenas() -> None:
    """Have all threads of this process allocate from the main arena, so that its memory stays flat.

    By default there are up to eight for each processor, and each keeps the most that it ever held:
    20 MB more in all. Where the C library has no such setting, nothing
    is done.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
