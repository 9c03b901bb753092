"""The memory of one object: records of frames, and which of them a frame sees."""

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from sam2lite.contracts.families.sam2 import (
    CONDITIONING_FRAMES,
    POINTER_FRAMES,
    RECENT_FRAMES,
    REWIND_FRAMES,
    TIME_ROWS,
)
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.runtimes.rules.box_motion import BoxTrack
from sam2lite.runtimes.rules.current_frame import Host
from sam2lite.runtimes.rules.interface import Memory
from sam2lite.runtimes.rules.sam2 import state_arrays
from sam2lite.runtimes.rules.sam2.frame_record import FrameRecord
from sam2lite.runtimes.rules.sam2.selection import closest
from sam2lite.runtimes.rules.sam2.slot_buffer import SlotBuffer

CONDITIONING_STORE = 16  # prompted frames that are kept; the first one is never given up
CONDITIONING_ROW = TIME_ROWS - 1  # of the temporal table
_POINTERS = POINTER_FRAMES - 1  # that a frame sees of those before it
MOST_RECORDS = CONDITIONING_STORE + REWIND_FRAMES + _POINTERS + RECENT_FRAMES


class Seen(NamedTuple):
    """What a frame sees of those before it, and of prompted ones after it.

    Attributes:
        frames: with their memory, and the row of the temporal table of each.
        pointers: of frames that are not in the future, and how many frames ago each was.
    """

    frames: List[Tuple[FrameRecord, int]]
    pointers: List[Tuple[np.ndarray, int]]


