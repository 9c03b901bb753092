"""Which of many prompted frames a frame sees."""

from typing import Iterable, List


def closest(frame: int, prompted: Iterable[int], limit: int) -> List[int]:
    """Return the prompted frames to be seen, at most `limit` of them.

    The nearest one before the frame, the nearest one at or after it, then the nearest of the others
    (of two as near, the one that was remembered first).

    Args:
        frame: index of the frame that looks back.
        prompted: indices, in the order in which they were remembered.
        limit: at least 2.
    """
    left = list(prompted)
    if len(left) <= limit:
        return left
    before = [index for index in left if index < frame]
    after = [index for index in left if index >= frame]
    chosen = ([max(before)] if before else []) + ([min(after)] if after else [])
    others = [index for index in left if index not in chosen]
    others.sort(key=lambda index: abs(index - frame))
    return chosen + others[: limit - len(chosen)]
