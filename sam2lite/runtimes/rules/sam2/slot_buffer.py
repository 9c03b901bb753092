"""Memory of frames side by side, as the attention takes it, without moving what stays."""

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from sam2lite.contracts.families.sam2 import MEMORY_CHANNELS, MOST_FRAMES
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.runtimes.rules.sam2.frame_record import FrameRecord
from sam2lite.runtimes.rules.sam2.scaling import resampled_memory


class SlotBuffer:
    """Slots for as many frames as the largest graph takes.

    The order of slots means nothing to the attention, so a frame keeps its slot for as long as it
    is seen, and each new frame is copied once, to where the oldest was. Which slot that is depends
    on nothing but the frames that are seen: sums come out the same to the last bit after a state
    was loaded.
    """

    def __init__(self) -> None:
        self._slots_snc: Optional[np.ndarray] = None
        self._serials: List[Optional[int]] = []
        self._tokens = 0

    def seated(
        self,
        records: Sequence[FrameRecord],
        slots: int,
        tokens: int,
        aspect: Aspect = SQUARE,
    ) -> Tuple[np.ndarray, List[int]]:
        """Bring the memory of frames into the first slots.

        Memory that was written on another grid is resampled to this one; its record keeps it as it
        was, so that sizes may change to and fro without wearing it away.

        Args:
            records: of the frames that are seen, with their memory.
            slots: of the graph, at least as many.
            tokens: of a frame's memory.
            aspect: of its grid.

        Returns:
            `memory_features_bnc`, float32 [1, slots * tokens, channels], overwritten by the
            next call; and the slot of each record.
        """
        if self._slots_snc is None or tokens != self._tokens:
            # Untouched pages of zeros take no memory.
            self._slots_snc = np.zeros((MOST_FRAMES, tokens, MEMORY_CHANNELS), np.float32)
            self._serials = [None] * MOST_FRAMES
            self._tokens = tokens
        places = _places(records, slots)
        for record, slot in zip(records, places):
            if self._serials[slot] != record.serial:
                assert record.memory_nc is not None
                self._slots_snc[slot] = resampled_memory(record.memory_nc, tokens, aspect)
                self._serials[slot] = record.serial
        return self._slots_snc[:slots].reshape(1, -1, MEMORY_CHANNELS), places


def _places(records: Sequence[FrameRecord], slots: int) -> List[int]:
    """Return a slot for each frame: first the prompted ones, then the others as in a ring."""
    prompted = [record.frame for record in records if record.conditioning]
    first = len(prompted) if len(prompted) < slots else 0
    taken: Dict[int, int] = {}
    for record in sorted(records, key=lambda each: (not each.conditioning, each.frame)):
        slot = len(taken)
        if not record.conditioning:
            slot = first + record.frame % (slots - first)
            while slot in taken.values():  # frames were left out: as near as there is room
                slot = first + (slot + 1 - first) % (slots - first)
        taken[record.frame] = slot
    return [taken[record.frame] for record in records]