class SlotBank(Memory):
    """Frames of one object by their index.

    The newest frame stands apart until the next one comes, so that it can be decided anew with
    everything as it was before it.

    Attributes:
        buffer: where memory is put side by side for the graph.
        motion: where the object's box is expected; None where nobody asks.
    """

    def __init__(self, trusts_motion: bool = False, aspect: Aspect = SQUARE) -> None:
        """Start without frames.

        Args:
            trusts_motion: whether memory is sought on good frames alone, however long ago.
            aspect: of masks.
        """
        self.buffer = SlotBuffer()
        self.motion: Optional[BoxTrack] = None
        self._trusts_motion, self._aspect = trusts_motion, aspect
        self._records: Dict[int, FrameRecord] = {}
        self._newest: Optional[FrameRecord] = None
        self._motion_after: Optional[BoxTrack] = None
        self._given_up: Optional[FrameRecord] = None
        self._serial = 0

    def tick(self) -> None:
        """See `Memory.tick`: the newest frame becomes one of those before, and the box moves on."""
        self._commit()
        if self.motion is not None:
            self.motion = self.motion.ahead(1)

    def _commit(self) -> None:
        newest = self._newest
        if newest is not None:
            self.motion = self._motion_after
        elif self._given_up is not None and self._given_up.conditioning:
            newest = self._given_up  # nothing came in its place
        self._newest = self._given_up = None
        if newest is not None:
            self._records[newest.frame] = newest
            self._prune()

    def close_last(self, frames_ago: int) -> None:
        """See `Memory.close_last`."""
        self._commit()
        if self.motion is not None:
            self.motion = self.motion.ahead(frames_ago)

    def settle(self, frame_index: int) -> None:
        """See `Memory.settle`: from now on, the frame sees its own memory if it is prompted."""
        if self._newest is not None:
            self._newest = self._newest._replace(settled=True)
        elif frame_index in self._records:
            record = self._records[frame_index]
            self._records[frame_index] = record._replace(settled=True)

    def forget_last(self) -> None:
        """See `Memory.forget_last`."""
        # What `track` has returned stays seen until it returns what came in its place.
        newer = self._newest is not None and self._newest.settled
        if newer or self._given_up is None or not self._given_up.settled:
            self._given_up = self._newest
        self._newest = None

    def rewind(self, frame_index: int) -> None:
        """See `Memory.rewind`."""
        self._commit()
        self._records = {
            index: record
            for index, record in self._records.items()
            if record.conditioning or index < frame_index
        }
        self.motion = None

    def begin_clip(self, next_index: int) -> None:
        """See `Memory.begin_clip`: what was prompted is now past, what was tracked is dropped."""
        self._commit()
        self._records = {
            index - next_index: record._replace(frame=index - next_index)
            for index, record in self._records.items()
            if record.conditioning
        }
        self.motion = None

    def write(self, record: FrameRecord, motion: Optional[BoxTrack] = None) -> None:
        """Take the newest frame.

        Args:
            record: of it; its serial number is given here.
            motion: what is known of the object's box after it.
        """
        self._serial += 1
        self._newest = record._replace(serial=self._serial)
        self._motion_after = motion

    def on(self, frame_index: int) -> Optional[FrameRecord]:
        """Return what was last decided on a frame, given up or not; None where nothing was."""
        if self._newest is not None:
            return self._newest
        return self._given_up or self._records.get(frame_index)

    def prompted_on(self, frame_index: int) -> Optional[FrameRecord]:
        """Return what a prompt gave on a frame that has come again; None where there was none."""
        record = self._records.get(frame_index)
        return record if record is not None and record.conditioning else None

    def seen(self, frame_index: int, window: int, pointer_frames: int) -> Seen:
        """Return what a frame sees.

        Args:
            frame_index: of the frame.
            window: how many frames back memory is sought.
            pointer_frames: how far back pointers are sought, the frame itself counted.
        """
        records = dict(self._records)
        own = records.pop(frame_index, None)
        if self._given_up is not None and _stays_seen(self._given_up):
            own = self._given_up
        if own is not None and own.conditioning:
            records[frame_index] = own
        prompted = [index for index, record in records.items() if record.conditioning]
        selected = closest(frame_index, prompted, CONDITIONING_FRAMES)
        frames = [(records[index], CONDITIONING_ROW) for index in selected]
        others = {index: each for index, each in records.items() if index not in selected}
        for row, index in enumerate(self._recent(others, frame_index, window)):
            record = others.get(index)
            if record is not None and record.memory_nc is not None:
                frames.append((record, row))
        pointers = [
            (records[index].pointer_c, frame_index - index)
            for index in selected
            if index <= frame_index
        ] + [
            (others[frame_index - ago].pointer_c, ago)
            for ago in range(1, pointer_frames)
            if frame_index - ago in others
        ]
        return Seen(frames, pointers)

    def _recent(
        self, others: Mapping[int, FrameRecord], frame_index: int, window: int
    ) -> List[int]:
        """Return the frames whose memory is sought, the latest first: rank is row."""
        last = frame_index - 1
        if not self._trusts_motion:
            return list(range(last, last - window, -1))
        good = [index for index, record in others.items() if index < last and record.good]
        return [last, *sorted(good, reverse=True)][:window]

    def _prune(self) -> None:
        """Give up what no frame will see, so that memory never grows.

        One may go back to any of the last tracked frames. Of those before them, what the first
        would see is kept.
        """
        conditioning = sorted(index for index, each in self._records.items() if each.conditioning)
        if len(conditioning) > CONDITIONING_STORE:
            del self._records[conditioning[1]]
        tracked = sorted(index for index, each in self._records.items() if not each.conditioning)
        before = tracked[:-REWIND_FRAMES]
        good = [each for each in before if self._trusts_motion and self._records[each].good]
        whole = {*before[-RECENT_FRAMES:], *good[-RECENT_FRAMES:]}
        for index in before:
            if index in whole:
                continue
            if index in before[-_POINTERS:]:
                self._records[index] = self._records[index]._replace(memory_nc=None)
            else:
                del self._records[index]

    def state(self, host: Host) -> Dict[str, np.ndarray]:
        """See `Memory.state`."""
        copy = SlotBank(self._trusts_motion, self._aspect)
        copy.motion, copy._records = self.motion, dict(self._records)
        copy._newest, copy._given_up = self._newest, self._given_up
        copy._motion_after = self._motion_after
        copy._commit()
        return state_arrays.arrays(list(copy._records.values()), copy.motion)

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """See `Memory.restore`."""
        records, self.motion = state_arrays.records(arrays, self._aspect)
        conditioning = sum(record.conditioning for record in records)
        if conditioning > CONDITIONING_STORE:
            raise ValueError("{} prompted frames are too many".format(conditioning))
        self._serial = len(records)
        self._records = {record.frame: record for record in records}


def _stays_seen(record: FrameRecord) -> bool:
    """Return whether a frame that is decided anew still sees what it left before."""
    return record.conditioning and record.settled
