"""The memory bank of one object: B slots outside the graphs, and the bookkeeping of each slot."""

from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np

from sam2lite.contracts import loop
from sam2lite.contracts.families import sam2lite as contract
from sam2lite.errors import SessionError
from sam2lite.files.array_reading import Column
from sam2lite.runtimes.rules.box_motion import BoxTrack, restored, state_arrays
from sam2lite.runtimes.rules.box_motion import state_columns as state_columns_of_box
from sam2lite.runtimes.rules.current_frame import Host
from sam2lite.runtimes.rules.interface import LARGEST, MAX_FRAMES, Memory
from sam2lite.runtimes.rules.sam2lite.pruning import Pruning

_AGES = np.arange(contract.AGE_HORIZON_FRAMES + 1)
_NORMALISED_AGES = (np.log1p(_AGES) / np.log1p(contract.AGE_HORIZON_FRAMES)).astype(np.float32)


def normalised_age(age_frames: np.ndarray) -> np.ndarray:
    """Map ages in whole frames to 0..1 on a log scale, float32; the horizon is 255 frames."""
    ages: np.ndarray = _NORMALISED_AGES[np.minimum(age_frames, contract.AGE_HORIZON_FRAMES)]
    return ages


class MemoryBank(Memory):
    """Tokens of past frames. Keys and values are handles that graphs gave and graphs take back.

    Attributes:
        key: [1, B, 256] float32, NumPy or a backend's handle.
        value: the same.
        stored: frames stored so far.
        pruning: what is kept when the bank overflows.
        columns: one array [B] per kind of bookkeeping; see `_columns`.
        box: where the object's box is expected; None where nobody asks.
    """

    def __init__(self, slots: int, pruning: Optional[Pruning] = None) -> None:
        self.key: Any = np.zeros((1, slots, contract.MEMORY_CHANNELS), np.float32)
        self.value: Any = np.zeros((1, slots, contract.MEMORY_CHANNELS), np.float32)
        self.stored = 0
        self.pruning = pruning or Pruning(slots)
        self.columns = _columns(slots)
        self.box: Optional[BoxTrack] = None
        self._box_before: Optional[BoxTrack] = None
        self._box_was_met = True

    def tick(self) -> None:
        """Let one frame pass."""
        self.columns["age"] += 1
        self.box = self._known_box()
        if self.box is not None:
            self.box = self.box.ahead(1)
        self._box_was_met = False

    def _known_box(self) -> Optional[BoxTrack]:
        return self.box if self.box is None or self._box_was_met else self.box.missed()

    def expect(self, box: Optional[BoxTrack]) -> None:
        """Take what is known of the box after the frame that was just stored."""
        self._box_before, self.box, self._box_was_met = self.box, box, True

    def close_last(self, frames_ago: int) -> None:
        """See `Memory.close_last`."""
        self.columns["age"][self.columns["ordinal"] == self.stored - 1] += frames_ago
        if self.box is not None:
            self.box = self.box.ahead(frames_ago)

    def view(self, window: Optional[int]) -> Tuple[np.ndarray, np.ndarray]:
        """Return what the decoder needs beside keys and values.

        Args:
            window: stored frames that may be seen, beside the anchors; None for no limit.

        Returns:
            `memory_age_bn` float32 [1, B] and `memory_bias_b11n` float32 [1, 1, 1, B].
        """
        columns = self.columns
        oldest_seen = 0 if window is None else self.stored - window
        recent = columns["anchor"] | (columns["ordinal"] >= oldest_seen)
        bias = np.where(columns["valid"] & recent, 0.0, loop.MASKED_BIAS).astype(np.float32)
        return normalised_age(columns["age"])[np.newaxis], bias.reshape(1, 1, 1, -1)

    def candidates(self, uncertainty_bn: np.ndarray, motion: float, anchor: bool) -> np.ndarray:
        """Join the slots and the tokens of a new frame, and retire what must make room.

        Args:
            uncertainty_bn: float32 [1, K], of the new tokens.
            motion: of the object on the new frame, 0..1.
            anchor: whether the new frame was prompted.

        Returns:
            `candidate_meta_bnc` float32 [1, B + K, 5]. `commit` or `forget_last` must follow.
        """
        self._retire(anchor)
        new = _columns(uncertainty_bn.shape[1])
        new["ordinal"][:] = self.stored
        new["token"][:] = np.arange(len(new["token"]))
        new["motion"][:] = motion
        new["uncertainty"][:] = uncertainty_bn[0]
        new["anchor"][:] = anchor
        new["valid"][:] = True
        self._joined = {name: np.concatenate([self.columns[name], new[name]]) for name in new}
        self._joined["valid"] = self.pruning.survivors(self._joined, self.stored)
        meta = np.empty((1, len(self._joined["age"]), contract.META_COLUMNS), np.float32)
        meta[0, :, contract.META_AGE] = normalised_age(self._joined["age"])
        meta[0, :, contract.META_MOTION] = self._joined["motion"]
        meta[0, :, contract.META_UNCERTAINTY] = self._joined["uncertainty"]
        meta[0, :, contract.META_ANCHOR] = self._joined["anchor"]
        meta[0, :, contract.META_VALID] = self._joined["valid"]
        return meta

    def commit(self, key: Any, value: Any, kept_index_bn: np.ndarray) -> None:
        """Take what memory_select kept of the candidates; the index is in the order of rank.

        Raises:
            SessionError: the index is not one of different candidates.
        """
        index = kept_index_bn[0]
        known = len(self._joined["age"])
        if index.min() < 0 or index.max() >= known or len(np.unique(index)) < len(index):
            raise SessionError(
                "memory_select kept candidates that are not there, or one twice: {} of {}; the "
                "graph is damaged, export the bundle again".format(list(index[:8]), known)
            )
        self.key, self.value = key, value
        self.columns = {name: column[index] for name, column in self._joined.items()}
        self.columns["valid"][self.pruning.budget :] = False
        self.stored += 1

    def forget_last(self) -> None:
        """Drop the tokens of the last stored frame."""
        self.stored -= 1
        self.columns["valid"] &= self.columns["ordinal"] != self.stored
        self.box, self._box_was_met = self._box_before, False

    def _retire(self, anchor: bool) -> None:
        columns = self.columns
        if self.pruning.window is not None:
            oldest_kept = self.stored + 1 - self.pruning.window
            columns["valid"] &= columns["anchor"] | (columns["ordinal"] >= oldest_kept)
        if not anchor:
            return
        anchors = np.unique(columns["ordinal"][columns["valid"] & columns["anchor"]])
        # Half of the budget: with more, a much corrected object would have no room to be tracked.
        if len(anchors) >= self.pruning.budget // contract.TOKENS_PER_FRAME // 2:
            columns["valid"] &= ~np.isin(columns["ordinal"], anchors[1:2])  # the first one stays

    def state(self, host: Host) -> Dict[str, np.ndarray]:
        """Return the bookkeeping, keys and values as plain arrays."""
        arrays = dict(self.columns, **state_arrays(self._known_box()))
        return dict(
            arrays, stored=np.array(self.stored), key=host(self.key), value=host(self.value)
        )

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Undo `state`; see `Memory.restore`."""
        stored = int(arrays["stored"])
        of_valid = arrays["ordinal"][arrays["valid"]]
        if ((of_valid < 0) | (of_valid >= stored)).any():
            raise ValueError("a token is of a frame that was not stored")
        self.key, self.value, self.stored = arrays["key"], arrays["value"], stored
        self.columns = {name: arrays[name] for name in self.columns}
        self.box = restored(arrays)


def state_columns(slots: int) -> Dict[str, Column]:
    """Return what a bank's arrays must be; see `FrameRules.memory_columns`."""
    tokens = Column("float32", (1, slots, contract.MEMORY_CHANNELS), -LARGEST, LARGEST)
    return {
        **state_columns_of_box(),
        "age": Column("int64", (slots,), 0, MAX_FRAMES),
        "ordinal": Column("int64", (slots,), -1, MAX_FRAMES),
        "token": Column("int64", (slots,), 0, contract.TOKENS_PER_FRAME - 1),
        "motion": Column("float32", (slots,), 0, 1),
        "uncertainty": Column("float32", (slots,), -LARGEST, LARGEST),
        "anchor": Column("bool", (slots,)),
        "valid": Column("bool", (slots,)),
        "stored": Column("int64", (), 0, MAX_FRAMES),
        "key": tokens,
        "value": tokens,
    }


def _columns(count: int) -> Dict[str, np.ndarray]:
    return {
        "age": np.zeros(count, np.int64),  # frames since the token's frame
        "ordinal": np.full(count, -1, np.int64),  # which stored frame of the object it belongs to
        "token": np.zeros(count, np.int64),  # which token of its frame
        "motion": np.zeros(count, np.float32),
        "uncertainty": np.zeros(count, np.float32),
        "anchor": np.zeros(count, bool),
        "valid": np.zeros(count, bool),
    }
