"""Memory of frames side by side, as the attention takes it, without moving what stays."""

from typing import List, Optional, Sequence, Tuple

import numpy as np

from sam2lite.contracts.families.sam2 import MEMORY_CHANNELS, SLOTS
from sam2lite.runtimes.rules.sam2.frame_record import FrameRecord
from sam2lite.runtimes.rules.sam2.scaling import resampled_memory


class SlotBuffer:
    """Slots for as many frames as the largest graph takes.

    The order of slots means nothing to the attention, so a frame keeps its slot for as long as it
    is seen, and each new frame is copied once, into a slot that has become free.
    """

    def __init__(self) -> None:
        self._slots_snc: Optional[np.ndarray] = None
        self._serials: List[Optional[int]] = []
        self._side = 0

    def seated(
        self, records: Sequence[FrameRecord], slots: int, side: int
    ) -> Tuple[np.ndarray, List[int]]:
        """Bring the memory of frames into the first slots.

        Memory that was written on another grid is resampled to this one; its record keeps it as it
        was, so that sizes may change to and fro without wearing it away.

        Args:
            records: of the frames that are seen, with their memory.
            slots: of the graph, at least as many.
            side: of the grid of memory, cells.

        Returns:
            `memory_features_bnc`, float32 [1, slots * side * side, channels], overwritten by the
            next call; and the slot of each record.
        """
        if self._slots_snc is None or side != self._side:
            # Untouched pages of zeros take no memory.
            self._slots_snc = np.zeros((SLOTS[-1], side * side, MEMORY_CHANNELS), np.float32)
            self._serials = [None] * SLOTS[-1]
            self._side = side
        held = {serial: slot for slot, serial in enumerate(self._serials[:slots])}
        places = [held.get(record.serial) for record in records]
        free = [slot for slot in range(slots) if slot not in places]
        found = []
        for record, place in zip(records, places):
            slot = free.pop(0) if place is None else place
            if place is None:
                assert record.memory_nc is not None
                self._slots_snc[slot] = resampled_memory(record.memory_nc, side)
                self._serials[slot] = record.serial
            found.append(slot)
        return self._slots_snc[:slots].reshape(1, -1, MEMORY_CHANNELS), found
