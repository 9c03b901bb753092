"""What may be set of the rules, checked."""

from typing import Any, NamedTuple, Optional, Tuple

import numpy as np

from sam2lite.contracts.arguments import shown, whole_number
from sam2lite.contracts.families.sam2 import POINTER_FRAMES, RECENT_FRAMES
from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.runtimes.rules.interface import MAX_FRAMES

META, HUGGINGFACE = "meta", "huggingface"
CONDITIONING, IN_PLACE = "conditioning", "in-place"
BFLOAT16, FLOAT32 = "bfloat16", "float32"
_MOST_CELLS = 1 << 20


class Settings(NamedTuple):
    """Settings that are known and within their limits; see `SlotBankRules.__init__`."""

    reference: str
    corrections: str
    memory_dtype: str
    pointer_frames: int
    fill_holes: int
    motion_aware: bool
    window: int


def checked(
    reference: str,
    corrections: str,
    memory_dtype: str,
    pointer_frames: Optional[int],
    fill_holes: int,
    motion_aware: bool,
    window: Optional[int],
) -> Settings:
    """Check settings; see `SlotBankRules.__init__`.

    Raises:
        UnknownNameError: one has a name that does not exist.
        ArgumentError: one is out of its range.
    """
    _one_of("reference implementation", reference, (META, HUGGINGFACE))
    _one_of("way of corrections", corrections, (CONDITIONING, IN_PLACE))
    _one_of("memory type", memory_dtype, (BFLOAT16, FLOAT32))
    frames = POINTER_FRAMES
    if pointer_frames is not None:
        frames = min(whole_number("pointer_frames", pointer_frames, 1, MAX_FRAMES), frames)
    if window is not None:
        window = whole_number("window", window, 1, RECENT_FRAMES)
    return Settings(
        reference,
        corrections,
        memory_dtype,
        frames,
        whole_number("fill_holes", fill_holes, 0, _MOST_CELLS),
        truth("motion_aware", motion_aware),
        RECENT_FRAMES if window is None else window,
    )


def truth(name: str, value: Any) -> bool:
    """Return True or False.

    Raises:
        ArgumentError: the value is something else.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise ArgumentError("{} is {}; it must be True or False".format(name, shown(value)))
    return bool(value)


def _one_of(kind: str, value: Any, known: Tuple[str, ...]) -> None:
    if value not in known:
        raise UnknownNameError(kind, shown(value) if not isinstance(value, str) else value, known)
